import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type Outcome, PathModel } from './path-model.ts';
import { MS_MAX, type PathSettings, SettingsError } from './path-settings.ts';

const SIGMAS = 4;
const BYTES = 1_000;

/** `count` datagrams, one every `everyMs` from 0 on. */
function offerMany(path: PathModel, count: number, everyMs: number, bytes = BYTES): Outcome[] {
  return Array.from({ length: count }, (_, index) => path.offer(index * everyMs, bytes));
}

/** Delay of those that got through. */
function delays(outcomes: readonly Outcome[], everyMs: number): number[] {
  return outcomes.flatMap((outcome, index) =>
    outcome.kind === 'sent' ? [outcome.leavesAtMs[0] - index * everyMs] : [],
  );
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function deviation(values: readonly number[]): number {
  const middle = mean(values);
  return Math.sqrt(mean(values.map(value => (value - middle) ** 2)));
}

function firstTime(outcome: Outcome): number {
  return outcome.kind === 'sent' ? outcome.leavesAtMs[0] : Number.NaN;
}

function shareIsNear(share: number, expected: number, count: number): void {
  const tolerance = SIGMAS * Math.sqrt((expected * (1 - expected)) / count);
  assert.ok(Math.abs(share - expected) < tolerance, `${share}, not ${expected} +- ${tolerance}`);
}

test('by default a datagram leaves when it comes, once', () => {
  assert.deepEqual(new PathModel(1).offer(5, BYTES), { kind: 'sent', leavesAtMs: [5] });
});

test('delay alone is exact', () => {
  const path = new PathModel(1, { delayMs: 100 });
  assert.ok(delays(offerMany(path, 100, 3), 3).every(delayMs => delayMs === 100));
});

describe('jitter', () => {
  const EVERY_MS = 100;
  const COUNT = 50_000;

  test('has the deviation asked for, around the delay', () => {
    const path = new PathModel(1, { delayMs: 100, jitterMs: 5, jitterCorrelationMs: 0 });
    const values = delays(offerMany(path, COUNT, EVERY_MS), EVERY_MS);
    // Of n normal values the mean deviates by s/sqrt(n) and their deviation by s/sqrt(2n). Datagrams are 20 deviations apart: order changes nothing.
    assert.ok(Math.abs(mean(values) - 100) < (SIGMAS * 5) / Math.sqrt(COUNT), `${mean(values)}`);
    assert.ok(Math.abs(deviation(values) - 5) < (SIGMAS * 5) / Math.sqrt(2 * COUNT), `${deviation(values)}`);
    const within = values.filter(value => Math.abs(value - 100) < 5).length / COUNT;
    shareIsNear(within, 0.6827, COUNT);
  });

  test('is correlated by e^(-t/T)', () => {
    for (const correlationMs of [0, 100, 300]) {
      const path = new PathModel(2, { delayMs: 100, jitterMs: 5, jitterCorrelationMs: correlationMs });
      const values = delays(offerMany(path, COUNT, EVERY_MS), EVERY_MS).map(value => (value - 100) / 5);
      for (const lag of [1, 3]) {
        const expected = correlationMs === 0 ? 0 : Math.exp((-lag * EVERY_MS) / correlationMs);
        const measured = mean(values.slice(lag).map((value, index) => value * values[index]));
        // Products of correlated values: one step's correlation c leaves n(1-c²)/(1+c²) of the n to count, and their variance is below 2.
        const c = correlationMs === 0 ? 0 : Math.exp(-EVERY_MS / correlationMs);
        const tolerance = SIGMAS * Math.sqrt((2 * (1 + c * c)) / (1 - c * c) / COUNT);
        assert.ok(
          Math.abs(measured - expected) < tolerance,
          `${correlationMs} ms, lag ${lag}: ${measured}, not ${expected}`,
        );
      }
    }
  });

  test('gives datagrams of one moment the same delay', () => {
    const path = new PathModel(3, { delayMs: 50, jitterMs: 10 });
    const first = firstTime(path.offer(0, BYTES));
    for (let index = 0; index < 20; index++) assert.equal(firstTime(path.offer(0, BYTES)), first);
    assert.notEqual(firstTime(path.offer(100, BYTES)) - 100, first);
  });
});

describe('nothing overtakes', () => {
  const settings = fc.record({
    delayMs: fc.nat(200),
    jitterMs: fc.nat(100),
    jitterCorrelationMs: fc.nat(200),
    duplicateShare: fc.constantFrom(0, 0.5),
    rateBps: fc.constantFrom(0, 100_000, 1_000_000),
  });

  test('under any jitter, rate and change of them', () => {
    const step = fc.record({ waitMs: fc.double({ min: 0, max: 30, noNaN: true }), change: fc.option(settings) });
    fc.assert(
      fc.property(fc.nat(), fc.array(step, { minLength: 1, maxLength: 60 }), (seed, steps) => {
        const path = new PathModel(seed);
        let [nowMs, lastMs] = [0, 0];
        for (const { waitMs, change } of steps) {
          nowMs += waitMs;
          if (change !== null) path.change(change);
          const outcome = path.offer(nowMs, BYTES);
          if (outcome.kind === 'dropped') continue;
          assert.ok(outcome.leavesAtMs.every(atMs => atMs >= lastMs && atMs >= nowMs));
          lastMs = outcome.leavesAtMs.at(-1)!;
        }
      }),
    );
  });

  test('but what is held back, by the time asked for', () => {
    const path = new PathModel(4, { delayMs: 50, reorderShare: 0.1, reorderHoldMs: 30 });
    const values = delays(offerMany(path, 20_000, 5), 5);
    assert.deepEqual(new Set(values), new Set([50, 80]));
    shareIsNear(values.filter(delayMs => delayMs === 80).length / values.length, 0.1, values.length);
    assert.equal(path.counters.heldBack, values.filter(delayMs => delayMs === 80).length);
  });
});

test('the share asked for leaves twice, the copy right behind', () => {
  const count = 20_000;
  const path = new PathModel(5, { delayMs: 10, duplicateShare: 0.05 });
  const doubled = offerMany(path, count, 1).filter(
    outcome => outcome.kind === 'sent' && outcome.leavesAtMs.length === 2,
  );
  shareIsNear(doubled.length / count, 0.05, count);
  assert.equal(path.counters.duplicated, doubled.length);
  for (const outcome of doubled) assert.equal(new Set(outcome.kind === 'sent' ? outcome.leavesAtMs : []).size, 1);
});

describe('the bottleneck', () => {
  /** 1,000 bytes in 8 ms. */
  const RATE_BPS = 1_000_000;

  test('takes bytes / rate for each datagram, one after the other', () => {
    const path = new PathModel(1, { rateBps: RATE_BPS, delayMs: 20 });
    assert.deepEqual(
      [0, 1, 2].map(() => firstTime(path.offer(0, BYTES))),
      [28, 36, 44],
    );
    assert.equal(firstTime(path.offer(1000, 250)), 1022);
  });

  test('lets through its rate, whatever is offered, and nothing waits longer than the queue', () => {
    const queueMs = 100;
    const path = new PathModel(1, { rateBps: RATE_BPS, queueMs });
    const everyMs = 4;
    const outcomes = offerMany(path, 10_000, everyMs);
    // Twice the rate is offered: half gets through, and a queue's fill of the first.
    const expected = (10_000 * everyMs + queueMs) / 8;
    assert.ok(Math.abs(path.counters.sent - expected) <= 2, `${path.counters.sent} sent, not ${expected}`);
    assert.equal(path.counters.queueFull, 10_000 - path.counters.sent);
    const longestMs = Math.max(...delays(outcomes, everyMs));
    assert.ok(longestMs <= queueMs + 8 && longestMs > queueMs - everyMs, `${longestMs} ms`);
  });

  test('has at most so many bytes before it, to the byte', () => {
    const path = new PathModel(1, { rateBps: RATE_BPS, queueMs: MS_MAX, queueBytes: 5 * BYTES });
    const kinds = Array.from({ length: 7 }, () => path.offer(0, BYTES).kind);
    assert.deepEqual(kinds, [...Array(5).fill('sent'), 'dropped', 'dropped']);
    // 1 ms later 125 bytes have gone.
    assert.deepEqual(path.offer(1, 126), { kind: 'dropped', reason: 'queue' });
    assert.equal(path.offer(1, 125).kind, 'sent');
  });

  test('that is idle takes a datagram larger than its queue', () => {
    const path = new PathModel(1, { rateBps: RATE_BPS, queueBytes: 100 });
    assert.equal(path.offer(0, BYTES).kind, 'sent');
    assert.equal(path.offer(0, 50).kind, 'dropped');
  });

  test('keeps what it has accepted as it was when its rate changes', () => {
    const path = new PathModel(1, { rateBps: RATE_BPS });
    assert.equal(firstTime(path.offer(0, BYTES)), 8);
    path.change({ rateBps: RATE_BPS / 4 });
    assert.equal(firstTime(path.offer(0, BYTES)), 8 + 32);
  });
});

test('a cut path takes nothing in, a healed one works at once, and what is under way arrives', () => {
  const path = new PathModel(1, { delayMs: 100 });
  assert.equal(firstTime(path.offer(0, BYTES)), 100);
  path.change({ isCut: true });
  assert.deepEqual(path.offer(50, BYTES), { kind: 'dropped', reason: 'cut' });
  path.change({ isCut: false });
  assert.equal(firstTime(path.offer(60, BYTES)), 160);
  assert.equal(path.counters.cut, 1);
});

describe('the seed', () => {
  const SETTINGS = { delayMs: 30, jitterMs: 8, lossShare: 0.1, burstLength: 4, reorderShare: 0.1, duplicateShare: 0.1 };

  test('decides everything: the same seed and calls, the same outcomes', () => {
    const run = (seed: number) => offerMany(new PathModel(seed, { ...SETTINGS, rateBps: 900_000 }), 2_000, 8);
    assert.deepEqual(run(9), run(9));
    assert.notDeepEqual(run(9), run(10));
  });

  test('loses the same datagrams whatever else is set', () => {
    const lostOf = (settings: Partial<PathSettings>) =>
      offerMany(new PathModel(9, settings), 2_000, 8).map(({ kind }) => kind);
    assert.deepEqual(lostOf(SETTINGS), lostOf({ lossShare: 0.1, burstLength: 4 }));
  });
});

/** Mostly within the limits, so that most changes of a few keys are accepted. */
const within = (max: number) =>
  fc.oneof({ weight: 9, arbitrary: fc.double({ min: 0, max, noNaN: true }) }, { weight: 1, arbitrary: fc.double() });
const anySettings = fc.record(
  {
    delayMs: within(60_000),
    jitterMs: within(10_000),
    jitterCorrelationMs: fc.oneof(fc.double({ min: 0, max: 1e-300 }), within(60_000)),
    lossShare: within(1),
    burstLength: fc.oneof(fc.constantFrom(0, 1), within(10_000)),
    randomLossShare: within(1),
    reorderShare: within(1),
    reorderHoldMs: within(10_000),
    duplicateShare: within(1),
    rateBps: fc.oneof(fc.constantFrom(0, 1_000, Number.MIN_VALUE), within(1e11)),
    queueMs: within(60_000),
    queueBytes: fc.nat(),
    isCut: fc.boolean(),
  },
  { requiredKeys: [] },
);

test('any settings are refused, or give times that are finite and not in the past, and counters that add up', () => {
  let accepted = 0;
  fc.assert(
    fc.property(fc.nat(), fc.array(anySettings, { minLength: 1, maxLength: 4 }), (seed, list) => {
      const path = new PathModel(seed);
      let nowMs = 0;
      for (const settings of list) {
        const before = path.settings;
        try {
          path.change(settings);
          accepted++;
        } catch (error) {
          assert.ok(error instanceof SettingsError);
          assert.equal(path.settings, before);
        }
        for (let index = 0; index < 20; index++) {
          const outcome = path.offer(nowMs++, index * 70);
          if (outcome.kind === 'dropped') continue;
          assert.ok(outcome.leavesAtMs.length === 1 || outcome.leavesAtMs.length === 2);
          assert.ok(outcome.leavesAtMs.every(atMs => Number.isFinite(atMs) && atMs >= nowMs - 1));
        }
      }
      const { offered, sent, cut, queueFull, lost, lostRandomly } = path.counters;
      assert.equal(offered, 20 * list.length);
      assert.equal(sent + cut + queueFull + lost + lostRandomly, offered);
    }),
    { numRuns: 500 },
  );
  assert.ok(accepted > 50, `only ${accepted} settings were accepted: the test says little`);
});

test('a clock that goes back counts as one that stands still', () => {
  const path = new PathModel(1, { delayMs: 10 });
  path.offer(100, BYTES);
  assert.equal(firstTime(path.offer(50, BYTES)), 110);
});

test('a seed, a time or a size that is none is refused', () => {
  for (const seed of [-1, 0.5, Number.NaN, 2 ** 32]) assert.throws(() => new PathModel(seed), /^RangeError: seed is /);
  const path = new PathModel(1);
  assert.throws(() => path.offer(Number.NaN, 1), /nowMs is NaN; allowed: a finite number/);
  assert.throws(() => path.offer(0, -1), /bytes is -1; allowed: a number from 0/);
});

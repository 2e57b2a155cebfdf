import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DEFAULT_FEC_SETTINGS, type FecConditions, fecRule } from './fec-policy.ts';
import { createProtection, reckonProtection, shareLeft } from './fec-residual.ts';
import { FecShare } from './fec-share.ts';
import { LossRuns } from './loss-runs.ts';
import { LossWindow } from './loss-window.ts';
import { seededRandom } from './simulated-pair.ts';

const NEEDED: FecConditions = {
  ...DEFAULT_FEC_SETTINGS,
  isOn: false,
  rttMs: 200,
  reorderMs: 3,
  lossShare: 0.02,
  isShareSpent: false,
  isTargetMet: true,
};

const CASES: readonly [claim: string, rule: string, conditions: Partial<FecConditions>][] = [
  ['long round trip and loss', 'on-nack-is-late', {}],
  ['no share', 'off-disabled', { shareMax: 0 }],
  ['before the first pong', 'off-round-trip-unknown', { rttMs: null }],
  ['no loss at all', 'off-no-loss', { lossShare: 0 }],
  ['no loss any more', 'off-no-loss', { lossShare: 0, isOn: true }],
  ['a repeat within the budget', 'off-nack-is-in-time', { rttMs: 88 }],
  ['a repeat just over it', 'on-nack-is-late', { rttMs: 89 }],
  ['a repeat just within it, and on', 'on-nack-is-late', { rttMs: 80, isOn: true }],
  ['a repeat well within it, and on', 'off-nack-is-in-time', { rttMs: 78, isOn: true }],
  ['reordering that makes NACKs late', 'on-nack-is-late', { rttMs: 70, reorderMs: 30 }],
  ['a larger budget', 'off-nack-is-in-time', { playoutBudgetMs: 250 }],
  ['little loss', 'off-little-loss', { lossShare: 0.0009 }],
  ['little loss, and on', 'on-nack-is-late', { lossShare: 0.0009, isOn: true }],
  ['hardly any loss, and on', 'off-little-loss', { lossShare: 0.0002, isOn: true }],
  ['parity held back', 'on-share-is-spent', { isShareSpent: true, isTargetMet: false }],
  ['more loss than parity can make good', 'on-target-is-out-of-reach', { isTargetMet: false }],
];

for (const [claim, rule, conditions] of CASES) {
  test(`${claim}: ${rule}`, () => assert.equal(fecRule({ ...NEEDED, ...conditions }), rule));
}

test('what is left to NACK is what a chain of losses leaves', () => {
  for (const [share, burstLength, frames, rows, spacing] of [
    [0.02, 1 / 0.98, 9, 1, 1],
    [0.1, 5, 4, 2, 6],
    [0.1, 5, 20, 5, 1],
    [0.3, 2, 1, 2, 3],
  ]) {
    const random = seededRandom(41);
    const toGood = 1 / burstLength;
    const toBad = (toGood * share) / (1 - share);
    let isBad = false;
    let left = 0;
    const groups = 60_000;
    for (let group = 0; group < groups; group++) {
      let lost = 0;
      let lostFrames = 0;
      for (let frame = 0; frame < frames + rows; frame++) {
        const steps = frame < frames ? spacing : frame === frames ? spacing : 1;
        for (let step = 0; step < steps; step++) isBad = isBad ? random() >= toGood : random() < toBad;
        if (!isBad) continue;
        lost++;
        if (frame < frames) lostFrames++;
      }
      if (lost > rows) left += lostFrames;
      // The next group begins somewhere else.
      for (let step = 0; step < 20; step++) isBad = isBad ? random() >= toGood : random() < toBad;
    }
    const seen = left / groups / frames;
    const reckoned = shareLeft({ share, burstLength }, frames, rows, spacing);
    assert.ok(Math.abs(reckoned - seen) < 0.25 * seen + 0.0005, `${reckoned} reckoned, ${seen} seen`);
  }
});

test('protection grows with loss and stays within what the share allows', () => {
  const loss = fc.double({ min: 0.001, max: 0.5, noNaN: true });
  const length = fc.double({ min: 1, max: 10, noNaN: true });
  const perFrame = fc.double({ min: 0, max: 3, noNaN: true });
  fc.assert(
    fc.property(loss, length, perFrame, (share, burstLength, rowsPerFrame) => {
      const [less, more] = [createProtection(), createProtection()];
      reckonProtection({ share, burstLength }, 1, 0.001, rowsPerFrame, less);
      reckonProtection({ share: Math.min(0.9, share * 1.5), burstLength }, 1, 0.001, rowsPerFrame, more);
      for (let frames = 1; frames <= 24; frames++) {
        const rows = less.rows[frames];
        assert.ok(rows <= Math.min(8, frames + 1, frames * rowsPerFrame), `${rows} for ${frames}`);
        assert.ok(rows >= less.rows[frames - 1], 'no fewer for more frames');
        assert.ok(more.rows[frames] >= rows || more.left[frames] <= 0.001, 'no fewer for more loss');
        assert.ok(less.left[frames] <= 0.001 || rows === Math.min(8, frames + 1, Math.floor(frames * rowsPerFrame)));
      }
    }),
    { numRuns: 40 },
  );
});

test('the room for parity is what keeps it within its share of any second', () => {
  const random = seededRandom(42);
  const share = new FecShare();
  const sent: { atMs: number; bytes: number; isParity: boolean }[] = [];
  let bytesOut = 0;
  for (let nowMs = 5000; nowMs < 15_000; nowMs += 1 + Math.floor(random() * 30)) {
    const media = Math.floor(random() * 3000);
    bytesOut += media;
    sent.push({ atMs: nowMs, bytes: media, isParity: false });
    share.update(nowMs, bytesOut);
    share.addMedia(2, media);
    const parity = Math.floor(share.room(0.2, Number.POSITIVE_INFINITY));
    if (parity <= 0) continue;
    bytesOut += parity;
    share.addParity(2, parity);
    sent.push({ atMs: nowMs, bytes: parity, isParity: true });
    const second = sent.filter(frame => frame.atMs > nowMs - 1000);
    const all = second.reduce((sum, frame) => sum + frame.bytes, 0);
    const spent = second.reduce((sum, frame) => sum + (frame.isParity ? frame.bytes : 0), 0);
    assert.ok(spent / all <= 0.2 + 1e-9, `${spent} of ${all} at ${nowMs}`);
  }
  const total = sent.reduce((sum, frame) => sum + (frame.isParity ? frame.bytes : 0), 0);
  assert.ok(total / bytesOut > 0.17, `${total / bytesOut}: the share is there to be used`);
  assert.ok(share.room(0.2, 8 * 10_000) < 10_000, 'nor more than the path takes');
  share.update(20_000, bytesOut);
  assert.equal(share.shareOf(2), 0, 'a second later nothing of it counts');
});

test('losses count as one burst when their numbers follow each other, in whatever order they are found', () => {
  fc.assert(
    fc.property(fc.integer(), fc.double({ min: 0.02, max: 0.6, noNaN: true }), (seed, share) => {
      const random = seededRandom(seed);
      const runs = new LossRuns();
      const lost = new Set<number>();
      for (let highest = 0; highest < 400; highest += 1 + Math.floor(random() * 20)) {
        runs.advance(highest);
        for (let sequence = Math.max(0, highest - 40); sequence < highest; sequence++) {
          if (lost.has(sequence)) {
            if (random() >= 0.1) continue;
            lost.delete(sequence);
            runs.remove(sequence);
          } else if (random() < share / 4) {
            lost.add(sequence);
            runs.add(sequence, random() < 0.5);
          }
        }
        const expected = [...lost].filter(sequence => !lost.has(sequence - 1)).length;
        assert.equal(runs.count, expected);
      }
    }),
    { numRuns: 100 },
  );
});

test('what is too far behind to know counts for itself and does not touch what is newer', () => {
  const runs = new LossRuns();
  runs.advance(20_000);
  runs.add(100, true);
  assert.equal(runs.count, 1);
  runs.remove(100);
  assert.equal(runs.isUnasked(100 + 16_384), false);
  runs.add(100 + 16_384, false);
  assert.equal(runs.count, 2);
  assert.equal(runs.isUnasked(100 + 16_384), true);
  assert.equal(runs.isUnasked(100), false);
});

/** One ping more, with so many frames lost of so many, in so many bursts. */
function pings(
  window: LossWindow,
  count: number,
  expected: number,
  lost: number,
  bursts: number,
  totals: number[],
): void {
  for (let ping = 0; ping < count; ping++) {
    totals[0] += expected;
    totals[1] += lost;
    totals[2] += bursts;
    window.update(totals[0], totals[1], totals[2]);
  }
}

test('loss is that of the last ten seconds, sooner when it rises, and exactly zero ten seconds after the last', () => {
  const window = new LossWindow();
  const totals = [0, 0, 0];
  pings(window, 40, 100, 2, 1, totals);
  assert.equal(window.share, 0.02);
  assert.equal(window.burstLength, 2);
  pings(window, 8, 100, 10, 2, totals);
  assert.equal(window.share, 0.1, 'two seconds of more count as more');
  pings(window, 39, 100, 0, 0, totals);
  assert.ok(window.share > 0);
  pings(window, 1, 100, 0, 0, totals);
  assert.equal(window.share, 0);
  assert.equal(window.burstLength, 1);
});

test('a few losses on a quiet link are no rise', () => {
  const window = new LossWindow();
  const totals = [0, 0, 0];
  pings(window, 40, 10, 0, 0, totals);
  pings(window, 1, 10, 4, 4, totals);
  assert.equal(window.share, 4 / 400);
});

test('new keys start the counters again and forget nothing', () => {
  const window = new LossWindow();
  const totals = [0, 0, 0];
  pings(window, 10, 100, 2, 2, totals);
  window.restart();
  pings(window, 10, 100, 2, 2, [0, 0, 0]);
  assert.equal(window.share, 0.02);
});

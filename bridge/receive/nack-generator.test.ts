import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { GAP_RESET, NackGenerator, OUTSTANDING_MAX, TRIES_MAX } from './nack-generator.ts';
import { DUPLICATE, StreamReceiver } from './stream-receiver.ts';

const out = new Uint16Array(OUTSTANDING_MAX);

function ask(generator: NackGenerator, nowMs: number, rttMs = 100, oldestUseful = 0): number[] {
  return [...out.subarray(0, generator.poll(nowMs, rttMs, oldestUseful, out))];
}

test('a gap is asked for at the next poll, over the wrap in order', () => {
  const generator = new NackGenerator();
  assert.equal(generator.handleGap(0x1fffe, 0x20002), true);
  assert.deepEqual(ask(generator, 0), [0xfffe, 0xffff, 0, 1]);
});

test('what arrives before the poll is never asked for, what arrives later not again', () => {
  const generator = new NackGenerator();
  generator.handleGap(0x10001, 0x10004);
  generator.handleArrival(0x10002);
  assert.deepEqual(ask(generator, 0), [1, 3]);
  generator.handleArrival(0x10003);
  assert.deepEqual(ask(generator, 1000), [1]);
});

test('repeats wait longer than one RTT, each longer than the one before, and end after ten tries', () => {
  for (const rttMs of [0, 5, 100, 400]) {
    const generator = new NackGenerator();
    generator.handleGap(0x10001, 0x10002);
    const askedMs: number[] = [];
    for (let nowMs = 0; nowMs < 60_000; nowMs++) if (ask(generator, nowMs, rttMs).length > 0) askedMs.push(nowMs);
    assert.equal(askedMs.length, TRIES_MAX);
    assert.equal(askedMs[0], 0);
    const waits = askedMs.slice(1).map((at, index) => at - askedMs[index]);
    assert.ok(waits.every((wait, index) => wait > rttMs && wait >= 20 && wait > (waits[index - 1] ?? 0)));
    assert.equal(generator.outstanding, 0);
    assert.equal(generator.abandoned, 1);
  }
});

test('an unknown RTT counts as 100 ms', () => {
  const generator = new NackGenerator();
  generator.handleGap(0x10001, 0x10002);
  ask(generator, 0, -1);
  assert.deepEqual(ask(generator, 100, -1), []);
  assert.deepEqual(ask(generator, 120, -1), [1]);
});

test('a gap of a hundred is not asked for, and ends all that was', () => {
  const generator = new NackGenerator();
  assert.equal(generator.handleGap(0x10001, 0x10001 + GAP_RESET - 1), true);
  assert.equal(generator.handleGap(0x20000, 0x20000 + GAP_RESET), false);
  assert.deepEqual(ask(generator, 0), []);
  assert.equal(generator.abandoned, GAP_RESET - 1);
});

test('what is older than the history is given up', () => {
  const generator = new NackGenerator();
  generator.handleGap(0x10001, 0x10005);
  assert.deepEqual(ask(generator, 0, 100, 0x10003), [3, 4]);
  assert.equal(generator.abandoned, 2);
});

test('beyond its limit the oldest give way', () => {
  const generator = new NackGenerator();
  for (let gap = 0; gap < 4; gap++) generator.handleGap(0x10000 + gap * 100, 0x10000 + gap * 100 + 90);
  assert.equal(generator.outstanding, OUTSTANDING_MAX);
  const asked = ask(generator, 0);
  assert.equal(asked.length, OUTSTANDING_MAX);
  assert.equal(asked[0], 360 - OUTSTANDING_MAX + 10);
  assert.equal(asked.at(-1), 389);
});

test('what does not fit into one request is asked for by the next', () => {
  const generator = new NackGenerator();
  generator.handleGap(0x10000, 0x1000a);
  const small = new Uint16Array(6);
  assert.equal(generator.poll(0, 100, 0, small), 6);
  assert.equal(generator.poll(10, 100, 0, small), 4);
  assert.deepEqual([...small.subarray(0, 4)], [6, 7, 8, 9]);
});

test('under random loss and reordering every lost packet is asked for until it comes, and none twice within one RTT', () => {
  const packet = fc.record({
    isLost: fc.integer({ min: 0, max: 9 }).map(value => value === 0),
    lateMs: fc.integer({ min: 0, max: 12 }),
    answersLost: fc.integer({ min: 0, max: 3 }),
  });
  fc.assert(
    fc.property(
      fc.array(packet, { minLength: 50, maxLength: 400 }),
      fc.integer({ min: 15, max: 120 }),
      (packets, rttMs) => {
        const receiver = new StreamReceiver({ ssrc: 1, clockRateHz: 90_000, hasNack: true });
        const start = 65_400;
        const due = new Map<number, number[]>();
        const arrive = (atMs: number, index: number) => due.set(atMs, [...(due.get(atMs) ?? []), index]);
        packets.forEach((sent, index) => {
          // The first comes first and the last comes last: what lies outside of them cannot be known to be missing.
          const isEdge = index === 0 || index === packets.length - 1;
          const lateMs = index === 0 ? 0 : isEdge ? 12 : sent.lateMs;
          if (isEdge || !sent.isLost) arrive(index * 4 + lateMs, index);
        });
        const missing = new Set(packets.keys());
        const askedMs = new Map<number, number>();
        const tries = new Map<number, number>();
        for (let nowMs = 0; nowMs < packets.length * 4 + 3000; nowMs++) {
          for (const index of due.get(nowMs) ?? []) {
            const answer = receiver.handlePacket(nowMs, (start + index) & 0xffff, index * 360, 100);
            if (answer !== DUPLICATE) missing.delete(index);
          }
          if (nowMs % 10 !== 0) continue;
          const count = receiver.pollNacks(nowMs, rttMs, out);
          for (const sequence of out.subarray(0, count)) {
            const index = (sequence - start) & 0xffff;
            assert.ok(missing.has(index), `packet ${index} was asked for though it is here`);
            assert.ok(
              nowMs - (askedMs.get(index) ?? -1e9) > rttMs,
              `packet ${index} was asked for twice within one RTT`,
            );
            askedMs.set(index, nowMs);
            const tried = (tries.get(index) ?? 0) + 1;
            tries.set(index, tried);
            if (packets[index].isLost && tried > packets[index].answersLost) arrive(nowMs + rttMs, index);
          }
        }
        assert.deepEqual([...missing], []);
      },
    ),
    { numRuns: 60 },
  );
});

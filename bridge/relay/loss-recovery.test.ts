import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createLinkCounters } from './link-counters.ts';
import { GAP_MAX, HOLES_MAX, LossRecovery } from './loss-recovery.ts';
import { RepairTiming } from './repair-timing.ts';
import { seededRandom } from './simulated-pair.ts';

function recoveryAt(rttMs: number, deviationMs = 0) {
  const counters = createLinkCounters();
  const timing = new RepairTiming();
  timing.update(rttMs, deviationMs);
  const recovery = new LossRecovery(counters, timing);
  const due = new Float64Array(128);
  const ask = (nowMs: number): number[] => Array.from(due.subarray(0, recovery.poll(nowMs, due)));
  return { counters, timing, recovery, due, ask };
}

test('every lost frame is asked for, none twice within a round trip, none after its time, and only lost ones', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 300 }), (seed, rttMs) => {
      const random = seededRandom(seed);
      const { recovery, ask, counters, timing } = recoveryAt(rttMs);
      const askedMs = new Map<number, number>();
      const lostMs = new Map<number, number>();
      let next = 0;
      for (let nowMs = 0; nowMs < 3500; nowMs += 10) {
        for (let burst = 0; burst < 4 && nowMs < 1500; burst++) {
          if (random() < 0.1) lostMs.set(next, nowMs);
          else recovery.handleArrival(nowMs, next);
          next++;
        }
        for (const sequence of ask(nowMs)) {
          assert.ok(lostMs.has(sequence), `${sequence} is not lost`);
          const previousMs = askedMs.get(sequence);
          assert.ok(previousMs === undefined || nowMs - previousMs >= rttMs, `${sequence} too soon`);
          assert.ok(nowMs - (lostMs.get(sequence) ?? 0) <= timing.askMs + 100, `${sequence} too late`);
          askedMs.set(sequence, nowMs);
        }
      }
      const within = [...lostMs.keys()].filter(sequence => sequence < recovery.highest);
      for (const sequence of within) assert.ok(askedMs.has(sequence), `${sequence} never asked for`);
      assert.equal(recovery.missing, 0);
      assert.equal(counters.givenUp, within.length);
      assert.equal(recovery.lost, within.length);
      assert.equal(recovery.unrepaired, within.length);
    }),
    { numRuns: 40 },
  );
});

test('holes that open, close by themselves, by answers, by skips and by rebuilding are counted once each', () => {
  fc.assert(
    fc.property(fc.integer(), seed => {
      const random = seededRandom(seed);
      const { recovery, ask, counters } = recoveryAt(40);
      const open = new Set<number>();
      let next = 0;
      let rebuilt = 0;
      let nowMs = 0;
      for (let step = 0; step < 3000; step++) {
        nowMs += random() * 4;
        if (random() < 0.2) open.add(next++);
        else recovery.handleArrival(nowMs, next++);
        if (random() < 0.3) for (const _asked of ask(nowMs)) assert.ok(open.size > 0);
        for (const sequence of open) {
          if (random() > 0.02 || sequence > recovery.highest) continue;
          open.delete(sequence);
          const kind = random();
          if (kind < 0.5) recovery.handleArrival(nowMs, sequence);
          else if (kind < 0.7) recovery.handleSkip(sequence, kind < 0.6);
          else if (recovery.handleRebuilt(nowMs, sequence)) rebuilt++;
        }
      }
      recovery.handleArrival(nowMs, next++);
      for (let tail = 0; tail < 2000; tail += 10) ask(nowMs + tail);
      assert.equal(recovery.missing, 0);
      const { recovered, givenUp, skipped, reordered } = counters;
      assert.equal(recovery.lost, recovered + givenUp + skipped + rebuilt, 'what did not come at the first try');
      assert.ok(reordered > 0 && recovered > 0 && givenUp > 0 && skipped > 0 && rebuilt > 0);
    }),
    { numRuns: 20 },
  );
});

test('a jump of more than 1024 frames is an outage: nothing in it is asked for', () => {
  const { recovery, ask, counters } = recoveryAt(10);
  recovery.handleArrival(0, 0);
  recovery.handleArrival(1, GAP_MAX + 976);
  assert.deepEqual(ask(100), []);
  assert.equal(counters.givenUp, 1999);
  recovery.handleArrival(101, GAP_MAX + 978);
  assert.deepEqual(ask(200), [2001]);
});

test('a hole is asked for when the window has passed, not before', () => {
  const { recovery, ask } = recoveryAt(100);
  recovery.handleArrival(0, 0);
  recovery.handleArrival(0, 2);
  assert.equal(recovery.nextDueMs, 3);
  assert.deepEqual(ask(2.9), []);
  assert.deepEqual(ask(3), [1]);
});

test('what comes by itself widens the window; an answer does not', () => {
  const { recovery, ask, timing, counters } = recoveryAt(100);
  recovery.handleArrival(0, 0);
  recovery.handleArrival(0, 5);
  assert.equal(recovery.handleArrival(2, 1), 'reordered');
  assert.deepEqual(ask(4), [2, 3, 4]);
  assert.equal(recovery.handleArrival(16, 2), 'reordered', 'no answer comes 12 ms after asking');
  assert.equal(timing.reorderMs(16), 20);
  assert.equal(recovery.lost, 2);
  assert.equal(recovery.handleArrival(104, 3), 'recovered');
  assert.equal(timing.reorderMs(104), 20);
  recovery.handleArrival(110, 7);
  assert.deepEqual(ask(129), [4], 'the wider window holds for holes that come after');
  assert.deepEqual(ask(130), [6]);
  assert.deepEqual([counters.reordered, counters.recovered], [2, 1]);
});

test('where round trips vary a question is repeated later', () => {
  for (const [deviationMs, repeatMs] of [
    [0, 110],
    [10, 140],
    [60, 200],
  ] as const) {
    const { recovery, ask } = recoveryAt(100, deviationMs);
    recovery.handleArrival(0, 0);
    recovery.handleArrival(0, 2);
    assert.deepEqual(ask(3), [1]);
    assert.deepEqual(ask(3 + repeatMs - 1), [], `${deviationMs}`);
    assert.deepEqual(ask(3 + repeatMs + 0.1), [1], `${deviationMs}`);
  }
});

test('a frame that comes after it was given up is taken and counted as late', () => {
  const { recovery, ask, counters } = recoveryAt(20);
  recovery.handleArrival(0, 0);
  recovery.handleArrival(0, 2);
  for (let nowMs = 0; nowMs <= 300; nowMs += 10) ask(nowMs);
  assert.equal(counters.givenUp, 1);
  assert.equal(recovery.handleArrival(310, 1), 'late');
  assert.equal(counters.cameLate, 1);
});

test('however many frames are lost, no more than 4096 holes are kept, and the newest are', () => {
  const { recovery, counters, ask } = recoveryAt(100);
  recovery.handleArrival(0, 0);
  for (let jump = 1; jump <= 10; jump++) recovery.handleArrival(0, jump * (GAP_MAX + 1));
  assert.equal(recovery.missing, HOLES_MAX);
  assert.equal(counters.givenUp, 10 * GAP_MAX - HOLES_MAX);
  assert.equal(ask(3)[0], 6 * (GAP_MAX + 1) + 1);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type SenderReportPoint, Timeline } from './timeline.ts';

const CLOCK_HZ = 90_000;
const INITIAL = 0xfffff000;

/** A timeline fed by a layer whose timestamp is `timestamp` at 0 ms. */
function started(timestamp: number): { timeline: Timeline; offset: number } {
  const timeline = new Timeline(CLOCK_HZ, INITIAL, 1);
  const offset = timeline.join(timestamp, 0, false, undefined, undefined);
  timeline.advance(timestamp, (timestamp + offset) >>> 0, 0);
  return { timeline, offset };
}

function report(ms: number, rtpTimestamp: number, arrivedMs = ms): SenderReportPoint {
  const ntpFraction = Math.round(((ms % 1000) / 1000) * 0x100000000);
  return {
    ntpSeconds: 3_900_000_000 + Math.floor(ms / 1000),
    ntpFraction,
    rtpTimestamp: rtpTimestamp >>> 0,
    arrivedMs,
  };
}

test('the first packet gets the initial timestamp, and wraps are nothing special', () => {
  const { timeline, offset } = started(50);
  assert.equal((50 + offset) >>> 0, INITIAL);
  assert.equal((50 + 90_000 + offset) >>> 0, (INITIAL + 90_000) >>> 0);
  assert.equal(timeline.isContinued(50 + 3_000, 33, false), true);
});

test('a layer joins where sender reports say it is, not where its packet happened to arrive', () => {
  const { timeline, offset } = started(1_000);
  const from = report(-500, 1_000 - 45_000);
  const to = report(-300, 700_000 - 27_000);
  // Captured 100 ms after the last frame, but 350 ms late because it is large.
  const joined = timeline.join(700_000 + 9_000, 450, false, from, to);
  const out = (700_000 + 9_000 + joined) >>> 0;
  assert.equal(out, (1_000 + offset + 9_000) >>> 0);
});

test('without reports a layer joins by the time gone by', () => {
  const { timeline, offset } = started(1_000);
  const joined = timeline.join(5, 200, false, undefined, undefined);
  assert.equal((5 + joined) >>> 0, (1_000 + offset + 18_000) >>> 0);
});

test('reports that contradict the time gone by by more than a second are not believed', () => {
  const { timeline, offset } = started(1_000);
  const joined = timeline.join(700_000, 100, false, report(0, 1_000), report(90_000, 700_000));
  assert.equal((700_000 + joined) >>> 0, (1_000 + offset + 9_000) >>> 0);
});

test('a frame that belongs before the newest is moved just behind it, and the next join takes that back', () => {
  const { timeline, offset } = started(1_000);
  const early = timeline.join(700_000 - 9_000, 20, false, report(0, 1_000), report(0, 700_000));
  const out = (700_000 - 9_000 + early) >>> 0;
  assert.equal(out, (1_000 + offset + 1) >>> 0);
  timeline.advance(700_000 - 9_000, out, 20);
  const back = timeline.join(1_000 + 18_000, 220, false, report(0, 700_000), report(0, 1_000));
  assert.equal((1_000 + 18_000 + back) >>> 0, (1_000 + offset + 18_000) >>> 0);
});

test('the same layer taken up again keeps its own clock while that agrees with the time gone by', () => {
  const { timeline, offset } = started(1_000);
  assert.equal(timeline.join(1_000 + 905_000, 10_000, true, undefined, undefined), offset);
});

test('a clock that stood still through a pause, or jumped, advances by the time gone by', () => {
  const { timeline, offset } = started(1_000);
  assert.equal(timeline.isContinued(1_000 + 3_000, 30_000, false), false);
  const stood = timeline.join(1_000 + 3_000, 30_000, true, undefined, undefined);
  assert.equal((1_000 + 3_000 + stood) >>> 0, (1_000 + offset + 30 * CLOCK_HZ) >>> 0);
  assert.equal(timeline.isContinued(0x80000000, 33, false), false);
});

test('a pause that the clock kept counting through is no reason to join anew, nor is one large frame', () => {
  const { timeline } = started(1_000);
  assert.equal(timeline.isContinued(1_000 + 30 * CLOCK_HZ, 30_000, false), true);
  timeline.hear(1_900);
  assert.equal(timeline.isContinued(1_000 + 3_000, 2_000, false), true);
});

test('behind a gap, a clock ahead of the time gone by is that of an outage: what is missing has its place on it', () => {
  const { timeline } = started(1_000);
  assert.equal(timeline.isContinued(1_000 + 2 * 90_000, 30, true), true);
  assert.equal(timeline.isContinued(1_000 + 2 * 90_000, 30, false), false, 'nothing is missing: it jumped');
  assert.equal(timeline.isContinued(1_000 + 30 * 90_000, 30, true), false, 'no outage is that long');
  assert.equal(timeline.isContinued(1_000 + 2 * 90_000, 6_000, true), false, 'it stood still');
});

test('a report from before a restart does not describe the timeline, one from after it does', () => {
  const { timeline } = started(1_000);
  assert.equal(timeline.describes(report(100, 1_000 + 9_000, 100)), true);
  assert.equal(timeline.describes(report(100, 0x70000000, 100)), false);
});

test('no packet, however old its timestamp, moves the timeline back', () => {
  const { timeline, offset } = started(100_000);
  timeline.advance(100_000 - 3_000, (100_000 - 3_000 + offset) >>> 0, 40);
  const joined = timeline.join(9, 40, false, undefined, undefined);
  assert.equal((9 + joined) >>> 0, (100_000 + offset + 3_600) >>> 0);
});

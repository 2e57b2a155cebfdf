import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { DrainReport } from '../../protocol/control/events.ts';
import type { BridgeId } from '../../protocol/ids.ts';
import type { MoveOutcome } from '../conference/endpoint-mover.ts';
import { Drains, MOVES_UNDER_WAY_MAX, type Movable } from './drains.ts';

const BRIDGE = 'b1' as BridgeId;
const MOVED: MoveOutcome = { kind: 'moved', from: BRIDGE, to: 'b2' as BridgeId, tookMs: 300 };
const MOVE_MS = 500;

const report = (fields: Partial<DrainReport> = {}): DrainReport => ({
  mode: 'move',
  by: 'test',
  forMs: 0,
  deadlineInMs: null,
  exit: false,
  endpointsAtStart: 0,
  ...fields,
});

const people = (count: number, conferenceId = 1): Movable[] =>
  Array.from({ length: count }, (_, index) => ({
    sid: `${conferenceId}-${index}`,
    conferenceId,
    conferenceSize: count,
  }));

/** Drains a bridge with a mover that takes half a second for each; answers who was moved when. */
function run(
  own: Movable[],
  deadlineSeconds: number | null,
  untilMs: number,
  outcomeOf = (_sid: string, _nowMs: number) => MOVED,
) {
  const drains = new Drains();
  const there = new Map(own.map(each => [each.sid, each]));
  const order: { readonly sid: string; readonly atMs: number }[] = [];
  const ends: { readonly sid: string; readonly atMs: number }[] = [];
  let mostUnderWay = 0;
  let emptyMs: number | undefined;
  for (let nowMs = 0; nowMs <= untilMs; nowMs += 250) {
    for (const { sid, atMs } of ends.filter(end => end.atMs <= nowMs)) {
      const outcome = outcomeOf(sid, atMs);
      drains.handleOutcome(nowMs, BRIDGE, sid, outcome);
      if (outcome.kind === 'moved') there.delete(sid);
      ends.splice(
        ends.findIndex(end => end.sid === sid),
        1,
      );
    }
    if (there.size === 0) emptyMs ??= nowMs;
    const deadlineInMs = deadlineSeconds === null ? null : deadlineSeconds * 1_000 - nowMs;
    for (const { sid } of drains.step(nowMs, BRIDGE, report({ deadlineInMs }), 0, [...there.values()])) {
      order.push({ sid, atMs: nowMs });
      ends.push({ sid, atMs: nowMs + MOVE_MS });
    }
    mostUnderWay = Math.max(mostUnderWay, ends.length);
  }
  return { drains, order, mostUnderWay, emptyMs, left: there.size };
}

describe('the pace of a drain', () => {
  test('all are gone well before the deadline, in small steps', () => {
    for (const [count, seconds] of [
      [10, 60],
      [300, 60],
      [1_000, 300],
      [20, 10],
    ] as const) {
      const { order, emptyMs } = run(people(count), seconds, seconds * 1_000);
      assert.ok(emptyMs !== undefined && emptyMs <= seconds * 1_000 * 0.8, `${count} in ${seconds} s: ${emptyMs} ms`);
      const perSecond = new Map<number, number>();
      for (const { atMs } of order)
        perSecond.set(Math.floor(atMs / 1_000), (perSecond.get(Math.floor(atMs / 1_000)) ?? 0) + 1);
      const evenPace = count / (seconds * 0.6);
      assert.ok(Math.max(...perSecond.values()) <= Math.max(4, evenPace * 1.5 + 1), `${[...perSecond.values()]}`);
    }
  });

  test('without a deadline two a second are moved', () => {
    const { order } = run(people(100), null, 10_000);
    assert.ok(order.length >= 20 && order.length <= 22, `${order.length}`);
  });

  test('the first goes at once', () => {
    assert.deepEqual(run(people(5), 60, 0).order.length, 1);
  });

  test('however near the deadline, no more than 20 are under way', () => {
    const { mostUnderWay, left } = run(people(200), 1, 20_000);
    assert.equal(mostUnderWay, MOVES_UNDER_WAY_MAX);
    assert.equal(left, 0);
  });

  test('time without anybody to move is not made up for', () => {
    const drains = new Drains();
    for (let nowMs = 0; nowMs < 60_000; nowMs += 250) drains.step(nowMs, BRIDGE, report(), 0, []);
    assert.equal(drains.step(60_000, BRIDGE, report(), 0, people(50)).length, 1);
  });

  test('a report that is old brings the deadline nearer, and so does a new one that says so', () => {
    const paceOf = (deadlineInMs: number, forMs: number) => {
      const drains = new Drains();
      drains.step(0, BRIDGE, report({ deadlineInMs: 600_000 }), 0, people(600));
      drains.step(250, BRIDGE, report({ deadlineInMs }), forMs, people(600));
      return drains.step(1_250, BRIDGE, report({ deadlineInMs: deadlineInMs - 1_000 }), forMs, people(600)).length;
    };
    assert.equal(paceOf(600_000, 0), 2);
    assert.ok(paceOf(600_000, 540_000) > 10);
    assert.ok(paceOf(60_000, 0) > 10);
  });
});

describe('who is moved', () => {
  test('the largest conference first, one after the other', () => {
    const own = [...people(2, 1), ...people(3, 2), ...people(3, 3)];
    const mixed = [own[0]!, own[5]!, own[2]!, own[1]!, own[6]!, own[3]!, own[7]!, own[4]!];
    const { order } = run(mixed, null, 10_000);
    assert.deepEqual(
      order.map(({ sid }) => sid),
      ['2-0', '2-1', '2-2', '3-0', '3-1', '3-2', '1-0', '1-1'],
    );
  });

  test('nobody in mode wait, though their number is told', () => {
    const drains = new Drains();
    for (let nowMs = 0; nowMs < 10_000; nowMs += 250) {
      assert.deepEqual(drains.step(nowMs, BRIDGE, report({ mode: 'wait' }), 0, people(3)), []);
    }
    assert.equal(drains.progress(BRIDGE)!.left, 3);
  });

  test('who could not be moved is tried again three seconds later, and the others do not wait', () => {
    const away: MoveOutcome = { kind: 'not-moved', reason: 'signal-away' };
    const { order, drains, left } = run(people(4), 60, 20_000, (sid, atMs) =>
      sid === '1-0' && atMs < 2_000 ? away : MOVED,
    );
    const tries = order.filter(({ sid }) => sid === '1-0').map(({ atMs }) => atMs);
    assert.deepEqual(tries, [0, 3_500]);
    assert.equal(left, 0);
    assert.deepEqual(drains.progress(BRIDGE), { left: 0, moving: 0, moved: 4, failed: 1, lastFailure: 'signal-away' });
  });

  test('who is on the way counts as there until media is up elsewhere, though its place is elsewhere already', () => {
    const drains = new Drains();
    const [first] = drains.step(0, BRIDGE, report(), 0, people(2));
    const others = people(2).filter(({ sid }) => sid !== first!.sid);
    drains.step(100, BRIDGE, report(), 0, others);
    assert.deepEqual([drains.progress(BRIDGE)!.left, drains.progress(BRIDGE)!.moving], [2, 1]);
    drains.handleOutcome(500, BRIDGE, first!.sid, { kind: 'moved', from: BRIDGE, to: BRIDGE, tookMs: 400 });
    drains.step(600, BRIDGE, report(), 0, others);
    assert.equal(drains.progress(BRIDGE)!.left, 1);
  });

  test('one who left meanwhile is no failure', () => {
    const drains = new Drains();
    drains.step(0, BRIDGE, report(), 0, people(1));
    drains.handleOutcome(500, BRIDGE, '1-0', { kind: 'not-moved', reason: 'left' });
    assert.deepEqual(drains.progress(BRIDGE)!.failed, 0);
  });
});

test('undone, it is remembered for ten minutes; begun anew it counts anew', () => {
  const drains = new Drains();
  drains.step(0, BRIDGE, report(), 0, people(3));
  drains.handleOutcome(500, BRIDGE, '1-0', MOVED);
  drains.retain(1_000, new Set());
  assert.equal(drains.progress(BRIDGE)!.moved, 1);
  drains.step(2_000, BRIDGE, report(), 0, people(2));
  assert.equal(drains.progress(BRIDGE)!.moved, 0);
  drains.retain(3_000, new Set());
  drains.retain(603_000, new Set());
  assert.equal(drains.progress(BRIDGE), undefined);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Drain, drainProblem } from './drain.ts';

test('a drain says how long it has been on, and how long it has left', () => {
  const drain = new Drain();
  assert.equal(drain.report(0), undefined);
  drain.begin(1_000, { deadlineSeconds: 60, by: 'ops' }, 12);
  assert.deepEqual(drain.report(11_000), {
    mode: 'move',
    by: 'ops',
    exit: false,
    endpointsAtStart: 12,
    forMs: 10_000,
    deadlineInMs: 50_000,
  });
});

test('asked for again it goes on, with the new deadline', () => {
  const drain = new Drain();
  drain.begin(0, { deadlineSeconds: 60 }, 12);
  drain.begin(30_000, { mode: 'wait', deadlineSeconds: 10, exit: true }, 5);
  const { mode, forMs, deadlineInMs, endpointsAtStart } = drain.report(30_000)!;
  assert.deepEqual([mode, forMs, deadlineInMs, endpointsAtStart], ['wait', 30_000, 10_000, 12]);
});

test('the process ends when the bridge is empty, or at the deadline, and only if that was asked for', () => {
  const drain = new Drain();
  drain.begin(0, { deadlineSeconds: 60, exit: true }, 2);
  assert.deepEqual([drain.isOver(1, 2), drain.isOver(1, 0), drain.isOver(60_000, 2)], [false, true, true]);
  drain.begin(0, { deadlineSeconds: 60 }, 2);
  assert.deepEqual([drain.isOver(1, 0), drain.isOver(60_000, 2)], [false, false]);
  drain.begin(0, { exit: true }, 2);
  assert.equal(drain.isOver(1e9, 2), false);
});

test('undone, it ends nothing and reports nothing', () => {
  const drain = new Drain();
  drain.begin(0, { deadlineSeconds: 1, exit: true }, 2);
  drain.undo();
  assert.deepEqual([drain.isOn, drain.isOver(5_000, 0), drain.report(5_000)], [false, false, undefined]);
});

test('what would have no effect is refused', () => {
  assert.match(drainProblem({ state: 'running', deadlineSeconds: 5 })!, /running goes without/);
  assert.match(drainProblem({ state: 'draining', mode: 'wait', deadlineSeconds: 5 })!, /needs exit/);
  assert.equal(drainProblem({ state: 'draining', mode: 'wait', deadlineSeconds: 5, exit: true }), undefined);
  assert.equal(drainProblem({ state: 'running' }), undefined);
});

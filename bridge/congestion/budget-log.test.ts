import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BudgetLog } from './budget-log.ts';

test('steps of one growth are one entry, other changes one each', () => {
  const log = new BudgetLog();
  log.add(100, 'delay-rising', Number.POSITIVE_INFINITY, 2e6, 40.123, 2.4e6);
  log.add(200, 'additive', 2e6, 2.1e6, 1, 2e6);
  log.add(300, 'additive', 2.1e6, 2.2e6, 2, 2.1e6);
  log.add(400, 'delay-rising', 2.2e6, 1.8e6, 30, 2.1e6);
  log.add(500, 'delay-rising', 1.8e6, 1.5e6, 50, 1.7e6);
  assert.deepEqual(log.changes, [
    { sinceMs: 100, atMs: 100, reason: 'delay-rising', fromBps: null, toBps: 2e6, queueMs: 40.1, deliveredBps: 2.4e6 },
    { sinceMs: 200, atMs: 300, reason: 'additive', fromBps: 2e6, toBps: 2.2e6, queueMs: 2, deliveredBps: 2.1e6 },
    { sinceMs: 400, atMs: 400, reason: 'delay-rising', fromBps: 2.2e6, toBps: 1.8e6, queueMs: 30, deliveredBps: 2.1e6 },
    { sinceMs: 500, atMs: 500, reason: 'delay-rising', fromBps: 1.8e6, toBps: 1.5e6, queueMs: 50, deliveredBps: 1.7e6 },
  ]);
});

test('the last 32 changes are kept', () => {
  const log = new BudgetLog();
  for (let change = 0; change < 100; change++) log.add(change, 'drained', change, change + 1, 0, 0);
  assert.deepEqual([log.changes.length, log.changes[0].atMs, log.changes.at(-1)?.atMs], [32, 68, 99]);
});

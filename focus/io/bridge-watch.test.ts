import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { BridgeId } from '../../protocol/ids.ts';
import { createFocusMetrics } from '../metrics.ts';
import { createMemoryStore } from '../store/memory-store.ts';
import { BRIDGE_EXPIRY_MS, type Store } from '../store/store.ts';
import { sampleReport } from '../store/store-contract.ts';
import { watchBridges } from './bridge-watch.ts';

function setUp(t: TestContext, replacement: Partial<Store> = {}) {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000 });
  const store = { ...createMemoryStore(Date.now, Math.random), ...replacement };
  const metrics = createFocusMetrics();
  const heard: string[] = [];
  const watch = watchBridges({
    store,
    metrics,
    nowMs: Date.now,
    listener: {
      bridgeUp: ({ bridgeId }) => heard.push(`up ${bridgeId}`),
      bridgeDown: ({ bridgeId }, reason) => heard.push(`down ${bridgeId} ${reason}`),
    },
  });
  t.after(() => watch.close());
  return { store, metrics, heard, watch };
}

test('a bridge that goes silent is told down when it expires, not before', async t => {
  const { heard, watch, metrics } = setUp(t);
  await watch.report(sampleReport('b1'));
  t.mock.timers.tick(BRIDGE_EXPIRY_MS - 1);
  await watch.report(sampleReport('b1'));
  t.mock.timers.tick(BRIDGE_EXPIRY_MS - 1);
  assert.deepEqual(heard, ['up b1']);
  t.mock.timers.tick(1);
  assert.deepEqual(heard, ['up b1', 'down b1 silent']);
  assert.deepEqual(watch.bridges(), []);
  assert.doesNotMatch(await metrics.registry.metrics(), /causeway_focus_bridges\{/);
});

test('a lost bridge is placed on no more at once', async t => {
  const { heard, watch, store } = setUp(t);
  await watch.report(sampleReport('b1'));
  await watch.lost('b1' as BridgeId, 'b1-boot');
  assert.deepEqual(heard, ['up b1', 'down b1 lost']);
  assert.deepEqual(await store.bridges(), []);
});

test('a listener that hears of a bridge can have somebody placed on it already', async t => {
  t.mock.timers.enable({ apis: ['Date'], now: 1_000 });
  const store = createMemoryStore(Date.now, Math.random);
  const seen: Promise<number>[] = [];
  const listener = { bridgeUp: () => seen.push(store.bridges().then(bridges => bridges.length)), bridgeDown: () => {} };
  const watch = watchBridges({ store, metrics: createFocusMetrics(), nowMs: Date.now, listener });
  t.after(() => watch.close());
  await watch.report(sampleReport('b1'));
  assert.deepEqual(await Promise.all(seen), [1]);
});

test('a bridge is known although the store is away', async t => {
  const { heard, watch } = setUp(t, { putBridge: () => Promise.reject(new Error('away')) });
  await assert.rejects(watch.report(sampleReport('b1')), /away/);
  assert.deepEqual(heard, ['up b1']);
});

test('after close nothing is told any more', async t => {
  const { heard, watch } = setUp(t);
  await watch.report(sampleReport('b1'));
  watch.close();
  t.mock.timers.tick(BRIDGE_EXPIRY_MS * 2);
  assert.deepEqual(heard, ['up b1']);
});

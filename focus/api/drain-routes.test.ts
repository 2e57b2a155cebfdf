import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fastify } from 'fastify';
import type { BridgeReport, BridgeState } from '../../protocol/control/events.ts';
import { signServiceToken } from '../../protocol/control/service-token.ts';
import { readFocusConfig } from '../config.ts';
import { asFocusError, errorBody } from '../errors.ts';
import { watchBridges } from '../io/bridge-watch.ts';
import { createFocusMetrics } from '../metrics.ts';
import { createMemoryStore } from '../store/memory-store.ts';
import { sampleReport } from '../store/store-contract.ts';
import { CONTROL_SECRET, token } from './api.fixture.ts';
import { registerDrainRoutes } from './drain-routes.ts';
import { secretKeys } from './token-keys.ts';

const DRAIN = { mode: 'move', by: 'ops', forMs: 0, deadlineInMs: 60_000, exit: false, endpointsAtStart: 7 } as const;

/** Three bridges, of which b3 does not answer; each takes what it is told. */
async function startDrains() {
  const config = readFocusConfig({ env: {}, flags: { development: true, 'control.secret': CONTROL_SECRET } });
  const store = createMemoryStore(Date.now, Math.random);
  const listener = { bridgeUp: () => {}, bridgeDown: () => {} };
  const bridges = watchBridges({ store, metrics: createFocusMetrics(), listener, nowMs: Date.now });
  for (const name of ['b1', 'b2', 'b3']) await bridges.report(sampleReport(name));
  const orders: [string, BridgeState][] = [];
  const app = fastify();
  app.setErrorHandler((error, _request, reply) => reply.code(asFocusError(error).status).send(errorBody(error)));
  registerDrainRoutes(app, {
    config,
    keys: secretKeys(config.keys),
    bridges,
    askBridge: async (bridgeId, _method, _path, body) => {
      if (bridges.bridge(bridgeId) === undefined) return undefined;
      if (bridgeId === 'b3') throw new Error('silent');
      const order = body as BridgeState;
      orders.push([bridgeId, order]);
      if (order.mode === 'wait') return { status: 400, body: { error: { message: 'a deadline needs exit' } } };
      const report: BridgeReport = sampleReport(bridgeId, { state: order.state });
      return {
        status: 200,
        body: order.state === 'running' ? report : { ...report, drain: { ...DRAIN, by: order.by } },
      };
    },
    drainProgress: async () =>
      new Map([['b1', { left: 3, moving: 1, moved: 4, failed: 1, lastFailure: 'signal-away' }]]),
    nowMs: Date.now,
  });
  const service = `Bearer ${await signServiceToken(CONTROL_SECRET, 'ops')}`;
  const ask = async (method: 'GET' | 'PUT', url: string, payload?: object, authorization = service) => {
    const answer = await app.inject({ method, url, headers: { authorization }, ...(payload ? { payload } : {}) });
    return { status: answer.statusCode, body: answer.json() };
  };
  return { ask, orders, store, bridges };
}

test('an order reaches the bridge with the name of who gave it, and placement at once', async () => {
  const { ask, orders, store } = await startDrains();
  const { status, body } = await ask('PUT', '/v1/bridges/b1/state', { state: 'draining', deadlineSeconds: 60 });
  assert.equal(status, 200);
  assert.deepEqual(orders, [['b1', { state: 'draining', deadlineSeconds: 60, by: 'ops' }]]);
  assert.deepEqual(body.drain, {
    mode: 'move',
    by: 'ops',
    exit: false,
    forSeconds: 0,
    deadlineInSeconds: 60,
    endpointsAtStart: 7,
  });
  assert.equal((await store.bridges())[0]!.report.state, 'draining');
});

test('how far it is can be asked, and it can be undone', async () => {
  const { ask, orders } = await startDrains();
  await ask('PUT', '/v1/bridges/b1/state', { state: 'draining' });
  const { body } = await ask('GET', '/v1/bridges/b1/state');
  assert.deepEqual(body.progress, { left: 3, moving: 1, moved: 4, failed: 1, lastFailure: 'signal-away' });
  const undone = await ask('PUT', '/v1/bridges/b1/state', { state: 'running' });
  assert.deepEqual([undone.body.state, undone.body.drain], ['running', null]);
  assert.deepEqual(orders.at(-1), ['b1', { state: 'running' }]);
});

test('a region is all bridges it has; those that do not answer are named', async () => {
  const { ask } = await startDrains();
  const { body } = await ask('PUT', '/v1/regions/eu/state', { state: 'draining' });
  assert.deepEqual(
    body.bridges.map(({ bridgeId, state }: { bridgeId: string; state: string }) => [bridgeId, state]),
    [
      ['b1', 'draining'],
      ['b2', 'draining'],
    ],
  );
  assert.deepEqual(body.silent, ['b3']);
  const shown = await ask('GET', '/v1/regions/eu/state');
  assert.equal(shown.body.bridges.length, 3);
});

test('what cannot be done is refused by name', async () => {
  const { ask } = await startDrains();
  const cases = [
    ['PUT', '/v1/bridges/b9/state', { state: 'draining' }, 404, 'bridge-not-found'],
    ['GET', '/v1/bridges/b9/state', undefined, 404, 'bridge-not-found'],
    ['PUT', '/v1/regions/mars/state', { state: 'draining' }, 404, 'bridge-not-found'],
    ['PUT', '/v1/bridges/b3/state', { state: 'draining' }, 503, 'bridge-unavailable'],
    ['PUT', '/v1/bridges/b1/state', { state: 'asleep' }, 400, 'invalid-request'],
    ['PUT', '/v1/bridges/b1/state', { state: 'draining', mode: 'wait', deadlineSeconds: 5 }, 400, 'invalid-request'],
    ['PUT', '/v1/regions/eu/state', { state: 'draining', mode: 'wait', deadlineSeconds: 5 }, 400, 'invalid-request'],
  ] as const;
  for (const [method, url, body, status, code] of cases) {
    const answer = await ask(method, url, body);
    assert.deepEqual([answer.status, answer.body.error.code], [status, code], `${method} ${url}`);
  }
});

test('only an operator may drain, whoever may look', async () => {
  const { ask } = await startDrains();
  const watcher = `Bearer ${await token({ roomList: true })}`;
  assert.equal((await ask('PUT', '/v1/bridges/b1/state', { state: 'draining' }, watcher)).status, 401);
  assert.equal((await ask('GET', '/v1/bridges/b1/state', undefined, watcher)).status, 200);
  const operator = `Bearer ${await token({ roomList: true, roomCreate: true })}`;
  const { body } = await ask('PUT', '/v1/bridges/b1/state', { state: 'draining' }, operator);
  assert.equal(body.drain.by, 'devkey');
});

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { pino } from 'pino';
import type { BridgeId } from '../../protocol/ids.ts';
import type { MoveCause } from '../conference/endpoint-mover.ts';
import type { Room } from '../conference/room.ts';
import { readFocusConfig } from '../config.ts';
import { createFocusMetrics } from '../metrics.ts';
import type { BridgeRecord } from '../store/store.ts';
import { sampleReport } from '../store/store-contract.ts';
import { runBridgeRedistribution } from './bridge-redistribution.ts';

/** A room with two people on b1, one of whom has two endpoints, one without signalling, and one who is forwarded there. */
function sampleRoom(metadata = '', placement: Room['properties']['placement'] = null): Room {
  const participant = (sid: string, fields: object) => [
    sid,
    { sid, bridgeId: 'b1', signalLostAtMs: null, receiving: null, forwards: null, ...fields },
  ];
  return {
    identity: { conferenceId: 1, name: 'talk' },
    properties: { metadata, placement },
    participants: new Map([
      participant('one', {}),
      participant('two', { receiving: {} }),
      participant('away', { signalLostAtMs: 1 }),
      participant('shadow', { forwards: {} }),
    ] as never),
  } as unknown as Room;
}

async function run(t: TestContext, flags: Record<string, unknown>, room = sampleRoom()) {
  t.mock.timers.enable({ apis: ['setInterval', 'Date'], now: 0 });
  const config = readFocusConfig({ env: {}, flags: { development: true, ...flags } });
  const record = (name: string, stress: number): BridgeRecord => {
    const report = sampleReport(name);
    const load = { ...report.load, stress, endpoints: 3 };
    return { bridgeId: name as BridgeId, reportedAtMs: 0, placedSinceReport: 0, report: { ...report, load } };
  };
  const metrics = createFocusMetrics();
  const orders: string[] = [];
  const redistribution = runBridgeRedistribution({
    settings: config.redistribution,
    placement: config.placement,
    store: { bridges: async () => [record('b1', 1), record('b2', 0)] },
    rooms: () => [room],
    mover: {
      moveEndpoint: async (_room, { sid }, to, cause: MoveCause) => {
        orders.push(`${sid} ${to} ${cause}`);
        return { kind: 'moved', from: 'b1' as BridgeId, to: to!, tookMs: 1 };
      },
    },
    isSuspected: () => false,
    registry: metrics.registry,
    log: pino({ level: 'silent' }),
    nowMs: Date.now,
  });
  t.after(() => redistribution.close());
  for (let looks = 0; looks < 5; looks++) {
    t.mock.timers.tick(5_000);
    await new Promise(resolve => setImmediate(resolve));
  }
  return { redistribution, orders, metrics };
}

test('switched on, it has whoever can be told moved to where there is room, and says so', async t => {
  const { redistribution, orders, metrics } = await run(t, { 'redistribution.enabled': true });
  assert.deepEqual(orders, ['one b2 redistribution', 'two b2 redistribution']);
  const { isEnabled, states, decisions } = redistribution.view();
  assert.deepEqual([isEnabled, states[0]!.state, decisions[0]!.what], [true, 'relieving', 'moved']);
  const text = await metrics.registry.metrics();
  assert.match(text, /causeway_focus_redistribution_moves_total\{outcome="moved"\} 2/);
  assert.match(text, /causeway_focus_redistribution_bridges\{state="relieving"\} 1/);
});

test('it is off unless it is switched on', async t => {
  const { redistribution, orders } = await run(t, {});
  assert.deepEqual([orders, redistribution.view().isEnabled], [[], false]);
});

test('a room that is to be on one bridge stays there', async t => {
  const room = sampleRoom(JSON.stringify({ causeway: { placement: { kind: 'single' } } }));
  const { orders, redistribution } = await run(t, { 'redistribution.enabled': true }, room);
  assert.deepEqual([orders, redistribution.view().decisions[0]!.what], [[], 'nobody-here']);
});

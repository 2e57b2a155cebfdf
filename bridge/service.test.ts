import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { pino } from 'pino';
import { DEVELOPMENT_CONTROL_SECRET } from '../protocol/control/development-secret.ts';
import type { BridgeReport } from '../protocol/control/events.ts';
import { signServiceToken } from '../protocol/control/service-token.ts';
import type { BridgePeer } from '../protocol/control/spec.ts';
import type { ConferenceId } from '../protocol/ids.ts';
import { readBridgeConfig } from './config.ts';
import { type RunningBridge, startBridge } from './service.ts';
import { TEST_DATAPATH } from './testing/datapath.ts';
import { nativeResources } from './testing/native-resources.ts';

const LOOPBACK = '127.0.0.1';
const CONFERENCE = 7 as ConferenceId;

const running = new Set<RunningBridge>();

/** Closed when the test ends, if it is not by then. */
async function start(context: TestContext, bridgeId: string, octoAdvertisedPort = 0): Promise<RunningBridge> {
  const config = readBridgeConfig({
    yaml: '',
    env: {},
    flags: {
      bridge_id: bridgeId,
      development: true,
      datapath: TEST_DATAPATH.name,
      'rtc.udp_port': 0,
      'rtc.bind_address': LOOPBACK,
      'octo.port': 0,
      'octo.bind_address': LOOPBACK,
      'octo.address': LOOPBACK,
      'octo.advertised_port': octoAdvertisedPort,
      'control.port': 0,
      'control.bind_address': LOOPBACK,
      'focus.urls': [],
    },
  });
  const bridge = await startBridge(config, pino({ level: 'silent' }));
  running.add(bridge);
  context.after(() => stop(bridge));
  return bridge;
}

async function stop(bridge: RunningBridge): Promise<void> {
  if (running.delete(bridge)) await bridge.close();
}

/** As a focus would tell the others of it. */
async function peerOf(bridge: RunningBridge): Promise<BridgePeer> {
  const authorization = `Bearer ${await signServiceToken(DEVELOPMENT_CONTROL_SECRET, 'focus-1')}`;
  const response = await fetch(`${bridge.controlUrl}/v1/bridge`, { headers: { authorization } });
  return ((await response.json()) as BridgeReport).peer;
}

test('a bridge announces its own Octo port, or the one that it is told others see', async context => {
  const [plain, mapped] = [await start(context, 'a'), await start(context, 'b', 30_096)];
  const ports = [await peerOf(plain), await peerOf(mapped)].map(({ octo }) => octo.port);
  assert.deepEqual(ports, [plain.octoPort, 30_096]);
  assert.notEqual(mapped.octoPort, 30_096);
});

test('bridges that were linked and then closed leave no key and no slot behind', { timeout: 20_000 }, async context => {
  const before = nativeResources();
  const bridges = [await start(context, 'a'), await start(context, 'b')];
  const spec = { version: 1, bridges: await Promise.all(bridges.map(peerOf)), endpoints: [] };
  for (const { bridge } of bridges) bridge.putConference(CONFERENCE, spec);
  const isUp = () => bridges.every(({ bridge }) => bridge.describeLinks().some(link => link.state === 'up'));
  while (!isUp()) await wait(5);
  if (TEST_DATAPATH.name === 'fast') {
    assert.ok(nativeResources().contexts >= before.contexts + 4, 'two directions on each side');
    assert.ok(nativeResources().slots >= before.slots + 8, 'two ports of each bridge');
  }
  for (const bridge of bridges) await stop(bridge);
  assert.deepEqual(nativeResources(), before);
});

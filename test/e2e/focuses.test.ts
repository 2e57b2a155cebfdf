/** Two focuses on one Redis, a bridge, and stock clients at both: one meeting, which goes on when the focus that serves it is killed. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { RoomEvent } from '@livekit/rtc-node';
import { RoomServiceClient } from 'livekit-server-sdk';
import { pino } from 'pino';
import { readBridgeConfig } from '../../bridge/config.ts';
import { type RunningBridge, startBridge } from '../../bridge/service.ts';
import { readFocusConfig } from '../../focus/config.ts';
import { CuttableProxy } from '../../focus/io/cuttable-proxy.fixture.ts';
import { type RunningFocus, startFocus } from '../../focus/service.ts';
import { type RedisServer, startRedis } from '../../focus/store/redis/redis-server.fixture.ts';
import { API_KEY, API_SECRET, Client } from './client.ts';
import { eventually } from './eventually.ts';

const SECRET = 'a control secret of more than 32 characters';
const ROOM = 'shared';
/** Clients show 30 frames a second; a gap of so long is one that people see. */
const GAP_MS_MAX = 1_000;
const log = pino({ level: process.env['TEST_LOG_LEVEL'] ?? 'silent' });

describe('a meeting at two focuses', { timeout: 120_000 }, () => {
  let redis: RedisServer;
  let bridge: RunningBridge;
  const focuses = new Map<string, RunningFocus>();
  const clients: Client[] = [];
  /** What a load balancer is: clients keep its URL while the focus behind it changes. */
  const front = new CuttableProxy();
  let frontUrl: string;

  before(async () => {
    redis = await startRedis();
    frontUrl = (await front.start()).replace('http', 'ws');
    for (const name of ['one', 'two']) {
      const flags = { focus_id: name, port: 0, bind_addresses: ['127.0.0.1'], development: true, region: 'eu' };
      const shared = { 'redis.address': redis.address, 'control.secret': SECRET };
      const config = readFocusConfig({ env: {}, flags: { ...flags, ...shared } });
      focuses.set(name, await startFocus(config, log.child({ focus: name })));
    }
    bridge = await startBridge(
      readBridgeConfig({
        env: {},
        flags: {
          bridge_id: 'eu-1',
          region: 'eu',
          development: true,
          'rtc.udp_port': 0,
          'octo.port': 0,
          'octo.bind_address': '127.0.0.1',
          'octo.address': '127.0.0.1',
          'control.port': 0,
          'control.bind_address': '127.0.0.1',
          'control.secret': SECRET,
          'focus.urls': [...focuses.values()].map(({ url }) => url),
        },
      }),
      log,
    );
    await eventually('the bridge is known', 10_000, () => bridge.isRegistered);
  });

  after(async () => {
    await Promise.allSettled(clients.map(client => client.close()));
    for (const focus of focuses.values()) await focus.close();
    await bridge.close();
    await front.close();
    await redis.stop();
  });

  async function join(identity: string, url: string): Promise<Client> {
    const client = new Client(identity, clients.length, other => clients.findIndex(one => one.identity === other));
    clients.push(client);
    return client.connect(url.replace('http', 'ws'), ROOM);
  }

  const see = (viewer: Client, identity: string, frames: number) =>
    eventually(`${viewer.identity} sees ${identity}`, 20_000, () => (viewer.seen.get(identity)?.frames ?? 0) > frames);

  test('media is unbroken when the focus that serves it dies, and everybody is there afterwards', async t => {
    const [one, two] = [focuses.get('one')!, focuses.get('two')!];
    front.to(one.url);
    const ada = await join('ada', frontUrl);
    const bob = await join('bob', two.url);
    await ada.publishCamera();
    await bob.publishCamera();
    await Promise.all([see(bob, 'ada', 30), see(ada, 'bob', 30)]);
    assert.equal(one.host.rooms().length, 1);
    assert.equal(two.host.rooms().length, 0, 'bob is relayed');
    const sids = clients.map(({ room }) => room.localParticipant!.sid);
    const left: string[] = [];
    for (const { room } of clients) room.on(RoomEvent.ParticipantDisconnected, ({ identity }) => left.push(identity));

    const killedAt = performance.now();
    focuses.delete('one');
    front.to(two.url);
    await one.kill();
    await eventually('the room is at the other focus', 20_000, () => two.host.rooms().length === 1);
    const [room] = two.host.rooms();
    const areBack = () => [...room!.participants.values()].every(({ signalLostAtMs }) => signalLostAtMs === null);
    await eventually('both have resumed', 30_000, () => room!.participants.size === 2 && areBack());
    t.diagnostic(`both had resumed ${Math.round(performance.now() - killedAt)} ms after the kill`);

    const carol = await join('carol', two.url);
    await carol.publishCamera();
    await Promise.all([see(ada, 'carol', 10), see(bob, 'carol', 10), see(carol, 'ada', 10)]);
    for (const [viewer, identity] of [
      [bob, 'ada'],
      [ada, 'bob'],
    ] as const) {
      const { shownAtMs } = viewer.seen.get(identity)!;
      const gapMs = longestGapMs(shownAtMs.filter(atMs => atMs > killedAt - GAP_MS_MAX));
      const beforeMs = longestGapMs(shownAtMs.filter(atMs => atMs < killedAt));
      t.diagnostic(
        `${viewer.identity} sees ${identity}: longest gap since ${gapMs} ms, before the kill ${beforeMs} ms`,
      );
      assert.ok(gapMs < GAP_MS_MAX, `${gapMs} ms`);
    }
    assert.deepEqual(left, []);
    assert.deepEqual(
      [ada, bob].map(({ room: { localParticipant } }) => localParticipant!.sid),
      sids,
    );
    assert.deepEqual(
      [ada, bob].map(({ disconnectedBecause }) => disconnectedBecause),
      [undefined, undefined],
    );
    const listed = await new RoomServiceClient(two.url, API_KEY, API_SECRET).listParticipants(ROOM);
    assert.deepEqual(listed.map(({ identity }) => identity).toSorted(), ['ada', 'bob', 'carol']);
  });
});

function longestGapMs(times: readonly number[]): number {
  return Math.round(Math.max(...times.slice(1).map((atMs, index) => atMs - times[index]!)));
}

/** The store goes away and comes back: killed, frozen, failed over, its slot moved. With real servers and the upkeep of a running focus. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { FocusError } from '../../../errors.ts';
import type { AssignRequest } from '../../store.ts';
import { sampleReport } from '../../store-contract.ts';
import {
  freePort,
  type RedisServers,
  startRedis,
  startRedisCluster,
  startSentinelTrio,
} from '../redis-server.fixture.ts';
import { targetOf } from '../redis-store.fixture.ts';
import { type OpenStore, openRedisStore } from './open-redis-store.ts';

interface RunningStore extends OpenStore {
  readonly registry: Registry;
  value(metric: string, labels?: Readonly<Record<string, string>>): Promise<number>;
}

async function open(keys: Readonly<Record<string, unknown>>, focusId = 'focus-1'): Promise<RunningStore> {
  const registry = new Registry();
  const opened = await openRedisStore({
    target: targetOf({ read_timeout: 1_000, ...keys }),
    focusId,
    registry,
    log: pino({ level: 'silent' }),
    nowMs: Date.now,
    random: Math.random,
  });
  return {
    ...opened,
    registry,
    async value(metric, labels = {}) {
      const { values } = await registry.getSingleMetric(`causeway_focus_store_${metric}`)!.get();
      const matching = values.filter(one => Object.entries(labels).every(([key, value]) => one.labels[key] === value));
      return matching.reduce((sum, one) => sum + one.value, 0);
    },
  };
}

async function place({ store }: RunningStore, identity: string, room = 'talk') {
  const request: AssignRequest = {
    room,
    createAs: { roomSid: 'RM_1' },
    identity,
    sid: `PA_${identity}_${room}`,
    region: 'eu',
    owner: 'focus-1',
    participantsMax: 0,
  };
  const assigned = await store.assign(request, ({ bridges }) => ({ bridgeId: bridges[0]?.bridgeId ?? null }));
  assert.ok(assigned.kind === 'placed', assigned.kind);
  return assigned;
}

/** Until it does not reject; the test's own time-out is the limit. */
async function eventually(work: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      await work();
      return;
    } catch {
      await new Promise(resolve => setTimeout(resolve, 20));
    }
  }
}

const isUnavailable = (error: unknown) => error instanceof FocusError && error.code === 'store-unavailable';

/** Each method rejects by itself: a hanging one fails the test. */
async function assertAway(running: RunningStore): Promise<void> {
  const { store } = running;
  await assert.rejects(store.ping(), isUnavailable);
  await assert.rejects(store.putBridge(sampleReport('b1')), isUnavailable);
  await assert.rejects(store.bridges(), isUnavailable);
  await assert.rejects(store.conferences(), isUnavailable);
  await assert.rejects(place(running, 'late', 'unknown'), isUnavailable);
}

async function assertRestored(running: RunningStore, identities: readonly string[]): Promise<void> {
  await eventually(async () => {
    const conference = await running.store.conference('talk');
    const there = await running.store.participants(conference!.conferenceId);
    assert.deepEqual(
      there.map(({ identity }) => identity),
      identities,
    );
  });
}

test('a server that dies and comes back empty: joins to rooms of the focus go on, and what it has is back without a restart', async () => {
  const server = await startRedis();
  const running = await open({ address: server.address });
  try {
    await running.store.putBridge(sampleReport('b1'));
    await place(running, 'ann');
    assert.equal(await running.value('connected'), 1);
    await server.kill();
    await eventually(() => assert.rejects(running.store.ping(), isUnavailable));
    await assertAway(running);
    await eventually(async () => assert.equal(await running.value('connected'), 0));
    assert.ok((await running.value('round_trips_total', { script: 'assign', result: 'error' })) >= 1);
    const away = [await place(running, 'bob'), await place(running, 'cat')];
    assert.equal(new Set(away.map(({ participant }) => participant.endpointId)).size, 2);
    assert.equal(await running.value('local_operations_total', { operation: 'join', reason: 'away' }), 2);
    const { conferenceId, endpointId, sid } = away[0]!.participant;
    assert.ok(await running.store.release(conferenceId, endpointId, sid));
    await server.restart();
    await eventually(() => running.store.ping());
    assert.equal(await running.value('connected'), 1);
    await assertRestored(running, ['ann', 'cat']);
    await running.store.putBridge(sampleReport('b1'));
    const dan = await place(running, 'dan');
    assert.ok(dan.participant.endpointId > away[1]!.participant.endpointId);
    await assertRestored(running, ['ann', 'cat', 'dan']);
    assert.equal(await running.value('restored_participants_total'), 2);
  } finally {
    await running.close();
    await server.stop();
  }
});

test('a server that is there but does not answer: what needs it rejects after read_timeout, joins at home wait no longer than their patience', async () => {
  const server = await startRedis();
  const running = await open({ address: server.address, read_timeout: 300, assign_patience_ms: 50 });
  try {
    await running.store.putBridge(sampleReport('b1'));
    const ann = await place(running, 'ann');
    server.freeze();
    await assertAway(running);
    assert.ok((await running.value('round_trips_total', { script: 'assign', result: 'timeout' })) >= 1);
    const bob = await place(running, 'bob');
    assert.equal(await running.value('local_operations_total', { operation: 'join', reason: 'slow' }), 1);
    server.thaw();
    await eventually(() => running.store.ping());
    // Whoever was given up may be placed by the thawed server all the same: in a room of the home that is made good by the next turn, ...
    await assertRestored(running, ['ann', 'bob']);
    await eventually(async () =>
      assert.deepEqual(await running.store.participants(ann.conference.conferenceId), [
        ann.participant,
        bob.participant,
      ]),
    );
    // ... and who came to an unknown one is taken back.
    await eventually(async () => {
      const opened = await running.store.conference('unknown');
      assert.deepEqual(opened === undefined ? [] : await running.store.participants(opened.conferenceId), []);
    });
  } finally {
    await running.close();
    await server.stop();
  }
});

test('a focus starts without its store and has it when it comes', async () => {
  const port = await freePort();
  const running = await open({ address: `127.0.0.1:${port}`, dial_timeout: 100 });
  await assert.rejects(running.store.ping(), isUnavailable);
  const server = await startRedis([], undefined, {}, port);
  try {
    await eventually(() => running.store.ping());
    await running.store.putBridge(sampleReport('b1'));
    await place(running, 'ann');
  } finally {
    await running.close();
    await server.stop();
  }
});

test('what a focus gives back at its end is gone at once, for others too', async () => {
  const server = await startRedis();
  const [one, other] = [await open({ address: server.address }), await open({ address: server.address }, 'focus-2')];
  try {
    await one.store.putBridge(sampleReport('b1'));
    await place(one, 'ann');
    await one.store.releaseOwner('focus-1');
    await one.close();
    assert.deepEqual(await other.store.conferences(), []);
  } finally {
    await other.close();
    await server.stop();
  }
});

test('a master that dies behind Sentinels: the replica that takes over has everything, and joins go on', async t => {
  const trio = await startSentinelTrio();
  const running = await open({ sentinel_addresses: trio.addresses, sentinel_master_name: trio.masterName });
  try {
    await running.store.putBridge(sampleReport('b1'));
    await place(running, 'ann');
    const killedAtMs = Date.now();
    await trio.master.kill();
    await eventually(() => assert.rejects(running.store.ping(), isUnavailable));
    await eventually(() => running.store.ping());
    await eventually(() => running.store.putBridge(sampleReport('b1')));
    t.diagnostic(`written to again ${Date.now() - killedAtMs} ms after the master was killed`);
    await place(running, 'bob');
    await assertRestored(running, ['ann', 'bob']);
  } finally {
    await running.close();
    await trio.stop();
  }
});

test('a slot that moves to another node of a cluster while people join: each join waits or fails, nothing is doubled or lost', async t => {
  const cluster = await startRedisCluster();
  const running = await open({ cluster_addresses: cluster.addresses, key_prefix: 'moving', read_timeout: 5_000 });
  try {
    await running.store.putBridge(sampleReport('b1'));
    const placed = [(await place(running, 'p0')).conference.conferenceId];
    const moved = moveSlot(cluster, 'moving');
    let isMoved = false;
    moved.then(() => {
      isMoved = true;
    });
    for (let index = 1; !isMoved || index < 5; index++) {
      placed.push((await place(running, `p${index}`)).conference.conferenceId);
    }
    await moved;
    await place(running, 'last');
    assert.equal(new Set(placed).size, 1);
    const there = await running.store.participants(placed[0]!);
    assert.equal(there.length, placed.length + 1);
    t.diagnostic(`${placed.length} joins while the slot moved`);
    assert.equal(await running.value('round_trips_total', { result: 'error' }), 0);
  } finally {
    await running.close();
    await cluster.stop();
  }
});

/** As `redis-cli --cluster reshard` moves it, with a pause in the middle. */
async function moveSlot({ servers }: RedisServers, prefix: string): Promise<void> {
  const slot = Number(await servers[0]!.command('CLUSTER', 'KEYSLOT', `{${prefix}}`));
  const ids = await Promise.all(servers.map(async server => String(await server.command('CLUSTER', 'MYID'))));
  const from = [5460, 10922, 16383].findIndex(last => slot <= last);
  const to = (from + 1) % 3;
  await servers[to]!.command('CLUSTER', 'SETSLOT', slot, 'IMPORTING', ids[from]!);
  await servers[from]!.command('CLUSTER', 'SETSLOT', slot, 'MIGRATING', ids[to]!);
  const keys = (await servers[from]!.command('CLUSTER', 'GETKEYSINSLOT', slot, 1_000)) as string[];
  for (const [index, key] of keys.entries()) {
    if (index === Math.floor(keys.length / 2)) await new Promise(resolve => setTimeout(resolve, 300));
    await servers[from]!.command('MIGRATE', '127.0.0.1', servers[to]!.port, key, 0, 5_000);
  }
  for (const index of [to, from, 3 - to - from]) {
    await servers[index]!.command('CLUSTER', 'SETSLOT', slot, 'NODE', ids[to]!);
  }
}

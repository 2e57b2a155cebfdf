/** A focus that is gone: its conferences go on at another, and nobody leaves. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ParticipantInfo_State } from '@livekit/protocol';
import { signServiceToken } from '../../protocol/control/service-token.ts';
import type { BridgeId } from '../../protocol/ids.ts';
import { FakeBridge } from './fake-bridge.fixture.ts';
import { eventually } from './focus.fixture.ts';
import { type FocusInNetwork, joinActive, resume, SECRET, sawLeave, withNetwork } from './network.fixture.ts';
import { accessToken, SignalClient } from './signal-client.fixture.ts';

/** Whether that focus has taken a bridge for dead. */
async function isBridgeDown({ url }: FocusInNetwork, bridgeId: string): Promise<boolean> {
  const headers = { authorization: `Bearer ${await signServiceToken(SECRET, 'test')}` };
  const answer = await fetch(`${url}/v1/bridge-health`, { headers });
  const { changes } = (await answer.json()) as { readonly changes: readonly { bridgeId: string; state: string }[] };
  return changes.some(change => change.bridgeId === bridgeId && change.state === 'down');
}

test('a home dies: its clients and those relayed to it resume elsewhere, with the same SIDs, and nobody sees a leave', () =>
  withNetwork(['one', 'two', 'three'], async (network, one, two, three) => {
    const alice = await joinActive(network, one, 'alice');
    const bob = await joinActive(network, two, 'bob');
    const before = [...network.bridge.endpoints.keys()].sort();
    const [conferenceId] = network.bridge.conferences.keys();

    await network.kill(one);
    await Promise.all([alice.client.closed, bob.client.closed]);
    const [aliceAgain, bobAgain] = await Promise.all([resume(three, 'alice', alice.sid), resume(two, 'bob', bob.sid)]);
    const home = await network.memory.owner('talk');
    assert.ok(home === 'two' || home === 'three', `home: ${home}`);
    await aliceAgain.until('update', ({ participants }) => participants.some(({ sid }) => sid === bob.sid));

    await network.report();
    const carol = await SignalClient.join(two.url, 'carol');
    await aliceAgain.until('update', ({ participants }) => participants[0]?.identity === 'carol');
    await bobAgain.until('update', ({ participants }) => participants[0]?.identity === 'carol');
    for (const client of [aliceAgain, bobAgain]) for (const { sid } of [alice, bob]) assert.ok(!sawLeave(client, sid));
    assert.ok(
      before.every(endpoint => network.bridge.endpoints.has(endpoint)),
      'the bridge lost nobody',
    );
    assert.deepEqual([...network.bridge.conferences.keys()], [conferenceId]);
    carol.close();
  }));

test('who does not come back after a takeover times out as any other', () =>
  withNetwork(
    ['one', 'two'],
    async (network, one, two) => {
      const alice = await joinActive(network, one, 'alice');
      const bob = await joinActive(network, two, 'bob');
      await network.kill(one);
      const bobAgain = await resume(two, 'bob', bob.sid);
      await bobAgain.until('update', ({ participants }) =>
        participants.some(({ sid, state }) => sid === alice.sid && state === ParticipantInfo_State.DISCONNECTED),
      );
      await eventually(async () => (await network.memory.participants('talk')).join() === 'bob');
      bobAgain.close();
    },
    { 'signal.resume_timeout_ms': 300 },
  ));

test('a conference whose clients are all away is taken over by the heir, without any of them asking', () =>
  withNetwork(['one', 'two', 'three'], async (network, one, two) => {
    const bob = await joinActive(network, two, 'bob');
    await joinActive(network, one, 'alice');
    assert.equal(await network.memory.owner('talk'), 'two');
    await network.kill(two);
    await bob.client.closed;
    await eventually(async () => (await network.memory.owner('talk')) !== 'two');
  }));

test('a home that is cut off is given up after 3 s; when it is back it drops the room without a word to the bridge', t =>
  withNetwork(['one', 'two'], async (network, one, two) => {
    const alice = await joinActive(network, one, 'alice');
    const bob = await joinActive(network, two, 'bob');
    const startedAt = performance.now();
    network.memory.away.add('one');
    one.way.freeze();
    await bob.client.closed;
    const bobAgain = await resume(two, 'bob', bob.sid);
    t.diagnostic(`resumed ${((performance.now() - startedAt) / 1000).toFixed(1)} s after the home was cut off`);
    assert.equal(await network.memory.owner('talk'), 'two');
    assert.equal(one.focus.host.rooms().length, 1, 'it does not know yet');

    network.memory.away.delete('one');
    one.way.mend();
    network.touch(one);
    await alice.client.closed;
    assert.equal(one.focus.host.rooms().length, 0);
    assert.equal(network.bridge.endpoints.size, 2);
    const aliceAgain = await resume(one, 'alice', alice.sid);
    await aliceAgain.until('update', ({ participants }) => participants.some(({ sid }) => sid === bob.sid));
    assert.ok(!sawLeave(bobAgain, alice.sid));
    aliceAgain.close();
  }));

test('a home that the store does not know any more is asked itself, and keeps its rooms while it answers', () =>
  withNetwork(['one', 'two'], async (network, one, two) => {
    const alice = await joinActive(network, one, 'alice');
    // Both have heard of each other by now, as focuses do each second.
    await eventually(() => (network.memory.calls.get('focuses') ?? 0) >= 4);
    network.memory.forget('one');
    const bob = await joinActive(network, two, 'bob');
    assert.equal(await network.memory.owner('talk'), 'one');
    assert.equal(two.focus.host.rooms().length, 0);
    assert.ok(!sawLeave(alice.client, alice.sid));
    await network.kill(one);
    await bob.client.closed;
    const again = await resume(two, 'bob', bob.sid);
    assert.equal(await network.memory.owner('talk'), 'two', 'and it is taken over once nobody answers there');
    again.close();
  }));

test('a join that is on its way to a home that dies goes on at the entry', () =>
  withNetwork(['one', 'two'], async (network, one, two) => {
    await joinActive(network, one, 'alice');
    await network.kill(one);
    const bob = await SignalClient.open(two.url, await accessToken({ identity: 'bob' }));
    const joined = await bob.next('join');
    assert.deepEqual(
      joined.otherParticipants.map(({ identity }) => identity),
      ['alice'],
    );
    assert.equal(await network.memory.owner('talk'), 'two');
    bob.close();
  }));

test('a focus that was restarted under its name takes its conferences back', () =>
  withNetwork(['one'], async (network, one) => {
    const alice = await joinActive(network, one, 'alice');
    await network.kill(one);
    const again = await network.startFocus('one');
    assert.equal(again.focus.host.rooms()[0].participants.get('alice')?.sid, alice.sid);
    const client = await resume(again, 'alice', alice.sid);
    client.close();
  }));

test('with the store away a room goes on, and what happened is written when the store is back', () =>
  withNetwork(['one', 'two'], async (network, one, two) => {
    const alice = await joinActive(network, one, 'alice');
    network.memory.away.add('one');
    const { host } = one.focus;
    host.room('talk')!.properties.metadata = 'while it was away';
    host.apply(host.room('talk')!);
    await eventually(() => network.memory.refused('one', 'saveRoom') > 1);
    network.memory.away.delete('one');
    await network.settled();
    await network.kill(one);
    const again = await resume(two, 'alice', alice.sid);
    assert.equal((await again.next('roomUpdate')).room?.metadata, 'while it was away');
    again.close();
  }));

test('a process that was held up asks whether its rooms are still its own before it does anything by itself', t =>
  withNetwork(['one'], async (network, one) => {
    const alice = await joinActive(network, one, 'alice');
    await network.memory.steal('talk', 'other');
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
    t.mock.timers.tick(3_600_000);
    const { reason } = await alice.client.closed;
    assert.equal(reason, 'another focus serves this room now');
    assert.equal(one.focus.host.rooms().length, 0);
    assert.equal(network.bridge.endpoints.size, 1, 'the bridge was not told anything');
  }));

test('media that comes up while nobody is home is heard of by the next home, and so is media that ends', () =>
  withNetwork(['one', 'two'], async (network, one, two) => {
    const bob = await joinActive(network, one, 'bob');
    const alice = await SignalClient.open(one.url, await accessToken({ identity: 'alice' }));
    const { sid } = (await alice.next('join')).participant!;
    await eventually(() => network.bridge.endpoints.size === 2);
    await network.settled();
    await network.kill(one);
    const [conferenceId] = network.bridge.conferences.keys();
    const tell = (endpointId: string, state: 'connected' | 'gone') =>
      network.bridge.emit({ kind: 'endpoint', conferenceId: conferenceId!, endpointId, state, reason: '' });
    tell('00000001', 'gone');
    tell('00000002', 'connected');
    const aliceAgain = await resume(two, 'alice', sid);
    assert.ok(network.participant('bob') !== undefined, 'nobody knows yet that his media has ended');
    await eventually(() => network.participant('alice')?.state === 'active');
    await eventually(() => sawLeave(aliceAgain, bob.sid));
    aliceAgain.close();
  }));

test('whom the snapshot does not have loses endpoints and place, and who is elsewhere than the store says stays there', () =>
  withNetwork(['one', 'two'], async (network, one, two) => {
    const alice = await joinActive(network, one, 'alice');
    const bob = await joinActive(network, one, 'bob');
    const store = network.memory.of('one');
    const { conferenceId } = one.focus.host.room('talk')!.identity;
    const records = await store.participants(conferenceId);
    const aliceRecord = records.find(({ identity }) => identity === 'alice')!;
    const other = new FakeBridge('eu-2', 'eu', SECRET);
    await other.start();
    await store.putBridge(other.report);
    await store.move(aliceRecord, () => ({ bridgeId: 'eu-2' as BridgeId }));
    await store.saveRoom(conferenceId, new Map([['00000002', Uint8Array.of(0)]]));
    const spec = network.bridge.endpoints.get('00000002')!;
    network.bridge.endpoints.set('80000002', spec);

    await network.kill(one);
    const aliceAgain = await resume(two, 'alice', alice.sid);
    await eventually(async () => (await store.participants(conferenceId))[0]?.bridgeId === 'eu-1');
    assert.ok(network.bridge.endpoints.has('00000002'), 'it may be handed over yet');
    await eventually(() => network.bridge.endpoints.size === 1);
    await eventually(async () => (await network.memory.participants('talk')).join() === 'alice');
    assert.equal(two.focus.host.room('talk')!.withSid(bob.sid), undefined);
    aliceAgain.close();
    await other.close();
  }));

test('participants whose bridge has died together with their home are moved to another', t =>
  withNetwork(['one', 'two'], async (network, one, two) => {
    const alice = await joinActive(network, one, 'alice');
    const other = new FakeBridge('eu-2', 'eu', SECRET);
    await other.start();
    await network.kill(one);
    await network.bridge.close();
    await eventually(() => isBridgeDown(two, 'eu-1'));
    await other.register(two.url);
    const aliceAgain = await resume(two, 'alice', alice.sid);
    const startedAt = performance.now();
    await eventually(async () => {
      await other.register(two.url);
      return other.endpoints.has('00000001');
    });
    t.diagnostic(`moved ${((performance.now() - startedAt) / 1000).toFixed(1)} s after the takeover`);
    aliceAgain.close();
    await other.close();
  }));

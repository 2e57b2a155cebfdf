/** A focus that is gone: its conferences go on at another, and nobody leaves. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ParticipantInfo_State } from '@livekit/protocol';
import { eventually } from './focus.fixture.ts';
import { joinActive, resume, sawLeave, withNetwork } from './network.fixture.ts';
import { accessToken, SignalClient } from './signal-client.fixture.ts';

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

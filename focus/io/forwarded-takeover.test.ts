/** Participants that are forwarded to a second room, when the home of the rooms changes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RoomServiceClient } from 'livekit-server-sdk';
import { eventually } from './focus.fixture.ts';
import {
  type FocusInNetwork,
  joinActive,
  type NetworkUnderTest,
  resume,
  sawLeave,
  withNetwork,
} from './network.fixture.ts';
import { accessToken, SignalClient } from './signal-client.fixture.ts';

/** Only one room has two. */
const SHADOW_ENDPOINT = '00000002';
const inRoom = (room: string) => ({ roomJoin: true, room });

/** Ann is in `talk` and forwarded to `stage`, where Bob is; both rooms are at `home`, and the store knows all of it. */
async function forwarded(network: NetworkUnderTest, home: FocusInNetwork) {
  const ann = await joinActive(network, home, 'ann');
  const bob = await SignalClient.open(home.url, await accessToken({ identity: 'bob', video: inRoom('stage') }));
  const bobSid = (await bob.next('join')).participant!.sid;
  await eventually(() => {
    network.bridge.connectAll();
    return network.participant('bob')?.state === 'active';
  });
  await new RoomServiceClient(home.url, 'devkey', 'secret').forwardParticipant('talk', 'ann', 'stage');
  const { participants } = await bob.until('update', ({ participants: [one] }) => one?.identity === 'ann');
  await eventually(() => network.bridge.endpoints.has(SHADOW_ENDPOINT));
  await network.settled();
  return { ann, bob: { client: bob, sid: bobSid }, shadowSid: participants[0]!.sid };
}

async function resumeBob(at: FocusInNetwork, sid: string): Promise<SignalClient> {
  const token = await accessToken({ identity: 'bob', video: inRoom('stage') });
  const client = await SignalClient.open(at.url, token, { reconnect: true, participantSid: sid });
  await client.next('reconnect');
  return client;
}

const shadowAt = ({ focus }: FocusInNetwork) => focus.host.room('stage')?.participants.get('ann');

test('a forwarding goes on where both rooms are taken over, under the same SID, and ends with its original', () =>
  withNetwork(['one', 'two'], async (network, one, two) => {
    const { ann, bob, shadowSid } = await forwarded(network, one);
    await network.kill(one);
    const annAgain = await resume(two, 'ann', ann.sid);
    const bobAgain = await resumeBob(two, bob.sid);
    await eventually(() => shadowAt(two)?.sid === shadowSid);
    assert.ok(!sawLeave(bobAgain, shadowSid));
    const api = new RoomServiceClient(two.url, 'devkey', 'secret');
    await api.updateParticipant('talk', 'ann', { name: 'Ann' });
    await bobAgain.until('update', ({ participants }) =>
      participants.some(one => one.sid === shadowSid && one.name === 'Ann'),
    );
    await api.removeParticipant('talk', 'ann');
    await eventually(() => sawLeave(bobAgain, shadowSid));
    await eventually(async () => (await network.memory.participants('stage')).join() === 'bob');
    await eventually(() => !network.bridge.endpoints.has(SHADOW_ENDPOINT));
    for (const client of [annAgain, bobAgain]) client.close();
  }));

test('a shadow whose original has left while nobody was home leaves, and so do its endpoint and place', () =>
  withNetwork(['one', 'two'], async (network, one, two) => {
    const { ann, bob, shadowSid } = await forwarded(network, one);
    const { conferenceId } = one.focus.host.room('talk')!.identity;
    const { endpointId } = one.focus.host.room('talk')!.participants.get('ann')!;
    await network.kill(one);
    await network.memory.of('two').release(conferenceId, endpointId, ann.sid);
    const bobAgain = await resumeBob(two, bob.sid);
    await eventually(() => sawLeave(bobAgain, shadowSid));
    await eventually(async () => (await network.memory.participants('stage')).join() === 'bob');
    await eventually(() => !network.bridge.endpoints.has(SHADOW_ENDPOINT));
    bobAgain.close();
  }));

test('rooms that are handed over one after the other keep what is forwarded between them', () =>
  withNetwork(['one', 'two'], async (network, one, two) => {
    const { ann, bob, shadowSid } = await forwarded(network, one);
    await Promise.all([one.focus.leave(), ann.client.closed, bob.client.closed]);
    network.forget(one);
    const bobAgain = await resumeBob(two, bob.sid);
    const annAgain = await resume(two, 'ann', ann.sid);
    await eventually(() => shadowAt(two)?.sid === shadowSid);
    await new RoomServiceClient(two.url, 'devkey', 'secret').removeParticipant('talk', 'ann');
    await eventually(() => sawLeave(bobAgain, shadowSid));
    for (const client of [annAgain, bobAgain]) client.close();
    await one.way.close();
  }));

test('a room that goes to another focus alone leaves no shadow behind for longer than the other may take to follow', t =>
  withNetwork(['one'], async (network, one) => {
    const { bob, shadowSid } = await forwarded(network, one);
    t.mock.timers.enable({ apis: ['setTimeout'] });
    one.focus.host.dropRoom(one.focus.host.room('talk')!);
    t.mock.timers.tick(9_999);
    assert.equal(shadowAt(one)?.sid, shadowSid, 'it may follow yet');
    t.mock.timers.tick(1);
    assert.equal(shadowAt(one), undefined);
    t.mock.timers.reset();
    await eventually(() => sawLeave(bob.client, shadowSid));
    await eventually(() => !network.bridge.endpoints.has(SHADOW_ENDPOINT));
  }));

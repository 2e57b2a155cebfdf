import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConnectionQuality, ParticipantInfo_State } from '@livekit/protocol';
import { type BridgeId, formatId } from '../../protocol/ids.ts';
import { type ConferenceEvent, handleBridgeEvent } from './bridge-events.ts';
import type { Participant } from './participant.ts';
import { pathsFrom } from './paths.ts';
import { EVERYTHING, TestRoom } from './room.fixture.ts';

const EU = 'eu-1' as BridgeId;
const US = 'us-1' as BridgeId;
const conferenceId = formatId(new TestRoom().room.identity.conferenceId);

function tell(world: TestRoom, bridgeId: BridgeId, event: ConferenceEvent): void {
  handleBridgeEvent(world.room, world.nowMs, bridgeId, event);
  world.settle();
}

function endpoint(participant: Participant, state: 'new' | 'connected' | 'gone' | 'failed'): ConferenceEvent {
  return { kind: 'endpoint', conferenceId, endpointId: formatId(participant.endpointId), state, reason: '' };
}

function quality(participant: Participant, rttMs: number | null, word: 'good' | 'poor' = 'good') {
  const endpointId = formatId(participant.endpointId);
  return { endpointId, quality: word, score: 4, rttMs, lossUp: 0, lossDown: 0 };
}

test('a bridge is believed about its own endpoints only', () => {
  const world = new TestRoom();
  const alice = world.join('alice', { bridgeId: EU });
  tell(world, US, endpoint(alice, 'connected'));
  assert.equal(alice.state, 'joined');
  tell(world, EU, endpoint(alice, 'new'));
  assert.equal(alice.state, 'joined');
  tell(world, EU, endpoint(alice, 'connected'));
  assert.equal(alice.state, 'active');
});

test('media that comes back in time is no end', () => {
  const world = new TestRoom();
  const alice = world.join('alice', { bridgeId: EU });
  tell(world, EU, endpoint(alice, 'gone'));
  assert.notEqual(alice.mediaGoneAtMs, null);
  tell(world, EU, endpoint(alice, 'connected'));
  assert.equal(alice.mediaGoneAtMs, null);
});

test('clients hear of speakers from their own bridge, and of those who have stopped', () => {
  const world = new TestRoom();
  const alice = world.join('alice', { bridgeId: EU });
  const bob = world.join('bob', { bridgeId: US });
  const ghost = world.join('ghost', { permissions: { ...EVERYTHING, hidden: true } });
  const loud = (...who: Participant[]): ConferenceEvent => ({
    kind: 'speakers',
    conferenceId,
    speakers: who.map(each => ({ endpointId: formatId(each.endpointId), level: 0.5, active: true })),
  });
  const told = () =>
    world.last(alice, 'speakersChanged')?.speakers.map(({ sid, active, level }) => [sid, active, level]);

  tell(world, EU, loud(bob, alice, ghost));
  assert.deepEqual(told(), [
    [bob.sid, true, 0.5],
    [alice.sid, true, 0.5],
  ]);
  assert.equal(world.sent(bob, 'speakersChanged').length, 0);
  tell(world, EU, loud(alice));
  assert.deepEqual(told(), [
    [alice.sid, true, 0.5],
    [bob.sid, false, 0],
  ]);
  tell(world, EU, loud());
  assert.deepEqual(told(), [[alice.sid, false, 0]]);
  world.clear();
  tell(world, EU, loud());
  assert.deepEqual(world.outputs, []);
});

test('everybody hears of a change of quality, once', () => {
  const world = new TestRoom();
  const alice = world.join('alice', { bridgeId: EU });
  const bob = world.join('bob', { bridgeId: US });
  const report = (word: 'good' | 'poor') =>
    tell(world, EU, { kind: 'quality', conferenceId, endpoints: [quality(alice, 10, word)], links: [] });
  report('good');
  report('good');
  report('poor');
  const told = world.sent(bob, 'connectionQuality').flatMap(({ updates }) => updates);
  assert.deepEqual(
    told.map(update => [update.participantSid, update.quality]),
    [
      [alice.sid, ConnectionQuality.GOOD],
      [alice.sid, ConnectionQuality.POOR],
    ],
  );
});

test('a path is the sum of both client hops and the link between, null while a part is unknown', () => {
  const world = new TestRoom();
  const alice = world.join('alice', { bridgeId: EU });
  const bob = world.join('bob', { bridgeId: US, region: 'us', bridgeRegion: 'us' });
  const carol = world.join('carol', { bridgeId: EU });
  world.join('ghost', { permissions: { ...EVERYTHING, hidden: true } });
  const links = [{ bridgeId: US, rttMs: 90, state: 'up' }];
  tell(world, EU, { kind: 'quality', conferenceId, endpoints: [quality(alice, 10), quality(carol, null)], links });
  tell(world, US, { kind: 'quality', conferenceId, endpoints: [quality(bob, 7)], links: [] });
  assert.deepEqual(pathsFrom(world.room, alice), {
    summary: { participants: 3, bridges: 2, regions: 2 },
    participants: [
      { identity: 'bob', region: 'us', bridge: US, rttMs: { own: 10, link: 90, theirs: 7, total: 107 } },
      { identity: 'carol', region: 'eu', bridge: EU, rttMs: { own: 10, link: 0, theirs: null, total: null } },
    ],
  });
  const [{ rttMs }] = pathsFrom(world.room, bob).participants;
  assert.deepEqual(rttMs, { own: 7, link: 90, theirs: 10, total: 107 }, 'either end of a link may have measured it');
});

test('others see when media is up', () => {
  const world = new TestRoom();
  const alice = world.join('alice', { bridgeId: EU });
  const bob = world.join('bob', { bridgeId: EU });
  tell(world, EU, endpoint(bob, 'connected'));
  assert.equal(world.last(alice, 'update')?.participants[0].state, ParticipantInfo_State.ACTIVE);
});

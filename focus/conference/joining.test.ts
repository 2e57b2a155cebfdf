import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  AddTrackRequest,
  DisconnectReason,
  LeaveRequest_Action,
  ParticipantInfo_State,
  SessionDescription,
  SyncState,
  TrackInfo,
  TrackPublishedResponse,
  TrackType,
  UpdateSubscription,
} from '@livekit/protocol';
import type { BridgeId } from '../../protocol/ids.ts';
import { activate, handleSignalLost, LEFT_BY_ITSELF, leave, resume, syncState } from './joining.ts';
import { handleOffer } from './negotiating.ts';
import { offerSdp } from './offer.fixture.ts';
import type { Participant } from './participant.ts';
import { addTrack } from './publishing.ts';
import { EVERYTHING, TestRoom } from './room.fixture.ts';
import { handleTimeout } from './timeouts.ts';

function publishMicrophone(world: TestRoom, participant: Participant, cid: string): string {
  addTrack(world.room, participant, new AddTrackRequest({ cid, type: TrackType.AUDIO }));
  const sdp = offerSdp({ tracks: [{ kind: 'audio', cid }] });
  handleOffer(world.room, participant, new SessionDescription({ type: 'offer', sdp, id: 1 }));
  world.settle();
  return participant.publications.published()[0].sid;
}

function pass(world: TestRoom, ms: number): void {
  world.nowMs += ms;
  handleTimeout(world.room, world.nowMs);
  world.settle();
}

test('a join response names the room, the others, the bridge and its region', () => {
  const world = new TestRoom();
  world.join('alice');
  const bob = world.join('bob', { bridgeId: 'us-1' as BridgeId, region: 'us', bridgeRegion: 'us' });
  const response = world.last(bob, 'join');
  assert.equal(response?.room?.name, 'talk');
  assert.equal(response?.participant?.identity, 'bob');
  assert.deepEqual(
    response?.otherParticipants.map(({ identity }) => identity),
    ['alice'],
  );
  assert.equal(response?.serverInfo?.region, 'us');
  assert.equal(response?.serverInfo?.nodeId, 'us-1');
  assert.match(response?.serverInfo?.version ?? '', /^1\.(8|9|\d\d)\./, 'SDKs refuse remote procedure calls below 1.8');
  assert.equal(response?.subscriberPrimary, false);
  assert.deepEqual(response?.participant?.attributes, { 'causeway.region': 'us', 'causeway.bridge': 'us-1' });
});

test('the others hear of a join at once, and of its media when the bridge has it', () => {
  const world = new TestRoom();
  const alice = world.join('alice');
  const bob = world.join('bob');
  assert.equal(world.last(alice, 'update')?.participants[0].state, ParticipantInfo_State.JOINED);
  activate(world.room, bob);
  world.settle();
  const update = world.last(alice, 'update')?.participants[0];
  assert.equal(update?.state, ParticipantInfo_State.ACTIVE);
  assert.ok(
    world
      .sent(alice, 'update')
      .every(({ participants }, i, all) => i === 0 || participants[0].version > all[i - 1].participants[0].version),
  );
});

test('the mesh document has every participant with its bridge, and follows leaves', () => {
  const world = new TestRoom();
  const alice = world.join('alice');
  world.join('bob', { bridgeId: 'us-1' as BridgeId });
  const documents = () => world.outputs.flatMap(output => (output.kind === 'conference' ? [output.document] : []));
  assert.deepEqual(documents().at(-1), {
    bridgeIds: ['eu-1', 'us-1'],
    endpoints: [
      { endpointId: '00000001', bridgeId: 'eu-1', identity: 'alice' },
      { endpointId: '00000002', bridgeId: 'us-1', identity: 'bob' },
    ],
    unannounced: new Set(),
  });
  world.clear();
  leave(world.room, world.nowMs, alice, LEFT_BY_ITSELF);
  world.settle();
  assert.deepEqual(documents().at(-1)?.bridgeIds, ['us-1']);
  const kinds = world.outputs.map(({ kind }) => kind);
  assert.ok(kinds.includes('endpoint-removed') && kinds.includes('conference-removed'));
});

test('a second join of an identity sends the first away with DUPLICATE_IDENTITY, and others see both', () => {
  const world = new TestRoom();
  const watcher = world.join('watcher');
  const first = world.join('alice');
  world.clear();
  const second = world.join('alice');
  const goodbye = world.last(first, 'leave');
  assert.equal(goodbye?.reason, DisconnectReason.DUPLICATE_IDENTITY);
  assert.equal(goodbye?.action, LeaveRequest_Action.DISCONNECT);
  assert.ok(world.outputs.some(output => output.kind === 'close-signal' && output.participantSid === first.sid));
  const seen = world.sent(watcher, 'update').flatMap(({ participants }) => participants);
  assert.deepEqual(
    seen.map(({ sid, state }) => [sid, state]),
    [
      [first.sid, ParticipantInfo_State.DISCONNECTED],
      [second.sid, ParticipantInfo_State.JOINED],
    ],
  );
  assert.equal(world.room.participants.size, 2);
});

test('hidden participants are neither announced nor listed nor counted', () => {
  const world = new TestRoom();
  const alice = world.join('alice');
  const ghost = world.join('ghost', { permissions: { ...EVERYTHING, hidden: true } });
  const bob = world.join('bob');
  assert.ok(
    world.sent(alice, 'update').every(({ participants }) => participants.every(({ identity }) => identity !== 'ghost')),
  );
  assert.deepEqual(
    world.last(bob, 'join')?.otherParticipants.map(({ identity }) => identity),
    ['alice'],
  );
  assert.equal(world.room.info().numParticipants, 2);
  assert.deepEqual(
    world.last(ghost, 'join')?.otherParticipants.map(({ identity }) => identity),
    ['alice'],
  );
});

test('a participant whose socket drops before its media is up is gone at once', () => {
  const world = new TestRoom();
  const alice = world.join('alice');
  handleSignalLost(world.room, world.nowMs, alice);
  world.settle();
  assert.equal(world.room.participants.size, 0);
});

test('a participant whose socket drops keeps its place and its media, until the resume timeout', () => {
  const world = new TestRoom();
  const bob = world.join('bob');
  activate(world.room, bob);
  const alice = world.join('alice');
  activate(world.room, alice);
  const sid = publishMicrophone(world, alice, 'mic');
  handleSignalLost(world.room, world.nowMs, alice);
  pass(world, 14_999);
  assert.ok(bob.subscriptions.active.has(sid));
  pass(world, 1);
  const update = world.last(bob, 'update')?.participants[0];
  assert.equal(update?.state, ParticipantInfo_State.DISCONNECTED);
  assert.equal(update?.disconnectReason, DisconnectReason.SIGNAL_CLOSE);
  assert.equal(bob.subscriptions.active.has(sid), false);
});

test('with neither socket nor media a participant does not wait for the resume timeout', () => {
  const world = new TestRoom();
  const alice = world.join('alice');
  activate(world.room, alice);
  world.room.measurements.set(alice.endpointId, { quality: 'lost', score: 1, rttMs: null });
  handleSignalLost(world.room, world.nowMs, alice);
  pass(world, 1_000);
  assert.equal(world.room.participants.size, 0);
});

test('a resume is the same participant, and tells it what it missed: who left, who is there, the room', () => {
  const world = new TestRoom();
  const alice = world.join('alice');
  const bob = world.join('bob');
  activate(world.room, alice);
  handleSignalLost(world.room, world.nowMs, alice);
  leave(world.room, world.nowMs, bob, LEFT_BY_ITSELF);
  world.join('carol');
  world.clear();
  resume(world.room, alice);
  world.settle();
  assert.equal(world.last(alice, 'reconnect')?.serverInfo?.nodeId, 'eu-1');
  const told = world.sent(alice, 'update').flatMap(({ participants }) => participants);
  assert.deepEqual(
    told.map(({ identity, state }) => [identity, ParticipantInfo_State[state]]),
    [
      ['bob', 'DISCONNECTED'],
      ['alice', 'ACTIVE'],
      ['carol', 'JOINED'],
    ],
  );
  assert.equal(world.last(alice, 'roomUpdate')?.room?.name, 'talk');
  pass(world, 60_000);
  assert.ok(world.room.participants.has('alice'));
});

test('a client that resumes with tracks we do not know has to start anew', () => {
  const world = new TestRoom();
  const alice = world.join('alice');
  const sid = publishMicrophone(world, alice, 'mic');
  const published = (track: string) => new TrackPublishedResponse({ cid: 'c', track: new TrackInfo({ sid: track }) });
  syncState(world.room, world.nowMs, alice, new SyncState({ publishTracks: [published(sid)] }));
  assert.equal(alice.state, 'joined');
  syncState(world.room, world.nowMs, alice, new SyncState({ publishTracks: [published('TR_other')] }));
  world.settle();
  assert.equal(world.last(alice, 'leave')?.action, LeaveRequest_Action.RECONNECT);
  assert.equal(world.last(alice, 'leave')?.reason, DisconnectReason.STATE_MISMATCH);
});

test('the subscriptions of a sync state are taken over, and its disabled tracks', () => {
  const world = new TestRoom();
  const alice = world.join('alice');
  const sid = publishMicrophone(world, alice, 'mic');
  const bob = world.join('bob');
  syncState(world.room, world.nowMs, bob, new SyncState({ trackSidsDisabled: [sid] }));
  assert.equal(bob.subscriptions.settings(sid).isDisabled, true);
  const subscription = new UpdateSubscription({ trackSids: [sid], subscribe: false });
  syncState(world.room, world.nowMs, bob, new SyncState({ subscription }));
  assert.equal(bob.subscriptions.active.size, 0);
});

test('media that never connects ends in JOIN_FAILURE, media that ends in a full reconnect', () => {
  const world = new TestRoom();
  const slow = world.join('slow');
  const cut = world.join('cut');
  activate(world.room, cut);
  cut.mediaGoneAtMs = world.nowMs;
  pass(world, 1_000);
  assert.equal(world.last(cut, 'leave')?.action, LeaveRequest_Action.RECONNECT);
  pass(world, 14_000);
  assert.equal(world.last(slow, 'leave')?.reason, DisconnectReason.JOIN_FAILURE);
});

test('a token is refreshed when it joins, at intervals, and when what it says has changed', () => {
  const world = new TestRoom();
  const alice = world.join('alice');
  activate(world.room, alice);
  const refreshes = () => world.outputs.filter(({ kind }) => kind === 'refresh-token').length;
  pass(world, 1);
  assert.equal(refreshes(), 1);
  pass(world, 299_998);
  assert.equal(refreshes(), 1);
  pass(world, 2);
  assert.equal(refreshes(), 2);
});

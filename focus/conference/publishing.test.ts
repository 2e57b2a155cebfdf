import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  AddTrackRequest,
  MuteTrackRequest,
  RequestResponse_Reason,
  SessionDescription,
  TrackSource,
  TrackType,
} from '@livekit/protocol';
import { handleOffer } from './negotiating.ts';
import { type OfferedTrack, offerSdp } from './offer.fixture.ts';
import type { Participant } from './participant.ts';
import { changePermissions } from './profile.ts';
import { addTrack, handleSource, mute, muteByServer } from './publishing.ts';
import { EVERYTHING, TestRoom } from './room.fixture.ts';

function announce(world: TestRoom, participant: Participant, request: Partial<AddTrackRequest>): void {
  addTrack(world.room, participant, new AddTrackRequest({ type: TrackType.AUDIO, ...request }));
  world.settle();
}

function offer(world: TestRoom, participant: Participant, tracks: OfferedTrack[]): void {
  const sdp = offerSdp({ tracks });
  handleOffer(world.room, participant, new SessionDescription({ type: 'offer', sdp, id: 1 }));
  world.settle();
}

function refusal(world: TestRoom, participant: Participant): string {
  const response = world.last(participant, 'requestResponse');
  return response === undefined ? 'none' : RequestResponse_Reason[response.reason];
}

test('an announced track is confirmed with the SID that it will have', () => {
  const world = new TestRoom();
  const alice = world.join('alice');
  announce(world, alice, { cid: 'cam', type: TrackType.VIDEO, source: TrackSource.CAMERA, name: 'face' });
  const response = world.last(alice, 'trackPublished');
  assert.equal(response?.cid, 'cam');
  assert.match(response?.track?.sid ?? '', /^TR_VC[2-9A-Za-z]{12}$/);
  assert.equal(response?.track?.name, 'face');
  assert.equal(response?.track?.stream, 'camera');
});

test('what the grants do not allow is refused with NOT_ALLOWED: publishing at all, or that source', () => {
  const world = new TestRoom();
  const mute = world.join('mute', { permissions: { ...EVERYTHING, canPublish: false } });
  announce(world, mute, { cid: 'mic', source: TrackSource.MICROPHONE });
  assert.equal(refusal(world, mute), 'NOT_ALLOWED');
  const sources = [TrackSource.MICROPHONE];
  const talker = world.join('talker', { permissions: { ...EVERYTHING, canPublishSources: sources } });
  announce(world, talker, { cid: 'mic', source: TrackSource.MICROPHONE });
  assert.equal(refusal(world, talker), 'none');
  announce(world, talker, { cid: 'cam', type: TrackType.VIDEO, source: TrackSource.CAMERA });
  assert.equal(refusal(world, talker), 'NOT_ALLOWED');
  assert.equal(world.last(talker, 'requestResponse')?.request.case, 'addTrack');
});

test('more pending tracks than the limit are refused; negotiated ones do not count', () => {
  const world = new TestRoom({ pendingTracksMax: 2 });
  const alice = world.join('alice');
  announce(world, alice, { cid: 'a' });
  announce(world, alice, { cid: 'b' });
  announce(world, alice, { cid: 'c' });
  assert.equal(refusal(world, alice), 'LIMIT_EXCEEDED');
  offer(world, alice, [{ kind: 'audio', cid: 'a' }]);
  world.clear();
  announce(world, alice, { cid: 'c' });
  assert.equal(refusal(world, alice), 'none');
});

test('data tracks and second codecs are refused as unsupported', () => {
  const world = new TestRoom();
  const alice = world.join('alice');
  announce(world, alice, { cid: 'a', type: TrackType.DATA });
  assert.equal(refusal(world, alice), 'UNSUPPORTED_TYPE');
  announce(world, alice, { cid: 'b', sid: 'TR_known' });
  assert.equal(refusal(world, alice), 'UNSUPPORTED_TYPE');
});

test('a track of a cid in use waits, and is confirmed when the other one has ended', () => {
  const world = new TestRoom();
  const alice = world.join('alice');
  announce(world, alice, { cid: 'mic' });
  offer(world, alice, [{ kind: 'audio', cid: 'mic' }]);
  const [first] = alice.publications.published();
  announce(world, alice, { cid: 'mic' });
  assert.equal(refusal(world, alice), 'QUEUED');
  world.clear();
  offer(world, alice, [{ kind: 'audio', cid: 'mic', direction: 'inactive' }]);
  const confirmed = world.last(alice, 'trackPublished')?.track?.sid;
  assert.ok(confirmed !== undefined && confirmed !== first.sid);
  offer(world, alice, [
    { kind: 'audio', cid: 'mic', direction: 'inactive' },
    { kind: 'audio', cid: 'mic' },
  ]);
  assert.equal(alice.publications.published()[0].sid, confirmed);
});

test('a mute is seen by everybody and stops the source at its bridge', () => {
  const world = new TestRoom();
  const alice = world.join('alice');
  const bob = world.join('bob');
  announce(world, alice, { cid: 'mic' });
  offer(world, alice, [{ kind: 'audio', cid: 'mic' }]);
  const [{ sid }] = alice.publications.published();
  mute(world.room, alice, new MuteTrackRequest({ sid, muted: true }));
  world.settle();
  assert.equal(world.last(bob, 'update')?.participants[0].tracks[0].muted, true);
  assert.equal(world.document(alice).sources[0].muted, true);
});

test('a track announced as muted is published muted', () => {
  const world = new TestRoom();
  const alice = world.join('alice');
  announce(world, alice, { cid: 'mic', muted: true });
  offer(world, alice, [{ kind: 'audio', cid: 'mic' }]);
  assert.equal(world.document(alice).sources[0].muted, true);
});

test('a mute of a track that is not there is answered with NOT_FOUND', () => {
  const world = new TestRoom();
  const alice = world.join('alice');
  mute(world.room, alice, new MuteTrackRequest({ sid: 'TR_none', muted: true }));
  world.settle();
  assert.equal(refusal(world, alice), 'NOT_FOUND');
});

test('a mute by the server tells the publisher to do it', () => {
  const world = new TestRoom();
  const alice = world.join('alice');
  announce(world, alice, { cid: 'mic' });
  offer(world, alice, [{ kind: 'audio', cid: 'mic' }]);
  const [track] = alice.publications.published();
  muteByServer(world.room, alice, track, true);
  world.settle();
  assert.deepEqual([world.last(alice, 'mute')?.sid, world.last(alice, 'mute')?.muted], [track.sid, true]);
});

test('a revoked permission ends tracks: for the publisher, for subscribers, at the bridge', () => {
  const world = new TestRoom();
  const alice = world.join('alice');
  const bob = world.join('bob');
  announce(world, alice, { cid: 'mic' });
  offer(world, alice, [{ kind: 'audio', cid: 'mic' }]);
  offer(world, bob, []);
  const [{ sid }] = alice.publications.published();
  assert.equal(bob.subscriptions.active.size, 1);
  changePermissions(world.room, alice, { ...EVERYTHING, canPublish: false });
  world.settle();
  assert.equal(world.last(alice, 'trackUnpublished')?.trackSid, sid);
  assert.equal(bob.subscriptions.active.size, 0);
  assert.deepEqual(world.document(alice).sources, []);
  assert.equal(world.last(alice, 'update')?.participants[0].permission?.canPublish, false);
});

test('source ids go round, so that a new track is not taken for the one before', () => {
  const world = new TestRoom();
  const alice = world.join('alice');
  announce(world, alice, { cid: 'a' });
  offer(world, alice, [{ kind: 'audio', cid: 'a' }]);
  offer(world, alice, [{ kind: 'audio', cid: 'a', direction: 'inactive' }]);
  announce(world, alice, { cid: 'b' });
  offer(world, alice, [
    { kind: 'audio', cid: 'a', direction: 'inactive' },
    { kind: 'audio', cid: 'b' },
  ]);
  assert.equal(world.document(alice).sources[0].sourceId, 1);
});

test('the codec that the bridge sees is the one that others are told', () => {
  const world = new TestRoom();
  const alice = world.join('alice');
  const bob = world.join('bob');
  announce(world, alice, { cid: 'mic' });
  offer(world, alice, [{ kind: 'audio', cid: 'mic' }]);
  assert.equal(world.last(bob, 'update')?.participants[0].tracks[0].mimeType, 'audio/red');
  handleSource(world.room, alice, 0, 'opus');
  world.settle();
  assert.equal(world.last(bob, 'update')?.participants[0].tracks[0].mimeType, 'audio/opus');
});

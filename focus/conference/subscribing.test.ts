import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  AddTrackRequest,
  SessionDescription,
  SubscriptionError,
  SubscriptionPermission,
  TrackPermission,
  TrackType,
  UpdateSubscription,
  UpdateTrackSettings,
  VideoLayer,
  VideoQuality,
} from '@livekit/protocol';
import { LEFT_BY_ITSELF, leave } from './joining.ts';
import { handleOffer } from './negotiating.ts';
import { offerSdp } from './offer.fixture.ts';
import type { Participant, ParticipantInit } from './participant.ts';
import { addTrack } from './publishing.ts';
import { EVERYTHING, TestRoom } from './room.fixture.ts';
import { updateSubscriptionPermission, updateSubscriptions, updateTrackSettings } from './subscribing.ts';

const LAYERS = [
  new VideoLayer({ quality: VideoQuality.LOW, width: 320, height: 180 }),
  new VideoLayer({ quality: VideoQuality.MEDIUM, width: 640, height: 360 }),
  new VideoLayer({ quality: VideoQuality.HIGH, width: 1280, height: 720 }),
];

/** Alice with a camera, and a subscriber that has offered sections. */
function meeting(options: Partial<ParticipantInit> = {}) {
  const world = new TestRoom();
  const alice = world.join('alice');
  addTrack(world.room, alice, new AddTrackRequest({ cid: 'cam', type: TrackType.VIDEO, layers: LAYERS }));
  offer(world, alice, offerSdp({ tracks: [{ kind: 'video', cid: 'cam', rids: ['q', 'h', 'f'] }] }));
  const bob = world.join('bob', options);
  offer(world, bob, offerSdp());
  return { world, alice, bob, sid: alice.publications.published()[0].sid };
}

function offer(world: TestRoom, participant: Participant, sdp: string): void {
  handleOffer(world.room, participant, new SessionDescription({ type: 'offer', sdp, id: 1 }));
  world.settle();
}

function subscribe(world: TestRoom, participant: Participant, trackSids: string[], isWanted: boolean): void {
  updateSubscriptions(world.room, participant, new UpdateSubscription({ trackSids, subscribe: isWanted }));
  world.settle();
}

function projection(world: TestRoom, participant: Participant) {
  return world.document(participant).projections[0];
}

test('without auto-subscribe nothing is received until it is asked for', () => {
  const { world, bob, sid } = meeting({ autoSubscribe: false });
  assert.equal(bob.subscriptions.active.size, 0);
  subscribe(world, bob, [sid], true);
  assert.deepEqual([...bob.subscriptions.active.keys()], [sid]);
  assert.equal(world.sent(bob, 'mediaSectionsRequirement').length, 1);
});

test('an unsubscribed track stays so, whatever else happens to it', () => {
  const { world, alice, bob, sid } = meeting();
  subscribe(world, bob, [sid], false);
  assert.deepEqual(world.document(bob).projections, []);
  updateSubscriptionPermission(world.room, alice, new SubscriptionPermission({ allParticipants: true }));
  world.settle();
  assert.equal(bob.subscriptions.active.size, 0);
});

test('a wish for a track that is not there is answered so, an unwish is not', () => {
  const { world, bob } = meeting();
  subscribe(world, bob, ['TR_none'], false);
  assert.equal(world.sent(bob, 'subscriptionResponse').length, 0);
  subscribe(world, bob, ['TR_none'], true);
  const response = world.last(bob, 'subscriptionResponse');
  assert.equal(response?.trackSid, 'TR_none');
  assert.equal(response?.err, SubscriptionError.SE_TRACK_NOTFOUND);
});

test('a participant that may not subscribe receives nothing, even if it asks', () => {
  const { world, bob, sid } = meeting({ permissions: { ...EVERYTHING, canSubscribe: false } });
  subscribe(world, bob, [sid], true);
  assert.equal(bob.subscriptions.active.size, 0);
});

test("a publisher's permissions end and start subscriptions, and the subscriber is told of each change once", () => {
  const { world, alice, bob, sid } = meeting();
  const only = (participantIdentity: string, rule: Partial<TrackPermission>) =>
    new SubscriptionPermission({ trackPermissions: [new TrackPermission({ participantIdentity, ...rule })] });
  const allowed = () => world.sent(bob, 'subscriptionPermissionUpdate').map(update => update.allowed);

  updateSubscriptionPermission(world.room, alice, only('carol', { allTracks: true }));
  world.settle();
  assert.equal(bob.subscriptions.active.size, 0);
  updateSubscriptionPermission(world.room, alice, only('bob', { trackSids: ['TR_other'] }));
  world.settle();
  assert.deepEqual(allowed(), [false]);
  updateSubscriptionPermission(world.room, alice, only('bob', { trackSids: [sid] }));
  world.settle();
  assert.equal(bob.subscriptions.active.size, 1);
  assert.deepEqual(allowed(), [false, true]);
});

test('a recorder is not held by permissions that publishers give', () => {
  const { world, alice, bob } = meeting({ permissions: { ...EVERYTHING, recorder: true } });
  updateSubscriptionPermission(world.room, alice, new SubscriptionPermission());
  world.settle();
  assert.equal(bob.subscriptions.active.size, 1);
});

test('track settings choose the layer: by quality, or by the size it is shown in', () => {
  const { world, bob, sid } = meeting();
  const layerFor = (settings: Partial<UpdateTrackSettings>) => {
    const request = new UpdateTrackSettings({ trackSids: [sid], ...settings });
    updateTrackSettings(world.room, bob, request);
    world.settle();
    return projection(world, bob).layerMax;
  };
  assert.equal(layerFor({ quality: VideoQuality.LOW }), 0);
  assert.equal(layerFor({ quality: VideoQuality.MEDIUM }), 1);
  assert.equal(layerFor({ quality: VideoQuality.HIGH }), 2);
  assert.equal(layerFor({ width: 200, height: 112 }), 0);
  assert.equal(layerFor({ width: 700, height: 394 }), 1, 'a tenth larger than the layer is not seen');
  assert.equal(layerFor({ width: 900, height: 506 }), 2);
  assert.equal(layerFor({ width: 4000, height: 2250 }), 2);
});

test('a disabled track keeps its projection, which sends nothing', () => {
  const { world, bob, sid } = meeting();
  assert.equal(projection(world, bob).enabled, true);
  updateTrackSettings(world.room, bob, new UpdateTrackSettings({ trackSids: [sid], disabled: true }));
  world.settle();
  assert.equal(projection(world, bob).enabled, false);
});

test('a wish for fewer frames becomes a temporal layer', () => {
  const { world, bob, sid } = meeting();
  const temporal = [0, 30, 15, 7].map(fps => {
    updateTrackSettings(world.room, bob, new UpdateTrackSettings({ trackSids: [sid], fps, quality: 2 }));
    world.settle();
    return projection(world, bob).temporalMax;
  });
  assert.deepEqual(temporal, [3, 3, 1, 0]);
});

test('settings that change nothing lead to no new document', () => {
  const { world, bob, sid } = meeting();
  world.clear();
  updateTrackSettings(world.room, bob, new UpdateTrackSettings({ trackSids: [sid], quality: VideoQuality.HIGH }));
  world.settle();
  assert.deepEqual(world.outputs, []);
});

test('a track that ends before its publisher had the answer leaves no subscription behind', () => {
  const world = new TestRoom();
  const alice = world.join('alice');
  addTrack(world.room, alice, new AddTrackRequest({ cid: 'cam', type: TrackType.VIDEO }));
  const sdp = offerSdp({ tracks: [{ kind: 'video', cid: 'cam' }] });
  handleOffer(world.room, alice, new SessionDescription({ type: 'offer', sdp, id: 1 }));
  world.settleUnanswered();
  // Who comes now is not subscribed to what nobody has been told of.
  const bob = world.join('bob');
  leave(world.room, world.nowMs, alice, LEFT_BY_ITSELF);
  world.settle();
  assert.deepEqual([...bob.subscriptions.active.keys()], []);
});

/** Participants that are in a second room: what is seen of them there, and when it ends. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  AddTrackRequest,
  DisconnectReason,
  MuteTrackRequest,
  type ParticipantInfo,
  ParticipantInfo_KindDetail,
  ParticipantInfo_State,
  SessionDescription,
  SubscriptionPermission,
  TrackPermission,
  TrackType,
  VideoLayer,
} from '@livekit/protocol';
import type { BridgeId, EndpointId } from '../../protocol/ids.ts';
import { Forwarding } from './forwarding.ts';
import { activate, LEFT_BY_ITSELF, leave } from './joining.ts';
import { handleOffer } from './negotiating.ts';
import { offerSdp } from './offer.fixture.ts';
import type { Participant } from './participant.ts';
import { changePermissions, changeProfile } from './profile.ts';
import { addTrack, mute } from './publishing.ts';
import { EVERYTHING, TestRoom } from './room.fixture.ts';
import { updateSubscriptionPermission } from './subscribing.ts';

const SHADOW = { sid: 'PA_shadow', endpointId: 99 as EndpointId };

/** Ann is in `talk` and forwarded to `other`, where Bob is. */
function world(options: Parameters<TestRoom['join']>[1] = {}) {
  const talk = new TestRoom();
  const other = new TestRoom({}, { name: 'other', id: 8 });
  const ann = talk.join('ann', { name: 'Ann', metadata: 'm', attributes: { a: '1' }, ...options });
  const bob = other.join('bob');
  const begin = () => Forwarding.begin(talk.room, ann, other.room, other.nowMs, SHADOW);
  const follow = (forwarding: Forwarding) => {
    talk.settle();
    const followed = forwarding.follow(other.nowMs);
    other.settle();
    return followed;
  };
  return { talk, other, ann, bob, begin, follow };
}

function publishTracks(room: TestRoom, publisher: Participant, cids: readonly string[]): void {
  for (const cid of cids) {
    const type = cid === 'cam' ? TrackType.VIDEO : TrackType.AUDIO;
    const layers = [new VideoLayer({ quality: 0, width: 320 }), new VideoLayer({ quality: 1, width: 640 })];
    addTrack(room.room, publisher, new AddTrackRequest({ cid, type, ...(cid === 'cam' ? { layers } : {}) }));
  }
  offer(room, publisher, cids);
}

function offer({ room }: TestRoom, publisher: Participant, cids: readonly string[]): void {
  const tracks = cids.map(cid => ({ kind: cid === 'cam' ? ('video' as const) : ('audio' as const), cid }));
  handleOffer(room, publisher, new SessionDescription({ type: 'offer', sdp: offerSdp({ tracks }), id: 1 }));
}

/** What Bob was told of her last. */
function seen(other: TestRoom, bob: Participant): ParticipantInfo {
  return other.last(bob, 'update')!.participants[0];
}

test('she is seen in the other room as she is, under a SID of her own, with the tracks that she has', () => {
  const { talk, other, ann, bob, begin } = world();
  publishTracks(talk, ann, ['mic', 'cam']);
  talk.settle();
  const { shadow } = begin();
  other.settle();
  const info = seen(other, bob);
  assert.deepEqual(
    [info.sid, info.identity, info.name, info.metadata, info.attributes['a'], info.kind],
    ['PA_shadow', 'ann', 'Ann', 'm', '1', ann.info().kind],
  );
  assert.deepEqual(info.kindDetails, [ParticipantInfo_KindDetail.FORWARDED]);
  assert.deepEqual(ann.info().kindDetails, []);
  const [mic, cam] = ann.publications.published();
  assert.deepEqual(
    info.tracks.map(({ type, layers }) => [type, layers.length]),
    [
      [TrackType.AUDIO, 0],
      [TrackType.VIDEO, 2],
    ],
  );
  for (const [index, { sid }] of [mic, cam].entries()) {
    assert.notEqual(info.tracks[index].sid, sid);
    assert.equal(info.tracks[index].sid.slice(0, 4), sid.slice(0, 4));
  }
  const document = other.document(shadow);
  assert.deepEqual(document.forwards, { conferenceId: '00000007', endpointId: '00000001' });
  assert.deepEqual(document.sources, talk.document(ann).sources);
  assert.equal(talk.document(ann).forwards, undefined);
  assert.equal(bob.subscriptions.active.size, 2);
  assert.equal(shadow.subscriptions.active.size, 0);
  assert.deepEqual(
    other.outputs.filter(output => output.kind === 'signal' && output.participantSid === shadow.sid),
    [],
    'nobody is there to be told anything',
  );
});

test('tracks that begin, are muted and end in her room do so in the other', () => {
  const { talk, other, ann, bob, begin, follow } = world();
  const forwarding = begin();
  other.settle();
  assert.deepEqual(seen(other, bob).tracks, []);
  publishTracks(talk, ann, ['mic']);
  assert.equal(forwarding.follow(other.nowMs), 'unchanged', "what her bridge has not taken yet is nobody else's");
  assert.equal(follow(forwarding), 'changed');
  const [track] = seen(other, bob).tracks;
  assert.equal(bob.subscriptions.active.has(track.sid), true);

  mute(talk.room, ann, new MuteTrackRequest({ sid: ann.publications.published()[0].sid, muted: true }));
  assert.equal(follow(forwarding), 'changed');
  assert.deepEqual([seen(other, bob).tracks[0].sid, seen(other, bob).tracks[0].muted], [track.sid, true]);
  assert.equal(other.document(forwarding.shadow).sources[0].muted, true);
  assert.equal(follow(forwarding), 'unchanged');

  offer(talk, ann, []);
  assert.equal(follow(forwarding), 'changed');
  assert.deepEqual(seen(other, bob).tracks, []);
  assert.equal(bob.subscriptions.active.size, 0);
  assert.deepEqual(other.document(forwarding.shadow).sources, []);
  const notices = other.outputs.flatMap(output => (output.kind === 'notice' ? output.notice.event : []));
  assert.deepEqual(
    notices.filter(event => event.startsWith('track')),
    ['track_published', 'track_unpublished'],
  );
});

test('her name, metadata, attributes and permissions are the same in both rooms', () => {
  const { talk, other, ann, bob, begin, follow } = world();
  publishTracks(talk, ann, ['mic']);
  talk.settle();
  const forwarding = begin();
  changeProfile(talk.room, ann, { name: 'Anna', metadata: 'n', attributes: { a: '', b: '2' } });
  assert.equal(follow(forwarding), 'changed');
  const { name, metadata, attributes } = seen(other, bob);
  assert.deepEqual([name, metadata, attributes['a'], attributes['b']], ['Anna', 'n', undefined, '2']);
  changePermissions(talk.room, ann, { ...EVERYTHING, canPublish: false });
  assert.equal(follow(forwarding), 'changed');
  const { permission, tracks } = seen(other, bob);
  assert.deepEqual([permission?.canPublish, permission?.canSubscribe, tracks.length], [false, false, 0]);
  assert.equal(follow(forwarding), 'unchanged');
});

test('whom she lets subscribe is let subscribe, by identity, and nobody else', () => {
  const { talk, other, ann, bob, begin, follow } = world();
  publishTracks(talk, ann, ['mic', 'music']);
  talk.settle();
  const carol = other.join('carol');
  const [mic] = ann.publications.published();
  const rule = new TrackPermission({ participantIdentity: 'bob', trackSids: [mic.sid] });
  const allow = (changes: Partial<SubscriptionPermission>) =>
    updateSubscriptionPermission(talk.room, ann, new SubscriptionPermission(changes));
  allow({ trackPermissions: [rule] });
  const forwarding = begin();
  other.settle();
  assert.deepEqual([bob.subscriptions.active.size, carol.subscriptions.active.size], [1, 0]);
  allow({ allParticipants: true });
  assert.equal(follow(forwarding), 'changed');
  assert.deepEqual([bob.subscriptions.active.size, carol.subscriptions.active.size], [2, 2]);
  allow({ trackPermissions: [] });
  follow(forwarding);
  assert.deepEqual([bob.subscriptions.active.size, carol.subscriptions.active.size], [0, 0]);
});

test('who is hidden is forwarded hidden', () => {
  const { other, bob, begin } = world({ permissions: { ...EVERYTHING, hidden: true } });
  other.clear();
  begin();
  other.settle();
  assert.deepEqual(other.sent(bob, 'update'), []);
});

test('she is active there when her media is up, and as well connected as she is', () => {
  const { talk, other, ann, bob, begin, follow } = world();
  const forwarding = begin();
  assert.equal(forwarding.shadow.state, 'joined');
  activate(talk.room, ann);
  talk.room.measurements.set(ann.endpointId, { quality: 'poor', score: 2, rttMs: 90 });
  assert.equal(follow(forwarding), 'changed');
  assert.equal(seen(other, bob).state, ParticipantInfo_State.ACTIVE);
  const updates = other.last(bob, 'connectionQuality')!.updates;
  assert.deepEqual(
    updates.map(({ participantSid, score }) => [participantSid, score]),
    [['PA_shadow', 2]],
  );
  assert.equal(follow(forwarding), 'unchanged');
});

test('when she leaves her room she leaves the other, for the same reason', () => {
  const { talk, other, ann, bob, begin, follow } = world();
  const forwarding = begin();
  leave(talk.room, talk.nowMs, ann, LEFT_BY_ITSELF);
  assert.equal(follow(forwarding), 'ended');
  assert.deepEqual(
    [seen(other, bob).state, seen(other, bob).disconnectReason],
    [ParticipantInfo_State.DISCONNECTED, DisconnectReason.CLIENT_INITIATED],
  );
  assert.equal(other.room.participants.size, 1);
  assert.ok(
    other.outputs.some(output => output.kind === 'endpoint-removed' && output.endpointId === SHADOW.endpointId),
  );
  assert.equal(follow(forwarding), 'ended');
});

test('removed from the other room, or replaced there by herself, she goes on in her own', () => {
  for (const end of [
    ({ other }: ReturnType<typeof world>, { shadow }: Forwarding) =>
      leave(other.room, other.nowMs, shadow, { ...LEFT_BY_ITSELF, reason: DisconnectReason.PARTICIPANT_REMOVED }),
    ({ other }: ReturnType<typeof world>) => other.join('ann'),
  ]) {
    const set = world();
    const forwarding = set.begin();
    end(set, forwarding);
    assert.equal(set.follow(forwarding), 'ended');
    assert.deepEqual([set.ann.state, set.talk.room.participants.size], ['joined', 1]);
  }
});

test('when the bridge is lost and she comes through, it begins again; when she does not, it has ended', () => {
  const { talk, other, ann, begin, follow } = world();
  const lost = { reason: DisconnectReason.MIGRATION, action: null, cause: 'bridge lost' };
  const forwarding = begin();
  leave(other.room, other.nowMs, forwarding.shadow, lost);
  assert.equal(follow(forwarding), 'moved');
  leave(talk.room, talk.nowMs, ann, lost);
  assert.equal(follow(forwarding), 'ended');
});

test('on another bridge she cannot be heard from where she was: it ends there, to begin again', () => {
  const { other, ann, begin, follow } = world();
  const forwarding = begin();
  Object.assign(ann, { bridgeId: 'eu-2' as BridgeId });
  assert.equal(follow(forwarding), 'moved');
  assert.equal(other.room.participants.has('ann'), false);
});

test('a shadow that was kept goes on under its SIDs, without what ended and with what began while nobody watched', () => {
  const { talk, other, ann, bob, begin } = world();
  publishTracks(talk, ann, ['mic', 'cam']);
  talk.settle();
  const { shadow } = begin();
  other.settle();
  const [mic, cam] = seen(other, bob).tracks.map(({ sid }) => sid);
  const told = () => other.outputs.filter(output => output.kind === 'signal' && output.participantSid === bob.sid);
  const before = told().length;

  const same = Forwarding.resume(talk.room, ann, other.room, shadow);
  same.follow(other.nowMs);
  other.settle();
  assert.equal(told().length, before, 'nothing has changed for him');

  mute(talk.room, ann, new MuteTrackRequest({ sid: ann.publications.published()[0]!.sid, muted: true }));
  offer(talk, ann, ['mic']);
  talk.settle();
  const again = Forwarding.resume(talk.room, ann, other.room, shadow);
  assert.equal(again.follow(other.nowMs), 'changed');
  other.settle();
  assert.deepEqual(
    seen(other, bob).tracks.map(({ sid, muted }) => [sid, muted]),
    [[mic, true]],
  );
  assert.equal(other.room.track(cam!), undefined);
  leave(talk.room, talk.nowMs, ann, LEFT_BY_ITSELF);
  assert.equal(again.follow(other.nowMs), 'ended');
  assert.equal(other.room.participants.size, 1);
});

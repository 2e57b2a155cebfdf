import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  AddTrackRequest,
  MuteTrackRequest,
  SessionDescription,
  SimulcastCodec,
  type SubscribedQuality,
  TrackSource,
  TrackType,
  VideoQuality,
} from '@livekit/protocol';
import { type BridgeId, type EndpointId, formatId } from '../../protocol/ids.ts';
import { handleBridgeEvent } from './bridge-events.ts';
import { activate, handleSignalLost, resume } from './joining.ts';
import { handleOffer } from './negotiating.ts';
import { type OfferedTrack, offerSdp } from './offer.fixture.ts';
import type { Participant } from './participant.ts';
import { addTrack, mute } from './publishing.ts';
import { readBridgeEvent } from './read-bridge-event.ts';
import { TestRoom } from './room.fixture.ts';
import type { Track } from './track.ts';

const HOME = 'eu-1' as BridgeId;
const LOW = 1;
const HIGH = 4;
const ALL = 7;

/** Alice, active, with one published track of the given encodings. */
function publisher(rids: readonly string[], fields: Partial<AddTrackRequest> = {}) {
  const world = new TestRoom();
  const alice = world.join('alice');
  const request = { cid: 'cam', type: TrackType.VIDEO, source: TrackSource.CAMERA, ...fields };
  addTrack(world.room, alice, new AddTrackRequest(request));
  offer(world, alice, [{ kind: request.type === TrackType.AUDIO ? 'audio' : 'video', cid: 'cam', rids }]);
  activate(world.room, alice);
  world.settle();
  return { world, alice, track: alice.publications.published()[0] };
}

function offer(world: TestRoom, alice: Participant, tracks: OfferedTrack[]): void {
  handleOffer(world.room, alice, new SessionDescription({ type: 'offer', sdp: offerSdp({ tracks }), id: 1 }));
  world.settle();
}

/** What the bridge says, as it comes over the wire. */
function need(world: TestRoom, { sourceId }: Track, layers: number, bridgeId = HOME): void {
  const conferenceId = formatId(world.room.identity.conferenceId);
  const endpointId = formatId(1 as EndpointId);
  const event = readBridgeEvent(JSON.stringify({ kind: 'needed-layers', conferenceId, endpointId, sourceId, layers }));
  assert.ok(event.kind === 'needed-layers');
  handleBridgeEvent(world.room, world.nowMs, bridgeId, event);
  world.settle();
}

function updates(world: TestRoom, alice: Participant) {
  return world.sent(alice, 'subscribedQualityUpdate');
}

function enabled(qualities: readonly SubscribedQuality[] | undefined): string[] | undefined {
  return qualities?.filter(quality => quality.enabled).map(({ quality }) => VideoQuality[quality]);
}

test('a publisher is told every quality of its track, by its SID, under the codec it announced and for older clients without', () => {
  const { world, alice, track } = publisher(['q', 'h', 'f'], {
    simulcastCodecs: [new SimulcastCodec({ codec: 'vp8' })],
  });
  need(world, track, LOW | HIGH);
  const [update] = updates(world, alice);
  assert.equal(update.trackSid, track.sid);
  assert.deepEqual(
    update.subscribedCodecs.map(({ codec }) => codec),
    ['vp8'],
  );
  assert.deepEqual(
    update.subscribedCodecs[0].qualities.map(({ quality }) => quality),
    [VideoQuality.LOW, VideoQuality.MEDIUM, VideoQuality.HIGH],
    'a quality that is not named is left as it is',
  );
  assert.deepEqual(enabled(update.subscribedCodecs[0].qualities), ['LOW', 'HIGH']);
  assert.deepEqual(enabled(update.subscribedQualities), ['LOW', 'HIGH']);
});

test('it is told when that changes, and not what it does unasked', () => {
  const { world, alice, track } = publisher(['q', 'h', 'f']);
  need(world, track, ALL);
  assert.equal(updates(world, alice).length, 0);
  need(world, track, 0);
  need(world, track, 0);
  need(world, track, ALL);
  assert.deepEqual(
    updates(world, alice).map(update => enabled(update.subscribedCodecs[0].qualities)),
    [[], ['LOW', 'MEDIUM', 'HIGH']],
  );
});

const MAPPINGS: readonly (readonly [title: string, rids: string[], layers: number, enabled: string[]])[] = [
  ['one encoding without a name is on or off as a whole: on', [], 1, ['LOW', 'MEDIUM', 'HIGH']],
  ['one encoding without a name is on or off as a whole: off', [], 0, []],
  ['of two encodings the upper one is MEDIUM, and what is above it', ['q', 'h'], 2, ['MEDIUM', 'HIGH']],
  ['of two encodings the lower one is LOW', ['q', 'h'], 1, ['LOW']],
  ['encodings count by their names, in whatever order they are offered', ['f', 'h', 'q'], 1, ['LOW']],
  ['a large one without a medium one', ['q', 'f'], 2, ['HIGH']],
  ['the next smaller one stands for a quality that is not there', ['q', 'f'], 1, ['LOW', 'MEDIUM']],
  ['other names count by their order', ['0', '1', '2'], 4, ['HIGH']],
];

for (const [title, rids, layers, expected] of MAPPINGS) {
  test(`layers to qualities: ${title}`, () => {
    const { world, alice, track } = publisher(rids);
    need(world, track, 0);
    need(world, track, layers);
    assert.deepEqual(enabled(updates(world, alice).at(-1)?.subscribedCodecs[0].qualities), expected);
  });
}

test('after a resume it is told again, because it may have missed it', () => {
  const { world, alice, track } = publisher(['q', 'h', 'f']);
  need(world, track, LOW);
  handleSignalLost(world.room, world.nowMs, alice);
  need(world, track, ALL);
  assert.equal(updates(world, alice).length, 1, 'nobody hears it meanwhile');
  resume(world.room, alice);
  world.settle();
  assert.deepEqual(enabled(updates(world, alice).at(-1)?.subscribedCodecs[0].qualities), ['LOW', 'MEDIUM', 'HIGH']);
});

test('after an unmute it is told again, because it captures anew', () => {
  const { world, alice, track } = publisher(['q', 'h', 'f']);
  need(world, track, LOW);
  mute(world.room, alice, new MuteTrackRequest({ sid: track.sid, muted: true }));
  world.settle();
  assert.equal(updates(world, alice).length, 1);
  mute(world.room, alice, new MuteTrackRequest({ sid: track.sid, muted: false }));
  world.settle();
  assert.equal(updates(world, alice).length, 2);
});

test('a track that is published again is sent whole, whatever its predecessor was told', () => {
  const { world, alice, track } = publisher(['q', 'h', 'f']);
  need(world, track, 0);
  offer(world, alice, [{ kind: 'video', cid: 'cam', rids: ['q', 'h', 'f'], direction: 'inactive' }]);
  addTrack(world.room, alice, new AddTrackRequest({ cid: 'again', type: TrackType.VIDEO }));
  offer(world, alice, [
    { kind: 'video', cid: 'cam', direction: 'inactive' },
    { kind: 'video', cid: 'again', rids: ['q', 'h', 'f'] },
  ]);
  const [next] = alice.publications.published();
  need(world, track, LOW);
  need(world, next, ALL);
  assert.equal(updates(world, alice).length, 1, 'the old one is nobody any more, and the new one needs no telling');
});

test('nobody but its own bridge decides on a source, and of audio nothing is said', () => {
  const { world, alice, track } = publisher(['q', 'h', 'f']);
  need(world, track, 0, 'us-1' as BridgeId);
  assert.equal(updates(world, alice).length, 0);
  const voice = publisher([], { type: TrackType.AUDIO, source: TrackSource.MICROPHONE });
  need(voice.world, voice.track, 0);
  assert.equal(updates(voice.world, voice.alice).length, 0);
});

test('an event without its layers is none', () => {
  const text = JSON.stringify({ kind: 'needed-layers', conferenceId: '00000007', endpointId: '00000001', sourceId: 0 });
  assert.throws(() => readBridgeEvent(text), { reason: 'bridge-event' });
});

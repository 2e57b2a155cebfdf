import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  AddTrackRequest,
  DataChannelInfo,
  DataChannelReceiveState,
  DisconnectReason,
  SessionDescription,
  SignalTarget,
  SyncState,
  TrackSource,
  TrackType,
} from '@livekit/protocol';
import type { BridgeId } from '../../protocol/ids.ts';
import { handleBridgeEvent } from './bridge-events.ts';
import { canMove, startMove } from './bridge-move.ts';
import { LEFT_BY_ITSELF, leave, resume, syncState } from './joining.ts';
import { handleOffer } from './negotiating.ts';
import { type OfferShape, offerSdp } from './offer.fixture.ts';
import type { Participant } from './participant.ts';
import { addTrack } from './publishing.ts';
import { TestRoom } from './room.fixture.ts';
import { handleTimeout } from './timeouts.ts';

const US = { bridgeId: 'us-1' as BridgeId, bridgeRegion: 'us' };
const AP = { bridgeId: 'ap-1' as BridgeId, bridgeRegion: 'ap' };

function offer(world: TestRoom, participant: Participant, shape: OfferShape = {}): void {
  handleOffer(world.room, participant, new SessionDescription({ type: 'offer', sdp: offerSdp(shape), id: 1 }));
  world.settle();
}

function connected(world: TestRoom, participant: Participant, bridgeId = participant.bridgeId): void {
  const endpointId = participant.endpointId.toString(16).padStart(8, '0');
  const event = { kind: 'endpoint', conferenceId: '00000007', endpointId, state: 'connected', reason: '' } as const;
  handleBridgeEvent(world.room, world.nowMs, bridgeId, event);
  world.settle();
}

const CAMERA: OfferShape = { tracks: [{ kind: 'video', cid: 'cam', rids: ['q', 'h', 'f'] }] };

/** Ada publishes and is active on eu-1; bob, on eu-1 as well, watches her. */
function meeting(): { world: TestRoom; ada: Participant; bob: Participant } {
  const world = new TestRoom();
  const ada = world.join('ada');
  const camera = new AddTrackRequest({ cid: 'cam', type: TrackType.VIDEO, source: TrackSource.CAMERA });
  addTrack(world.room, ada, camera);
  offer(world, ada, CAMERA);
  connected(world, ada);
  const bob = world.join('bob');
  offer(world, bob);
  connected(world, bob);
  world.clear();
  return { world, ada, bob };
}

function move(world: TestRoom, ada: Participant, to = US, isOldGone = false): void {
  startMove(world.room, world.nowMs, ada, to, isOldGone ? 'bridge-lost' : 'operator', isOldGone);
  world.settle();
}

function comesBack(world: TestRoom, ada: Participant): void {
  resume(world.room, ada);
  world.settle();
}

const kinds = (world: TestRoom) => world.outputs.map(({ kind }) => kind);
const moved = (world: TestRoom) => world.outputs.find(output => output.kind === 'moved');
const removed = (world: TestRoom) =>
  world.outputs.flatMap(output =>
    output.kind === 'endpoint-removed' ? [`${output.bridgeId}/${output.endpointId}`] : [],
  );
/** `ada@eu-1>us-1`: served by eu-1, on the way to us-1. */
const places = (world: TestRoom) =>
  world.room
    .document()
    .endpoints.map(({ identity, bridgeId, movingTo }) => `${identity}@${bridgeId}${movingTo ? `>${movingTo}` : ''}`);

test('who moves is served by the old bridge until the new one is known to its client, and taken from it when its media is up', () => {
  const { world, ada } = meeting();
  move(world, ada);
  assert.deepEqual(places(world), ['ada@eu-1>us-1', 'bob@eu-1']);
  assert.deepEqual(world.room.document().bridgeIds, ['eu-1', 'us-1']);
  assert.deepEqual(
    kinds(world).filter(kind => kind === 'close-signal'),
    ['close-signal'],
  );
  comesBack(world, ada);
  assert.deepEqual(places(world), ['ada@eu-1>us-1', 'bob@eu-1']);
  offer(world, ada, { ...CAMERA, ufrag: 'next' });
  assert.equal(world.sent(ada, 'answer').length, 1);
  assert.deepEqual(places(world), ['ada@us-1', 'bob@eu-1']);
  assert.deepEqual(removed(world), []);
  world.nowMs += 400;
  connected(world, ada, US.bridgeId);
  assert.deepEqual(removed(world), [`eu-1/${ada.endpointId}`]);
  const end = moved(world);
  assert.ok(end?.kind === 'moved');
  assert.deepEqual([end.from, end.bridgeId, end.tookMs, end.cause], ['eu-1', 'us-1', 400, 'operator']);
  assert.equal(ada.move, null);
  assert.ok(!kinds(world).includes('conference-removed'), 'bob is on eu-1 still');
});

test('the others hear of another bridge, and of nothing that ends', () => {
  const { world, ada, bob } = meeting();
  const sids = ada.publications.published().map(({ sid }) => sid);
  move(world, ada);
  comesBack(world, ada);
  offer(world, ada, { ...CAMERA, ufrag: 'next' });
  connected(world, ada, US.bridgeId);
  const updates = world.sent(bob, 'update').flatMap(({ participants }) => participants);
  assert.ok(updates.length > 0);
  for (const info of updates) {
    assert.deepEqual(
      info.tracks.map(({ sid }) => sid),
      sids,
    );
    assert.equal(info.attributes['causeway.bridge'], 'us-1');
    assert.equal(info.disconnectReason, DisconnectReason.UNKNOWN_REASON);
  }
  assert.ok(!kinds(world).includes('left'));
});

test('what a client receives after a move has other SSRCs, and its tracks are the same', () => {
  const { world, ada, bob } = meeting();
  const [before] = [...bob.subscriptions.active.values()];
  move(world, bob);
  comesBack(world, bob);
  offer(world, bob, { ufrag: 'next' });
  const [after] = [...bob.subscriptions.active.values()];
  assert.equal(after.trackSid, before.trackSid);
  assert.notEqual(after.ssrc, before.ssrc);
  assert.deepEqual(
    world.document(bob).projections.map(({ ssrc, rtxSsrc }) => [ssrc, rtxSsrc]),
    [[after.ssrc, after.rtxSsrc]],
  );
  assert.equal(ada.move, null);
});

test('an offer of before the move is not answered by the new bridge', () => {
  const { world, ada } = meeting();
  move(world, ada);
  offer(world, ada, CAMERA);
  comesBack(world, ada);
  offer(world, ada, CAMERA);
  assert.equal(world.sent(ada, 'answer').length, 0);
  offer(world, ada, { ...CAMERA, ufrag: 'next' });
  assert.equal(world.sent(ada, 'answer').length, 1);
});

test('an offer that restarts ICE and waits for a bridge that dies is answered by the next one, without another resume', () => {
  const { world, ada } = meeting();
  handleOffer(
    world.room,
    ada,
    new SessionDescription({ type: 'offer', sdp: offerSdp({ ...CAMERA, ufrag: 'next' }), id: 2 }),
  );
  world.settleUnanswered();
  move(world, ada, US, true);
  assert.ok(!kinds(world).includes('close-signal'));
  assert.equal(world.sent(ada, 'answer').length, 1);
  connected(world, ada, US.bridgeId);
  assert.equal(moved(world)?.kind, 'moved');
});

test('when the bridge that it moves to dies, it goes on to a third; the old one serves it meanwhile', () => {
  const { world, ada } = meeting();
  move(world, ada);
  startMove(world.room, world.nowMs, ada, AP, 'bridge-lost', true);
  world.settle();
  assert.deepEqual(places(world), ['ada@eu-1>ap-1', 'bob@eu-1']);
  assert.deepEqual(removed(world), [`us-1/${ada.endpointId}`]);
  assert.equal(kinds(world).filter(kind => kind === 'close-signal').length, 1);
  comesBack(world, ada);
  offer(world, ada, { ...CAMERA, ufrag: 'next' });
  connected(world, ada, AP.bridgeId);
  const end = moved(world);
  assert.deepEqual(end?.kind === 'moved' && [end.from, end.bridgeId], ['eu-1', 'ap-1']);
});

test('a bridge that is dead is in no document any more', () => {
  const { world, ada } = meeting();
  move(world, ada, US, true);
  assert.deepEqual(places(world), ['ada@us-1', 'bob@eu-1']);
});

test('what the old bridge says of who has moved is not believed', () => {
  const { world, ada } = meeting();
  move(world, ada);
  comesBack(world, ada);
  offer(world, ada, { ...CAMERA, ufrag: 'next' });
  connected(world, ada, 'eu-1' as BridgeId);
  assert.equal(moved(world), undefined);
});

test('who leaves on the way is taken from both bridges', () => {
  const { world, ada } = meeting();
  move(world, ada);
  leave(world.room, world.nowMs, ada, LEFT_BY_ITSELF);
  world.settle();
  assert.deepEqual(removed(world), [`us-1/${ada.endpointId}`, `eu-1/${ada.endpointId}`]);
});

test('who is back and does not come up in ten seconds joins anew', () => {
  const { world, ada } = meeting();
  move(world, ada);
  comesBack(world, ada);
  handleTimeout(world.room, world.nowMs);
  world.nowMs += 9_999;
  handleTimeout(world.room, world.nowMs);
  world.settle();
  assert.ok(!kinds(world).includes('left'));
  world.nowMs += 1;
  handleTimeout(world.room, world.nowMs);
  world.settle();
  const left = world.outputs.find(output => output.kind === 'left');
  assert.deepEqual(left?.kind === 'left' && [left.cause, left.moveCause], [
    'it did not come up on the bridge it was moved to',
    'operator',
  ]);
});

test('the new bridge is told which data channels are open, what has come over them, and SSRCs that only packets showed', () => {
  const { world, ada } = meeting();
  const streams = [{ sourceId: ada.publications.published()[0].sourceId, layer: 1, ssrc: 77, isRtx: false }];
  const about = { conferenceId: '00000007', endpointId: '00000001' };
  handleBridgeEvent(world.room, world.nowMs, ada.bridgeId, { kind: 'streams', ...about, streams });
  move(world, ada);
  comesBack(world, ada);
  const state = new SyncState({
    dataChannels: [
      new DataChannelInfo({ label: '_lossy', id: 0, target: SignalTarget.PUBLISHER }),
      new DataChannelInfo({ label: '_reliable', id: 2, target: SignalTarget.PUBLISHER }),
      new DataChannelInfo({ label: '_data_track', id: 4, target: SignalTarget.PUBLISHER }),
    ],
    datachannelReceiveStates: [new DataChannelReceiveState({ publisherSid: 'PA_bob', lastSeq: 9 })],
  });
  syncState(world.room, world.nowMs, ada, state);
  offer(world, ada, { ...CAMERA, ufrag: 'next' });
  const document = world.document(ada);
  assert.deepEqual(document.openChannels, { lossy: 0, reliable: 2 });
  assert.deepEqual(document.received, [{ sid: 'PA_bob', sequence: 9 }]);
  assert.deepEqual(document.sources[0].streams, [{ layer: 1, ssrc: 77, isRtx: false }]);
  assert.equal(world.last(ada, 'reconnect')?.lastMessageSeq, 1);
});

test('who has an answer and no media yet cannot be moved', () => {
  const world = new TestRoom();
  const ada = world.join('ada');
  assert.ok(canMove(ada));
  offer(world, ada);
  assert.ok(!canMove(ada));
  connected(world, ada);
  assert.ok(canMove(ada));
});

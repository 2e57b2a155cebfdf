import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AddTrackRequest, SessionDescription, TrackType } from '@livekit/protocol';
import { handleOffer } from '../negotiating.ts';
import { offerSdp } from '../offer.fixture.ts';
import { addTrack } from '../publishing.ts';
import { SETTINGS, seededRandom, TestRoom } from '../room.fixture.ts';
import { restoreRoom } from './restore-room.ts';
import { RoomSnapshots } from './room-snapshots.ts';

test('a room comes back from its fields', () => {
  const world = new TestRoom();
  const anna = world.join('anna');
  world.join('ben', { hasTwoConnections: true });
  addTrack(world.room, anna, new AddTrackRequest({ cid: 'mic', type: TrackType.AUDIO }));
  const sdp = offerSdp({ tracks: [{ kind: 'audio', cid: 'mic' }] });
  handleOffer(world.room, anna, new SessionDescription({ type: 'offer', sdp, id: 1 }));
  world.settle();
  const fields = new RoomSnapshots(world.room).all();
  const restored = restoreRoom(fields, world.room.identity, SETTINGS, seededRandom(42), world.nowMs);
  assert.ok(restored.ok);
  assert.deepEqual(restored.unreadable, []);
  assert.deepEqual(new RoomSnapshots(restored.room).all(), fields);
});

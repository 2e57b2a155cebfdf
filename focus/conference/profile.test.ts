import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RequestResponse_Reason, TrackSource, UpdateParticipantMetadata } from '@livekit/protocol';
import type { Participant } from './participant.ts';
import { permissionClaims, permissionsOf } from './permissions.ts';
import { updateOwnProfile } from './profile.ts';
import { EVERYTHING, TestRoom } from './room.fixture.ts';

type Change = ConstructorParameters<typeof UpdateParticipantMetadata>[0];

function update(world: TestRoom, participant: Participant, change: Change): string {
  updateOwnProfile(world.room, participant, new UpdateParticipantMetadata({ requestId: 3, ...change }));
  world.settle();
  const response = world.last(participant, 'requestResponse');
  assert.equal(response?.requestId, 3);
  return RequestResponse_Reason[response.reason];
}

test('name, metadata and attributes change for everybody, empty ones stay, empty values remove', () => {
  const world = new TestRoom();
  const alice = world.join('alice', { name: 'Al', metadata: 'm', attributes: { keep: '1', drop: '2' } });
  const bob = world.join('bob');
  assert.equal(update(world, alice, { name: 'Alice', attributes: { drop: '', add: '3' } }), 'OK');
  for (const viewer of [alice, bob]) {
    const seen = world.last(viewer, 'update')?.participants[0];
    assert.equal(seen?.name, 'Alice');
    assert.equal(seen?.metadata, 'm');
    const own = { 'causeway.region': 'eu', 'causeway.bridge': 'eu-1' };
    assert.deepEqual(seen?.attributes, { keep: '1', add: '3', ...own });
  }
});

test("region and bridge are not a client's to change", () => {
  const world = new TestRoom();
  const alice = world.join('alice');
  update(world, alice, { attributes: { 'causeway.region': 'moon', 'causeway.other': 'x' } });
  assert.deepEqual(alice.attributes, {});
  assert.equal(alice.info().attributes['causeway.region'], 'eu');
});

test('without the grant it is refused with NOT_ALLOWED, over a limit with LIMIT_EXCEEDED, and nothing changes', () => {
  const world = new TestRoom();
  const locked = world.join('locked', { permissions: { ...EVERYTHING, canUpdateOwnMetadata: false } });
  assert.equal(update(world, locked, { name: 'x' }), 'NOT_ALLOWED');
  const alice = world.join('alice', { name: 'Al' });
  assert.equal(update(world, alice, { name: 'x'.repeat(51) }), 'LIMIT_EXCEEDED');
  assert.equal(update(world, alice, { metadata: 'x'.repeat(1001) }), 'LIMIT_EXCEEDED');
  assert.equal(update(world, alice, { attributes: { a: 'x'.repeat(1000) } }), 'LIMIT_EXCEEDED');
  assert.deepEqual([locked.name, alice.name, alice.metadata, alice.attributes], ['', 'Al', '', {}]);
});

test('attributes cannot grow beyond the limit one by one', () => {
  const world = new TestRoom();
  const alice = world.join('alice');
  const outcomes = [0, 1, 2, 3].map(i => update(world, alice, { attributes: { [`a${i}`]: 'x'.repeat(300) } }));
  assert.deepEqual(outcomes, ['OK', 'OK', 'OK', 'LIMIT_EXCEEDED']);
  assert.equal(Object.keys(alice.attributes).length, 3);
});

test('permissions survive the way into a token and back; unknown sources never become all sources', () => {
  const granted = { ...EVERYTHING, canPublishSources: ['microphone', 'screen_share', 'hologram'] };
  const permissions = permissionsOf(granted);
  assert.deepEqual(permissions.canPublishSources, [
    TrackSource.MICROPHONE,
    TrackSource.SCREEN_SHARE,
    TrackSource.UNKNOWN,
  ]);
  const claims = permissionClaims(permissions);
  assert.deepEqual(claims['canPublishSources'], ['microphone', 'screen_share', 'unknown']);
  const only = permissionClaims(permissionsOf({ ...granted, canPublishSources: ['hologram'] }));
  assert.deepEqual(only['canPublishSources'], ['unknown']);
});

/** Every method of LiveKit's server SDK, on a focus with people in its rooms. What one call does the next one sees. */
import assert from 'node:assert/strict';
import { before, beforeEach, describe, test } from 'node:test';
import {
  AddTrackRequest,
  DataPacket,
  DataPacket_Kind,
  DisconnectReason,
  LeaveRequest_Action,
  ParticipantInfo_KindDetail,
  ParticipantInfo_State,
  SessionDescription,
  TrackType,
} from '@livekit/protocol';
import { RoomServiceClient, TrackSource } from 'livekit-server-sdk';
import { formatId } from '../../protocol/ids.ts';
import { offerSdp } from '../conference/offer.fixture.ts';
import { eventually, focusOfSuite } from './focus.fixture.ts';
import { accessToken, SignalClient } from './signal-client.fixture.ts';

describe("every method of LiveKit's server SDK", () => {
  const world = focusOfSuite({ 'room.enable_remote_unmute': true });
  let api: RoomServiceClient;
  let url: string;
  before(() => {
    url = world.focus.url;
    api = new RoomServiceClient(url, 'devkey', 'secret');
  });
  beforeEach(() => world.assertNothingLeft());

  /** Joins and publishes a microphone; answers its SID. */
  async function speaker(identity: string): Promise<{ client: SignalClient; trackSid: string }> {
    const client = await SignalClient.join(url, identity);
    client.send({ case: 'addTrack', value: new AddTrackRequest({ cid: 'mic', type: TrackType.AUDIO, source: 2 }) });
    const { track } = await client.next('trackPublished');
    const sdp = offerSdp({ tracks: [{ kind: 'audio', cid: 'mic' }] });
    client.send({ case: 'offer', value: new SessionDescription({ type: 'offer', sdp, id: 1 }) });
    await client.next('answer');
    return { client, trackSid: track!.sid };
  }

  const names = async () => (await api.listRooms()).map(({ name }) => name);

  test('createRoom, listRooms, deleteRoom: settings as given, and the list is right at once', async () => {
    const created = await api.createRoom({
      name: 'talk',
      emptyTimeout: 7,
      departureTimeout: 3,
      maxParticipants: 1,
      metadata: 'm',
    });
    assert.deepEqual(
      [created.emptyTimeout, created.departureTimeout, created.maxParticipants, created.metadata],
      [7, 3, 1, 'm'],
    );
    await api.createRoom({ name: 'other' });
    assert.deepEqual(await names(), ['other', 'talk']);
    const [listed] = await api.listRooms(['talk', 'nothing']);
    assert.deepEqual([listed.sid, listed.numParticipants], [created.sid, 0]);

    const ann = await SignalClient.join(url, 'ann');
    assert.equal((await api.listRooms(['talk']))[0].numParticipants, 1);
    const bob = await SignalClient.open(url, await accessToken({ identity: 'bob' }));
    assert.equal((await bob.next('leave')).reason, DisconnectReason.JOIN_FAILURE);

    await api.deleteRoom('talk');
    assert.deepEqual(await names(), ['other']);
    assert.equal((await ann.next('leave')).reason, DisconnectReason.ROOM_DELETED);
    await assert.rejects(api.deleteRoom('talk'), { status: 404, code: 'not_found' });
    await api.deleteRoom('other');
  });

  test('listParticipants, getParticipant, removeParticipant: who has left is in no list', async () => {
    const { client: ann, trackSid } = await speaker('ann');
    const bob = await SignalClient.join(url, 'bob');
    const listed = await api.listParticipants('talk');
    assert.deepEqual(
      listed.map(({ identity }) => identity),
      ['ann', 'bob'],
    );
    assert.deepEqual(
      (await api.getParticipant('talk', 'ann')).tracks.map(({ sid }) => sid),
      [trackSid],
    );
    await api.removeParticipant('talk', 'ann');
    assert.equal((await ann.next('leave')).reason, DisconnectReason.PARTICIPANT_REMOVED);
    assert.deepEqual(
      (await api.listParticipants('talk')).map(({ identity }) => identity),
      ['bob'],
    );
    await assert.rejects(api.getParticipant('talk', 'ann'), { status: 404, message: 'participant does not exist' });
    await assert.rejects(api.removeParticipant('talk', 'ann'), { status: 404 });
    await api.removeParticipant('talk', 'bob');
    await bob.closed;
  });

  test('removeParticipant with a time keeps out the tokens from before it, and no others', async () => {
    const now = Math.floor(Date.now() / 1000);
    const old = await accessToken({ identity: 'zoe', claims: { nbf: now - 100 } });
    const zoe = await SignalClient.open(url, old);
    await zoe.next('join');
    await api.removeParticipant('talk', 'zoe', { revokeTokenTs: BigInt(now - 50) });
    await zoe.closed;
    await assert.rejects(SignalClient.open(url, old), /refused the socket/);
    const fresh = await SignalClient.open(url, await accessToken({ identity: 'zoe', claims: { nbf: now - 10 } }));
    await fresh.next('join');
    fresh.close();
  });

  test('mutePublishedTrack: the client is told, and the next look shows it', async () => {
    const { client, trackSid } = await speaker('ann');
    assert.equal((await api.mutePublishedTrack('talk', 'ann', trackSid, true)).muted, true);
    assert.deepEqual({ ...(await client.next('mute')) }, { sid: trackSid, muted: true });
    assert.equal((await api.getParticipant('talk', 'ann')).tracks[0].muted, true);
    assert.equal((await api.mutePublishedTrack('talk', 'ann', trackSid, false)).muted, false);
    await assert.rejects(api.mutePublishedTrack('talk', 'ann', 'TR_none', true), { message: 'track is not found' });
    client.close();
  });

  test('updateParticipant: profile and permissions, seen by the next look; a track not allowed any more is gone', async () => {
    const { client } = await speaker('ann');
    const updated = await api.updateParticipant('talk', 'ann', {
      name: 'Ann',
      metadata: 'm',
      attributes: { a: '1' },
      permission: { canPublish: true, canSubscribe: true, canPublishSources: [TrackSource.CAMERA] },
    });
    assert.deepEqual([updated.name, updated.metadata, updated.attributes['a']], ['Ann', 'm', '1']);
    const seen = await api.getParticipant('talk', 'ann');
    assert.deepEqual([seen.name, seen.tracks.length, seen.permission?.canPublishData], ['Ann', 0, false]);
    await client.next('trackUnpublished');
    client.close();
  });

  test('updateSubscriptions: a track off and on again', async () => {
    const { client: ann, trackSid } = await speaker('ann');
    const bob = await SignalClient.join(url, 'bob');
    await eventually(() => world.bridge.endpoints.size === 2);
    const room = world.focus.host.room('talk')!;
    const isSubscribed = () => room.participants.get('bob')!.subscriptions.active.has(trackSid);
    assert.equal(isSubscribed(), true);
    await api.updateSubscriptions('talk', 'bob', [trackSid], false);
    assert.equal(isSubscribed(), false);
    await api.updateSubscriptions('talk', 'bob', [trackSid], true);
    assert.equal(isSubscribed(), true);
    ann.close();
    bob.close();
  });

  test('sendData: to everybody, to identities and to SIDs, with topic and nonce', async () => {
    const ann = await SignalClient.join(url, 'ann');
    const { sid } = await api.getParticipant('talk', 'ann');
    world.bridge.messages.length = 0;
    const data = new Uint8Array([1, 2, 3]);
    await api.sendData('talk', data, DataPacket_Kind.RELIABLE, { topic: 't' });
    await api.sendData('talk', data, DataPacket_Kind.LOSSY, { destinationIdentities: ['ann'] });
    await api.sendData('talk', data, DataPacket_Kind.RELIABLE, { destinationSids: [sid] });
    assert.deepEqual(
      world.bridge.messages.map(({ kind, destinations }) => [kind, destinations]),
      [
        ['reliable', []],
        ['lossy', ['ann']],
        ['reliable', ['ann']],
      ],
    );
    const packet = DataPacket.fromBinary(Buffer.from(world.bridge.messages[0].packet, 'base64'));
    assert.ok(packet.value.case === 'user');
    assert.deepEqual([packet.value.value.topic, packet.value.value.nonce.length], ['t', 16]);
    ann.close();
  });

  test('updateRoomMetadata: for those there and for the next look', async () => {
    const ann = await SignalClient.join(url, 'ann');
    assert.equal((await api.updateRoomMetadata('talk', 'agenda')).metadata, 'agenda');
    await ann.until('roomUpdate', ({ room }) => room?.metadata === 'agenda');
    assert.equal((await api.listRooms(['talk']))[0].metadata, 'agenda');
    ann.close();
  });

  test('moveParticipant: the client is given a token that lets it into the other room, with what it may do', async () => {
    const video = { roomJoin: true, room: 'talk', canPublish: false, hidden: true };
    const ann = await SignalClient.open(url, await accessToken({ identity: 'ann', video, claims: { name: 'Ann' } }));
    await ann.next('refreshToken');
    await api.moveParticipant('talk', 'ann', 'other');
    const token = await ann.next('refreshToken');
    assert.equal((await ann.next('leave')).action, LeaveRequest_Action.RECONNECT);
    assert.deepEqual(await api.listParticipants('talk'), []);
    const moved = await SignalClient.open(url, token);
    const { room, participant } = await moved.next('join');
    assert.deepEqual([room?.name, participant?.identity, participant?.name], ['other', 'ann', 'Ann']);
    assert.deepEqual([participant?.permission?.canPublish, participant?.permission?.hidden], [false, true]);
    const [there] = await api.listParticipants('other');
    assert.equal(there.identity, 'ann');
    await assert.rejects(api.moveParticipant('other', 'ann', 'other'), { status: 400, code: 'invalid_argument' });
    moved.close();
  });

  test('forwardParticipant: seen in the other room with its tracks, on its own bridge, and in its own as before', async () => {
    const { client: ann, trackSid } = await speaker('ann');
    const bob = await SignalClient.open(url, await accessToken({ identity: 'bob', video: OTHER_ROOM }));
    await bob.next('join');
    await api.forwardParticipant('talk', 'ann', 'other');
    const [there] = (await api.listParticipants('other')).filter(({ identity }) => identity === 'ann');
    const here = await api.getParticipant('talk', 'ann');
    assert.notEqual(there.sid, here.sid);
    assert.deepEqual(there.kindDetails, [ParticipantInfo_KindDetail.FORWARDED]);
    assert.deepEqual([there.tracks.length, here.tracks[0].sid], [1, trackSid]);
    await bob.until('update', ({ participants }) =>
      participants.some(({ sid, tracks }) => sid === there.sid && tracks.length === 1),
    );
    const forwarded = () => [...world.bridge.endpoints.values()].find(({ sid }) => sid === there.sid);
    await eventually(() => forwarded()?.sources.length === 1);
    const conferenceId = formatId(world.focus.host.room('talk')!.identity.conferenceId);
    assert.equal(forwarded()?.forwards?.conferenceId, conferenceId);
    await api.mutePublishedTrack('talk', 'ann', trackSid, true);
    assert.equal((await api.getParticipant('other', 'ann')).tracks[0].muted, true);
    assert.match(await (await fetch(`${url}/metrics`)).text(), /causeway_focus_forwarded_participants\{[^}]*\} 1/);

    const refused = (destination: string) => api.forwardParticipant('talk', 'ann', destination);
    await assert.rejects(refused('other'), { status: 409, code: 'already_exists' });
    await assert.rejects(refused('talk'), { status: 400, code: 'invalid_argument' });
    const muteThere = api.mutePublishedTrack('other', 'ann', there.tracks[0].sid, false);
    await assert.rejects(muteThere, {
      status: 412,
      code: 'failed_precondition',
      message: /forwarded from another room/,
    });

    await api.removeParticipant('other', 'ann');
    assert.deepEqual(
      (await api.listParticipants('other')).map(({ identity }) => identity),
      ['bob'],
    );
    assert.equal((await api.getParticipant('talk', 'ann')).tracks.length, 1);
    await refused('other');
    ann.close();
    await bob.until('update', ({ participants }) =>
      participants.some(({ identity, state }) => identity === 'ann' && state === ParticipantInfo_State.DISCONNECTED),
    );
    bob.close();
    await world.assertNothingLeft();
    assert.match(await (await fetch(`${url}/metrics`)).text(), /causeway_focus_forwarded_participants\{[^}]*\} 0/);
  });

  test('forwardParticipant: opens the room, which is empty when its only one has gone; deleteRoom ends it there alone', async () => {
    const { client: ann } = await speaker('ann');
    await api.forwardParticipant('talk', 'ann', 'stage');
    await api.forwardParticipant('talk', 'ann', 'lobby');
    assert.deepEqual(await names(), ['lobby', 'stage', 'talk']);
    await api.deleteRoom('stage');
    assert.deepEqual(await names(), ['lobby', 'talk']);
    await api.removeParticipant('lobby', 'ann');
    await eventually(async () => (await names()).length === 1);
    assert.equal((await api.getParticipant('talk', 'ann')).tracks.length, 1);
    ann.close();
  });
});

const OTHER_ROOM = { roomJoin: true, room: 'other' };

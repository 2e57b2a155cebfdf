import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  AddTrackRequest,
  CreateRoomRequest,
  DataPacket,
  DataPacket_Kind,
  DisconnectReason,
  LeaveRequest_Action,
  ParticipantInfo_State,
  ParticipantPermission,
  SendDataRequest,
  SessionDescription,
  TrackType,
  UpdateParticipantRequest,
  UpdateSubscriptionsRequest,
} from '@livekit/protocol';
import type { EndpointId } from '../../protocol/ids.ts';
import { LEFT_BY_ITSELF, leave } from './joining.ts';
import { handleOffer } from './negotiating.ts';
import { offerSdp } from './offer.fixture.ts';
import { addTrack } from './publishing.ts';
import { SETTINGS, TestRoom } from './room.fixture.ts';
import type { Room, RoomProperties } from './room.ts';
import { createRooms, type RoomHost } from './room-operations.ts';

/** Operations on one room, `talk`, that can be closed but not opened. */
function world(settings: Partial<typeof SETTINGS> = {}) {
  const talk = new TestRoom(settings);
  const opened: [string, RoomProperties][] = [];
  const closed: string[] = [];
  const revoked: [string, string, number][] = [];
  const sent: { kind: string; packet: DataPacket; destinations: string[] }[] = [];
  const host: RoomHost = {
    settings: { ...SETTINGS, ...settings },
    roomNameCharactersMax: 20,
    isAutoCreated: true,
    properties: {
      emptyTimeoutSeconds: 300,
      departureTimeoutSeconds: 20,
      participantsMax: 0,
      metadata: '',
      placement: null,
    },
    rooms: () => [talk.room],
    room: name => (name === 'talk' ? talk.room : undefined),
    openRoom: async (name, properties) => {
      opened.push([name, properties]);
      return talk.room;
    },
    closeRoom: async (room: Room, reason) => {
      closed.push(`${room.identity.name} ${DisconnectReason[reason]}`);
    },
    apply: () => talk.settle(),
    sendMessage: async (_room, kind, packet, destinations) => {
      sent.push({ kind, packet: DataPacket.fromBinary(packet), destinations });
    },
    tokenFor: async ({ identity }, room) => `token of ${identity} for ${room}`,
    forward: async ({ identity }, participant, destination) => ({
      participantSid: `${participant.identity} of ${identity.name} in ${destination}`,
    }),
    revokeTokens: (...args) => revoked.push(args),
    nowMs: () => talk.nowMs,
  };
  return { talk, rooms: createRooms(host), host, opened, closed, sent, revoked };
}

function publishMicrophone(talk: TestRoom, identity: string): string {
  const participant = talk.join(identity);
  addTrack(talk.room, participant, new AddTrackRequest({ cid: 'mic', type: TrackType.AUDIO }));
  const sdp = offerSdp({ tracks: [{ kind: 'audio', cid: 'mic' }] });
  handleOffer(talk.room, participant, new SessionDescription({ type: 'offer', sdp, id: 1 }));
  talk.settle();
  return participant.publications.published()[0].sid;
}

test('a room is created with what the request says, and defaults for what it does not', async () => {
  const { rooms, opened } = world();
  const answer = await rooms.createRoom(new CreateRoomRequest({ name: 'talk', emptyTimeout: 7, metadata: 'm' }));
  assert.ok(answer.ok && answer.value.name === 'talk');
  const properties = {
    emptyTimeoutSeconds: 7,
    departureTimeoutSeconds: 20,
    participantsMax: 0,
    metadata: 'm',
    placement: null,
  };
  assert.deepEqual(opened, [['talk', properties]]);
});

test('limits of names and metadata hold for the server API too', async () => {
  const { rooms, opened } = world();
  const refusals = await Promise.all([
    rooms.createRoom(new CreateRoomRequest()),
    rooms.createRoom(new CreateRoomRequest({ name: 'x'.repeat(21) })),
    rooms.createRoom(new CreateRoomRequest({ name: 'x', metadata: 'x'.repeat(1001) })),
    rooms.updateRoomMetadata('talk', 'x'.repeat(1001)),
  ]);
  assert.deepEqual(
    refusals.map(answer => !answer.ok && answer.refusal),
    ['room-name-missing', 'room-name-too-long', 'metadata-too-large', 'metadata-too-large'],
  );
  assert.deepEqual(opened, []);
});

test('a placement of its own that a room cannot have is refused when it is set, and nothing changes', async () => {
  const { talk, rooms, opened } = world();
  const metadata = '{"causeway":{"placement":{"sort_by":"luck"}}}';
  const refusals = [
    await rooms.createRoom(new CreateRoomRequest({ name: 'talk', metadata })),
    rooms.updateRoomMetadata('talk', metadata),
  ];
  for (const answer of refusals) {
    assert.ok(!answer.ok && answer.refusal === 'placement-invalid');
    assert.match(answer.detail!, /sort_by .* is "luck"; allowed: stress, cpu/);
  }
  assert.deepEqual(opened, []);
  assert.equal(talk.room.properties.metadata, '');
});

test('what is not there is refused: rooms, participants, tracks', async () => {
  const { talk, rooms } = world();
  talk.join('alice');
  const refusals = [
    rooms.listParticipants('other'),
    rooms.getParticipant('talk', 'bob'),
    rooms.mutePublishedTrack('talk', 'alice', 'TR_none', true),
    await rooms.deleteRoom('other'),
    await rooms.sendData(new SendDataRequest({ room: 'other' })),
  ];
  assert.deepEqual(
    refusals.map(answer => !answer.ok && answer.refusal),
    ['room-not-found', 'participant-not-found', 'track-not-found', 'room-not-found', 'room-not-found'],
  );
});

test('a removed participant is told so and gone', () => {
  const { talk, rooms } = world();
  const alice = talk.join('alice');
  assert.ok(rooms.removeParticipant('talk', 'alice', 0).ok);
  assert.equal(talk.last(alice, 'leave')?.reason, DisconnectReason.PARTICIPANT_REMOVED);
  assert.equal(talk.room.participants.size, 0);
});

test('the server mutes, and unmutes only where that is allowed', () => {
  for (const isRemoteUnmuteAllowed of [false, true]) {
    const { talk, rooms } = world({ isRemoteUnmuteAllowed });
    const sid = publishMicrophone(talk, 'alice');
    const muted = rooms.mutePublishedTrack('talk', 'alice', sid, true);
    assert.equal(muted.ok && muted.value.muted, true);
    const unmuted = rooms.mutePublishedTrack('talk', 'alice', sid, false);
    assert.equal(unmuted.ok, isRemoteUnmuteAllowed);
  }
});

test('an update changes profile and permission in one call', () => {
  const { talk, rooms } = world();
  const alice = talk.join('alice');
  const permission = new ParticipantPermission({ canSubscribe: true });
  const request = new UpdateParticipantRequest({ room: 'talk', identity: 'alice', name: 'Al', permission });
  const answer = rooms.updateParticipant(request);
  assert.ok(answer.ok);
  assert.equal(answer.value.name, 'Al');
  assert.equal(alice.permissions.canPublish, false);
  assert.equal(talk.document(alice).mayPublishData, false, 'the bridge enforces it too');
});

test('subscriptions can be changed from outside', () => {
  const { talk, rooms } = world();
  const sid = publishMicrophone(talk, 'alice');
  const bob = talk.join('bob');
  const request = { room: 'talk', identity: 'bob', trackSids: [sid], subscribe: false };
  assert.ok(rooms.updateSubscriptions(new UpdateSubscriptionsRequest(request)).ok);
  assert.equal(bob.subscriptions.active.size, 0);
});

test('data goes to identities; SIDs are translated, and one of nobody does not mean everybody', async () => {
  const { talk, rooms, sent } = world();
  const alice = talk.join('alice');
  const data = new Uint8Array([1, 2]);
  const send = (fields: Partial<SendDataRequest>) =>
    rooms.sendData(new SendDataRequest({ room: 'talk', data, kind: DataPacket_Kind.LOSSY, topic: 't', ...fields }));
  await send({ destinationSids: [alice.sid] });
  await send({ destinationSids: ['PA_gone'] });
  await send({ kind: DataPacket_Kind.RELIABLE });
  assert.deepEqual(
    sent.map(({ kind, destinations }) => [kind, destinations]),
    [
      ['lossy', ['alice']],
      ['reliable', []],
    ],
  );
  const { value } = sent[0].packet;
  assert.ok(value.case === 'user' && value.value.topic === 't' && Buffer.from(value.value.payload).equals(data));
});

test('summaries are what the admin API shows', () => {
  const { talk, rooms } = world();
  const alice = talk.join('alice');
  const [summary] = rooms.summaries();
  assert.equal(summary.conferenceId, '00000007');
  const { sid } = alice;
  const expected = { identity: 'alice', sid, endpointId: '00000001', region: 'eu', bridge: 'eu-1', state: 'joined' };
  assert.deepEqual(summary.participants, [expected]);
});

test('tokens of a removed participant are revoked as of the given time, and only then', () => {
  const { talk, rooms, revoked } = world();
  for (const identity of ['alice', 'bob']) talk.join(identity);
  rooms.removeParticipant('talk', 'alice', 0);
  rooms.removeParticipant('talk', 'bob', 1_700_000_000);
  rooms.removeParticipant('talk', 'nobody', 1_700_000_000);
  assert.deepEqual(revoked, [['talk', 'bob', 1_700_000_000]]);
});

test('a participant that moves gets a token for the other room before it is told to reconnect, and has left', async () => {
  const { talk, rooms } = world();
  const alice = talk.join('alice');
  const bob = talk.join('bob');
  assert.ok((await rooms.moveParticipant('talk', 'alice', 'other')).ok);
  assert.deepEqual(talk.sent(alice, 'refreshToken'), ['token of alice for other']);
  assert.equal(talk.last(alice, 'leave')?.action, LeaveRequest_Action.RECONNECT);
  const cases = talk.outputs.flatMap(output =>
    output.kind === 'signal' && output.participantSid === alice.sid ? [output.message.case] : [],
  );
  assert.ok(cases.indexOf('refreshToken') < cases.indexOf('leave'));
  assert.equal(talk.last(bob, 'update')?.participants[0].state, ParticipantInfo_State.DISCONNECTED);
  assert.deepEqual([...talk.room.participants.keys()], ['bob']);
});

test('who cannot move stays: nowhere to go, nobody to tell, the same room, a full one', async () => {
  const { talk, rooms, host } = world();
  const alice = talk.join('alice');
  const refusal = async (destination: string, identity = 'alice') => {
    const answer = await rooms.moveParticipant('talk', identity, destination);
    return answer.ok ? 'moved' : answer.refusal;
  };
  assert.equal(await refusal(''), 'destination-missing');
  assert.equal(await refusal('x'.repeat(21)), 'room-name-too-long');
  assert.equal(await refusal('talk'), 'same-room');
  assert.equal(await refusal('other', 'nobody'), 'participant-not-found');
  alice.signalLostAtMs = talk.nowMs;
  assert.equal(await refusal('other'), 'participant-away');
  alice.signalLostAtMs = null;
  const full = new TestRoom();
  full.room.properties.participantsMax = 1;
  full.join('bob');
  const openRooms = { ...host, room: (name: string) => ({ talk: talk.room, full: full.room })[name] };
  const answer = await createRooms(openRooms).moveParticipant('talk', 'alice', 'full');
  assert.ok(!answer.ok && answer.refusal === 'room-full');
  const closed = await createRooms({ ...host, isAutoCreated: false }).moveParticipant('talk', 'alice', 'other');
  assert.ok(!closed.ok && closed.refusal === 'room-not-found');
  assert.deepEqual([...talk.room.participants.keys()], ['alice']);
  assert.equal(talk.last(alice, 'leave'), undefined);
});

test('who leaves while its token for the other room is being signed has not moved', async () => {
  const { talk, host } = world();
  const alice = talk.join('alice');
  const tokenFor = async () => {
    leave(talk.room, talk.nowMs, alice, LEFT_BY_ITSELF);
    talk.join('alice');
    return 'token';
  };
  const answer = await createRooms({ ...host, tokenFor }).moveParticipant('talk', 'alice', 'other');
  assert.ok(!answer.ok && answer.refusal === 'participant-not-found');
  assert.equal(talk.room.participants.size, 1);
});

test('a participant is forwarded when nothing speaks against it; else it is said what does', async () => {
  const { talk, rooms, host } = world();
  const alice = talk.join('alice');
  const { conferenceId } = talk.room.identity;
  talk.join('shadow', { forwards: { room: 'elsewhere', conferenceId, endpointId: alice.endpointId } });
  const other = new TestRoom({}, { name: 'other', id: 8 });
  const full = new TestRoom({}, { name: 'full', id: 9 });
  full.room.properties.participantsMax = 1;
  full.join('bob');
  other.join('bob');
  const open = { talk: talk.room, other: other.room, full: full.room };
  const room = (name: string) => (open as Record<string, Room | undefined>)[name];
  const forward = async (identity: string, destination: string, changes: Partial<RoomHost> = {}) => {
    const answer = await createRooms({ ...host, room, ...changes }).forwardParticipant('talk', identity, destination);
    return answer.ok ? answer.value : answer.refusal;
  };
  assert.equal(await forward('alice', 'other'), 'alice of talk in other');
  assert.equal(await forward('alice', 'new'), 'alice of talk in new');
  assert.equal(await forward('alice', 'new', { isAutoCreated: false }), 'room-not-found');
  assert.equal(await forward('alice', ''), 'destination-missing');
  assert.equal(await forward('alice', 'x'.repeat(21)), 'room-name-too-long');
  assert.equal(await forward('alice', 'talk'), 'same-room');
  assert.equal(await forward('alice', 'full'), 'room-full');
  assert.equal(await forward('nobody', 'other'), 'participant-not-found');
  assert.equal(await forward('shadow', 'other'), 'participant-forwarded');
  other.join('alice');
  assert.equal(await forward('alice', 'other'), 'identity-taken');
  const elsewhere = async () => ({ refusal: 'room-elsewhere' as const });
  assert.equal(await forward('alice', 'new', { forward: elsewhere }), 'room-elsewhere');
  assert.equal(rooms.summaries()[0].participants[1].forwardedFrom, 'elsewhere');
});

test('what is done to a participant itself is refused where it is only forwarded; removing it is not', async () => {
  const { talk, rooms } = world();
  const { conferenceId } = talk.room.identity;
  const shadow = talk.join('shadow', { forwards: { room: 'elsewhere', conferenceId, endpointId: 9 as EndpointId } });
  const request = { room: 'talk', identity: 'shadow' };
  const answers = [
    rooms.mutePublishedTrack('talk', 'shadow', 'TR_1', true),
    rooms.updateParticipant(new UpdateParticipantRequest({ ...request, name: 'x' })),
    rooms.updateSubscriptions(new UpdateSubscriptionsRequest({ ...request, trackSids: ['TR_1'], subscribe: true })),
    await rooms.moveParticipant('talk', 'shadow', 'other'),
  ];
  for (const answer of answers) assert.ok(!answer.ok && answer.refusal === 'participant-forwarded');
  assert.ok(rooms.removeParticipant('talk', 'shadow', 0).ok);
  assert.equal(shadow.state, 'disconnected');
});

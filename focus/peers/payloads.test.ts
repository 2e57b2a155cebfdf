/** What focuses say to each other in frames: comes out as it went in, and anything else is a DecodeError. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ClientInfo,
  CreateRoomRequest,
  JoinRequest,
  ParticipantInfo,
  Room,
  SendDataRequest,
  TrackInfo,
  UpdateParticipantRequest,
  UpdateSubscriptionsRequest,
} from '@livekit/protocol';
import fc from 'fast-check';
import { DecodeError } from '../../protocol/errors.ts';
import type { BridgeId, ConferenceId, EndpointId } from '../../protocol/ids.ts';
import { accessTokenOf } from '../api/access-token.ts';
import type { Answer } from '../conference/rooms.ts';
import { type Opening, readOpening, type TakenPlace, writeOpening } from './opening.ts';
import { readAnswer, readCall, readHello, writeJson } from './peer-messages.ts';
import {
  ROOM_METHODS,
  type RoomMethod,
  readArguments,
  readRoomAnswer,
  roomOfCall,
  writeArguments,
  writeRoomAnswer,
} from './room-calls.ts';

const overJson = (value: unknown) => JSON.parse(JSON.stringify(value)) as unknown;

const REQUESTS: Readonly<Record<RoomMethod, readonly unknown[]>> = {
  createRoom: [new CreateRoomRequest({ name: 'talk', metadata: 'm' })],
  deleteRoom: ['talk'],
  listParticipants: ['talk'],
  getParticipant: ['talk', 'alice'],
  removeParticipant: ['talk', 'alice', 5],
  moveParticipant: ['talk', 'alice', 'other'],
  forwardParticipant: ['talk', 'alice', 'other'],
  mutePublishedTrack: ['talk', 'alice', 'TR_1', true],
  updateParticipant: [new UpdateParticipantRequest({ room: 'talk', identity: 'alice', name: 'A' })],
  updateSubscriptions: [new UpdateSubscriptionsRequest({ room: 'talk', identity: 'alice', subscribe: true })],
  sendData: [new SendDataRequest({ room: 'talk', data: Uint8Array.of(0, 255) })],
  updateRoomMetadata: ['talk', ''],
  policy: ['talk'],
  setPolicy: ['talk', { kind: 'single' }],
};

const VALUES: Partial<Record<RoomMethod, unknown>> = {
  createRoom: new Room({ name: 'talk' }),
  listParticipants: [new ParticipantInfo({ identity: 'a' }), new ParticipantInfo({ identity: 'b' })],
  getParticipant: new ParticipantInfo({ identity: 'a' }),
  mutePublishedTrack: new TrackInfo({ sid: 'TR_1' }),
  updateParticipant: new ParticipantInfo({ identity: 'a' }),
  updateRoomMetadata: new Room({ name: 'talk' }),
  forwardParticipant: 'PA_2',
  policy: { byMetadata: null, byApi: null },
  setPolicy: { byMetadata: { sort_by: 'cpu' }, byApi: { kind: 'single' } },
};

test('every operation of the server API is carried with its arguments and its answer', () => {
  for (const method of ROOM_METHODS) {
    const args = REQUESTS[method];
    assert.equal(roomOfCall(method, args), 'talk', method);
    assert.deepEqual(overJson(readArguments(method, overJson(writeArguments(method, args)))), overJson(args), method);
    const answer: Answer<unknown> = { ok: true, value: VALUES[method] ?? null };
    assert.deepEqual(
      overJson(readRoomAnswer(method, overJson(writeRoomAnswer(method, answer)))),
      overJson(answer),
      method,
    );
  }
});

test('a refusal keeps its reason, its sentence and its detail', () => {
  const refused: Answer<unknown> = {
    ok: false,
    refusal: 'placement-invalid',
    message: 'what is said of the placement of the room is not valid',
    detail: 'kind',
  };
  const wire = writeJson({ ok: true, value: writeRoomAnswer('createRoom', refused) });
  const answer = readAnswer(wire);
  assert.deepEqual(readRoomAnswer('createRoom', answer.ok && answer.value), refused);
});

test('arguments and answers that no focus writes are refused', () => {
  for (const method of ROOM_METHODS) {
    for (const body of [null, {}, [], [null], [1], [{}], ['talk', {}]]) {
      assert.throws(() => readArguments(method, body), DecodeError, `${method} ${JSON.stringify(body)}`);
    }
    for (const body of [null, 1, {}, { ok: false }, { ok: false, refusal: 'toString' }]) {
      assert.throws(() => readRoomAnswer(method, body), DecodeError, `${method} ${JSON.stringify(body)}`);
    }
  }
  assert.throws(() => readRoomAnswer('getParticipant', { ok: true, value: 5 }), DecodeError);
  assert.throws(() => readRoomAnswer('listParticipants', { ok: true, value: 'AA==' }), DecodeError);
});

const place: TakenPlace = {
  conference: {
    conferenceId: 7 as ConferenceId,
    room: 'talk',
    roomSid: 'RM_1',
    owner: 'one',
    version: 3,
    createdAtMs: 1,
  },
  participant: {
    conferenceId: 7 as ConferenceId,
    endpointId: 2 as EndpointId,
    sid: 'PA_1',
    identity: 'alice',
    bridgeId: 'eu-1' as BridgeId,
    region: 'eu',
    owner: 'one',
    placedAtMs: 2,
  },
  placement: {
    bridgeId: 'eu-1' as BridgeId,
    bridgeRegion: 'eu',
    stress: 0.1,
    rule: 'least-loaded',
    policy: { kind: 'region', sort_by: 'stress', algorithm: 'lowest' },
    policyFrom: 'configuration',
    region: 'eu',
    placedFor: 'eu',
    considered: 1,
    candidates: [],
    at: 5,
  },
};

function opening(changes: Partial<Opening> = {}): Opening {
  const token = accessTokenOf('devkey', { sub: 'alice', exp: 100, video: { roomJoin: true, room: 'talk' } } as never);
  const client = new ClientInfo({ browser: 'firefox' });
  const admission = {
    token,
    grant: token.video!,
    room: 'talk',
    mayCreateRoom: true,
    request: new JoinRequest({ clientInfo: client, metadata: 'm' }),
    hasTwoConnections: false,
    client,
    metadata: 'm',
    attributes: { a: 'b' },
  };
  return {
    admission,
    region: { region: 'eu', rule: 'header', isHeaderIgnored: false },
    address: null,
    place: null,
    ...changes,
  };
}

test('an opening comes out as it went in, with a place and without', () => {
  for (const one of [opening(), opening({ place, address: '192.0.2.1' })]) {
    assert.deepEqual(readOpening(writeOpening(one)), one);
  }
});

test('an opening without a grant to join by, of another form, or of other bytes is refused', () => {
  const wire = JSON.parse(Buffer.from(writeOpening(opening({ place }))).toString()) as Record<string, unknown>;
  const broken = (changes: Record<string, unknown>) => Buffer.from(JSON.stringify({ ...wire, ...changes }));
  for (const changes of [
    { claims: { sub: 'alice', exp: 100 } },
    { claims: { sub: 'alice', video: {} } },
    { request: '//8=' },
    { place: { ...place, conference: { ...place.conference, conferenceId: 0 } } },
    { hasTwoConnections: 1 },
    { more: 1 },
  ]) {
    assert.throws(() => readOpening(broken(changes)), DecodeError, JSON.stringify(changes));
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), bytes => {
      for (const read of [readOpening, readHello, readCall, readAnswer]) assert.throws(() => read(bytes), DecodeError);
    }),
  );
});

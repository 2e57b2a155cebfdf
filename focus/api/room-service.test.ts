import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  DataPacket_Kind,
  ListRoomsRequest,
  ListRoomsResponse,
  ParticipantInfo,
  ParticipantPermission,
  TrackInfo,
} from '@livekit/protocol';
import { RoomServiceClient, type VideoGrant } from 'livekit-server-sdk';
import {
  API_KEY,
  API_SECRET,
  accepted,
  type Call,
  fakeRooms,
  type RunningApi,
  sampleRoom,
  startApi,
  token,
} from './api.fixture.ts';

const participant = () =>
  new ParticipantInfo({ sid: 'PA_1', identity: 'ann', permission: new ParticipantPermission({ canPublish: true }) });
const { rooms, calls } = fakeRooms({
  createRoom: Promise.resolve(accepted(sampleRoom())),
  listRooms: [sampleRoom()],
  deleteRoom: Promise.resolve(accepted(null)),
  listParticipants: accepted([participant()]),
  getParticipant: accepted(participant()),
  removeParticipant: accepted(null),
  moveParticipant: Promise.resolve(accepted(null)),
  forwardParticipant: Promise.resolve(accepted('PA_2')),
  mutePublishedTrack: accepted(new TrackInfo({ sid: 'TR_1', muted: true })),
  updateParticipant: accepted(participant()),
  updateSubscriptions: accepted(null),
  sendData: Promise.resolve(accepted(null)),
  updateRoomMetadata: accepted(sampleRoom()),
});
let api: RunningApi;
let client: RoomServiceClient;

before(async () => {
  api = await startApi(rooms);
  client = new RoomServiceClient(api.url, API_KEY, API_SECRET);
});
after(() => api.app.close());

async function lastCall(work: Promise<unknown>): Promise<Call> {
  await work;
  return calls.at(-1)!;
}

async function post(method: string, grant: VideoGrant | string | null, body: BodyInit, type = 'application/json') {
  const headers: Record<string, string> = { 'content-type': type };
  if (grant !== null) headers['authorization'] = typeof grant === 'string' ? grant : `Bearer ${await token(grant)}`;
  return fetch(`${api.url}/twirp/livekit.RoomService/${method}`, { method: 'POST', headers, body });
}

describe("LiveKit's server SDK", () => {
  test('creates, lists and deletes rooms', async () => {
    const room = await client.createRoom({ name: 'talk', emptyTimeout: 7, metadata: 'm' });
    assert.deepEqual([room.sid, room.name, room.numParticipants], ['RM_1', 'talk', 2]);
    const [method, request] = calls.at(-1) as [string, { name: string; emptyTimeout: number; metadata: string }];
    assert.deepEqual([method, request.name, request.emptyTimeout, request.metadata], ['createRoom', 'talk', 7, 'm']);

    assert.deepEqual(
      (await client.listRooms(['talk'])).map(({ sid }) => sid),
      ['RM_1'],
    );
    assert.deepEqual(calls.at(-1), ['listRooms', ['talk']]);
    assert.deepEqual(await lastCall(client.deleteRoom('talk')), ['deleteRoom', 'talk']);
  });

  test('reads and removes participants', async () => {
    assert.deepEqual(
      (await client.listParticipants('talk')).map(({ identity }) => identity),
      ['ann'],
    );
    assert.equal((await client.getParticipant('talk', 'ann')).permission?.canPublish, true);
    assert.deepEqual(calls.at(-1), ['getParticipant', 'talk', 'ann']);
    const removed = await lastCall(client.removeParticipant('talk', 'ann', { revokeTokenTs: 1_900_000_000n }));
    assert.deepEqual(removed, ['removeParticipant', 'talk', 'ann', 1_900_000_000]);
    const moved = await lastCall(client.moveParticipant('talk', 'ann', 'other'));
    assert.deepEqual(moved, ['moveParticipant', 'talk', 'ann', 'other']);
    const forwarded = await lastCall(client.forwardParticipant('talk', 'ann', 'other'));
    assert.deepEqual(forwarded, ['forwardParticipant', 'talk', 'ann', 'other']);
  });

  test('mutes, updates, subscribes', async () => {
    assert.equal((await client.mutePublishedTrack('talk', 'ann', 'TR_1', true)).muted, true);
    assert.deepEqual(calls.at(-1), ['mutePublishedTrack', 'talk', 'ann', 'TR_1', true]);

    await client.updateParticipant('talk', 'ann', {
      name: 'Ann',
      attributes: { a: '1' },
      permission: { canPublish: false },
    });
    const [, update] = calls.at(-1) as [
      string,
      { name: string; attributes: object; permission: { canPublish: boolean } },
    ];
    assert.deepEqual([update.name, update.attributes, update.permission.canPublish], ['Ann', { a: '1' }, false]);

    await client.updateSubscriptions('talk', 'ann', ['TR_1'], true);
    const [, subscription] = calls.at(-1) as [string, { trackSids: string[]; subscribe: boolean }];
    assert.deepEqual([subscription.trackSids, subscription.subscribe], [['TR_1'], true]);
  });

  test('sends data and sets metadata', async () => {
    await client.sendData('talk', new Uint8Array([1, 2, 3]), DataPacket_Kind.LOSSY, {
      topic: 't',
      destinationIdentities: ['ann'],
    });
    const [, data] = calls.at(-1) as [
      string,
      { data: Uint8Array; kind: number; topic: string; destinationIdentities: string[] },
    ];
    assert.deepEqual([...data.data], [1, 2, 3]);
    assert.deepEqual([data.kind, data.topic, data.destinationIdentities], [DataPacket_Kind.LOSSY, 't', ['ann']]);
    assert.deepEqual(await lastCall(client.updateRoomMetadata('talk', 'm')), ['updateRoomMetadata', 'talk', 'm']);
  });

  test('is told the code and text of a refusal', async () => {
    const other = await startApi(fakeRooms({}).rooms);
    try {
      const refused = new RoomServiceClient(other.url, API_KEY, API_SECRET).getParticipant('talk', 'ann');
      await assert.rejects(refused, { status: 404, code: 'not_found', message: 'requested room does not exist' });
    } finally {
      await other.app.close();
    }
  });

  test('with another secret is refused and nothing is done', async () => {
    const before = calls.length;
    const stranger = new RoomServiceClient(api.url, API_KEY, 'another-secret');
    await assert.rejects(stranger.listRooms(), {
      status: 401,
      code: 'unauthenticated',
      message: 'invalid authorization token',
    });
    const unknown = new RoomServiceClient(api.url, 'nokey', API_SECRET);
    await assert.rejects(unknown.listRooms(), { status: 401, message: 'invalid API key' });
    assert.equal(calls.length, before);
  });
});

describe('grants', () => {
  const body = JSON.stringify({ name: 'talk', room: 'talk', identity: 'ann' });
  const ofRoom = ['ListParticipants', 'GetParticipant', 'RemoveParticipant', 'MutePublishedTrack', 'UpdateParticipant'];
  const needs: readonly [method: string, grant: VideoGrant][] = [
    ['CreateRoom', { roomCreate: true }],
    ['DeleteRoom', { roomCreate: true }],
    ['ListRooms', { roomList: true }],
    ...[...ofRoom, 'UpdateSubscriptions', 'SendData', 'UpdateRoomMetadata'].map((method): [string, VideoGrant] => [
      method,
      { roomAdmin: true, room: 'talk' },
    ]),
  ];

  for (const [method, grant] of needs) {
    test(`${method} needs ${Object.keys(grant).join(' and ')}, and no other grant will do`, async () => {
      const others: VideoGrant = { roomCreate: true, roomList: true, roomAdmin: true, roomJoin: true, room: 'talk' };
      for (const key of Object.keys(grant)) delete others[key as keyof VideoGrant];
      const refused = await post(method, others, body);
      assert.equal(refused.status, 401);
      assert.deepEqual(await refused.json(), { code: 'unauthenticated', msg: 'permissions denied' });
      assert.equal((await post(method, grant, body)).status, 200);
    });
  }

  test('an admin of one room is none of another', async () => {
    assert.equal((await post('RemoveParticipant', { roomAdmin: true, room: 'other' }, body)).status, 401);
  });

  test('a request without a token, or with something else in its place, is refused', async () => {
    assert.deepEqual(await (await post('ListRooms', null, '{}')).json(), {
      code: 'unauthenticated',
      msg: 'permissions denied',
    });
    const basic = await post('ListRooms', 'Basic abc', '{}');
    assert.equal(basic.status, 401);
    assert.match(((await basic.json()) as { msg: string }).msg, /^invalid authorization header/);
  });
});

describe('the Twirp protocol', () => {
  const list = { roomList: true };

  test('protobuf in, protobuf out', async () => {
    const body = new ListRoomsRequest({ names: ['talk'] }).toBinary();
    const response = await post('ListRooms', list, Buffer.from(body), 'application/protobuf');
    assert.equal(response.headers.get('content-type'), 'application/protobuf');
    const { rooms: listed } = ListRoomsResponse.fromBinary(new Uint8Array(await response.arrayBuffer()));
    assert.deepEqual(
      listed.map(({ name }) => name),
      ['talk'],
    );
  });

  test('JSON answers have the names of the .proto file and every field', async () => {
    const answer = (await (await post('ListRooms', list, '{}')).json()) as { rooms: Record<string, unknown>[] };
    assert.equal(answer.rooms[0]!['num_participants'], 2);
    assert.equal(answer.rooms[0]!['max_participants'], 0);
  });

  test('unknown JSON fields are ignored, so that newer clients work', async () => {
    assert.equal((await post('ListRooms', list, '{"names":[],"from_the_future":1}')).status, 200);
  });

  test('what cannot be decoded is malformed', async () => {
    for (const body of ['{', '[]', '{"names":7}']) {
      const response = await post('ListRooms', list, body);
      assert.deepEqual([response.status, ((await response.json()) as { code: string }).code], [400, 'malformed']);
    }
    assert.equal((await post('ListRooms', list, Buffer.from([0xff]), 'application/protobuf')).status, 400);
  });

  test('a method, verb or content type that does not exist is a bad route', async () => {
    for (const method of ['Nothing', 'constructor', 'ListRooms/x']) {
      const response = await post(method, list, '{}');
      assert.deepEqual([response.status, ((await response.json()) as { code: string }).code], [404, 'bad_route']);
    }
    assert.equal((await post('ListRooms', list, '{}', 'text/plain')).status, 404);
    assert.equal((await fetch(`${api.url}/twirp/livekit.RoomService/ListRooms`)).status, 404);
  });

  test('what cannot be done whole is unimplemented, with the reason', async () => {
    const response = await post('PerformRpc', { roomAdmin: true, room: 'talk' }, JSON.stringify({ room: 'talk' }));
    const { code, msg } = (await response.json()) as { code: string; msg: string };
    assert.deepEqual([response.status, code], [501, 'unimplemented']);
    assert.match(msg, /^this method is not supported: send the request as a participant/);
  });

  test('moving and forwarding take the grant for the destination as well', async () => {
    const body = JSON.stringify({ room: 'talk', identity: 'ann', destination_room: 'other' });
    for (const destinationRoom of ['', 'third']) {
      for (const method of ['MoveParticipant', 'ForwardParticipant']) {
        assert.equal((await post(method, { roomAdmin: true, room: 'talk', destinationRoom }, body)).status, 401);
      }
    }
  });

  test('a nonce that is no UUID is refused', async () => {
    const body = JSON.stringify({ room: 'talk', nonce: Buffer.from('short').toString('base64') });
    assert.equal((await post('SendData', { roomAdmin: true, room: 'talk' }, body)).status, 400);
  });

  test('a body over the limit is refused with 413', async () => {
    const response = await post('ListRooms', list, JSON.stringify({ names: ['x'.repeat(70_000)] }));
    assert.equal(response.status, 413);
    assert.match(((await response.json()) as { msg: string }).msg, /limit\.max_api_request_body_size is 65536 bytes$/);
  });

  test('calls are counted by method and outcome, and made-up methods under one name', async () => {
    await post('ListRooms', list, '{}');
    await post('Made-up', list, '{}');
    const text = await api.metrics.registry.metrics();
    assert.match(text, /causeway_focus_api_calls_total\{method="ListRooms",code="ok"\} \d+/);
    assert.match(text, /causeway_focus_api_calls_total\{method="unknown",code="bad_route"\} \d+/);
    assert.doesNotMatch(text, /Made-up/);
  });

  test('a bug behind the API is answered without its details', async () => {
    const broken = fakeRooms({ createRoom: () => Promise.reject(new Error('secret detail')) });
    const other = await startApi(broken.rooms);
    try {
      const refused = new RoomServiceClient(other.url, API_KEY, API_SECRET).createRoom({ name: 'talk' });
      await assert.rejects(refused, { status: 500, code: 'internal', message: 'internal error' });
    } finally {
      await other.app.close();
    }
  });
});

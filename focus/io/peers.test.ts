/** Focuses that serve each other's rooms: clients at two of them see each other, and neither can tell. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { DisconnectReason, LeaveRequest, ParticipantInfo_State, UpdateParticipantMetadata } from '@livekit/protocol';
import { DataPacket_Kind, RoomServiceClient, type WebhookEvent } from 'livekit-server-sdk';
import { signServiceToken } from '../../protocol/control/service-token.ts';
import type { FocusNetwork } from '../api/focus-routes.ts';
import type { RoomSummary } from '../conference/rooms.ts';
import type { PlacementExplanation } from '../placement/placement.ts';
import { eventually } from './focus.fixture.ts';
import { joinActive, resume, SECRET, withNetwork } from './network.fixture.ts';
import { accessToken, SignalClient, signalUrl } from './signal-client.fixture.ts';
import { refusal } from './upgrade.fixture.ts';

const metrics = async (url: string) => (await fetch(`${url}/metrics`)).text();

test('two clients at two focuses are in one room: they see each other come, change and leave', () =>
  withNetwork(['one', 'two'], async (network, one, two) => {
    const alice = await SignalClient.open(one.url, await accessToken({ identity: 'alice' }));
    const aliceJoined = await alice.next('join');
    const token = await accessToken({
      identity: 'bob',
      video: { roomJoin: true, room: 'talk', canUpdateOwnMetadata: true },
    });
    const bob = await SignalClient.open(two.url, token);
    const bobJoined = await bob.next('join');

    assert.equal(bobJoined.room?.sid, aliceJoined.room?.sid);
    assert.deepEqual(
      bobJoined.otherParticipants.map(({ identity }) => identity),
      ['alice'],
    );
    await alice.until('update', ({ participants }) =>
      participants.some(({ sid }) => sid === bobJoined.participant?.sid),
    );
    assert.equal(await network.memory.owner('talk'), 'one');
    assert.equal(two.focus.host.rooms().length, 0, 'the room is at its home only');
    assert.deepEqual([...network.bridge.conferences.values()].length, 1);
    await eventually(() => network.bridge.endpoints.size === 2);

    bob.send({
      case: 'updateMetadata',
      value: new UpdateParticipantMetadata({ name: 'Robert', metadata: 'm', requestId: 1 }),
    });
    await alice.until('update', ({ participants }) => participants.some(({ name }) => name === 'Robert'));
    assert.match(await metrics(two.url), /causeway_focus_relayed_sessions\{[^}]*direction="out"[^}]*\} 1/);
    assert.match(await metrics(one.url), /causeway_focus_relayed_sessions\{[^}]*direction="in"[^}]*\} 1/);

    bob.send({ case: 'leave', value: new LeaveRequest() });
    const left = await alice.until(
      'update',
      ({ participants }) => participants[0]?.state === ParticipantInfo_State.DISCONNECTED,
    );
    assert.equal(left.participants[0].identity, 'bob');
    await bob.closed;
    await eventually(async () =>
      /causeway_focus_relayed_sessions\{[^}]*direction="out"[^}]*\} 0/.test(await metrics(two.url)),
    );
    alice.close();
  }));

test('of two that join as one identity at two focuses the one placed later stays, also when it is at the home before the other', () =>
  withNetwork(['one', 'two'], async ({ memory }, one, two) => {
    await SignalClient.join(one.url, 'alice');
    const letAnswer = memory.delayAnswers('two', 'assign');
    const older = await SignalClient.open(two.url, await accessToken({ identity: 'bob' }));
    await eventually(() => memory.calls.get('assign') === 2);
    const newer = await SignalClient.open(one.url, await accessToken({ identity: 'bob' }));
    const joined = await newer.next('join');
    letAnswer();
    assert.equal((await older.next('leave')).reason, DisconnectReason.DUPLICATE_IDENTITY);
    await older.closed;
    assert.deepEqual(await memory.participants('talk'), ['alice', 'bob']);
    assert.equal(one.focus.host.room('talk')?.participants.get('bob')?.sid, joined.participant?.sid);
    assert.ok(!newer.received.some(message => message.case === 'leave'));
  }));

test('the server API of any focus does its work at the home of the room', () =>
  withNetwork(['one', 'two'], async ({ bridge }, one, two) => {
    const alice = await SignalClient.join(one.url, 'alice');
    const api = new RoomServiceClient(two.url, 'devkey', 'secret');

    assert.deepEqual(
      (await api.listParticipants('talk')).map(({ identity }) => identity),
      ['alice'],
    );
    await api.updateParticipant('talk', 'alice', { name: 'Alice' });
    assert.equal((await api.getParticipant('talk', 'alice')).name, 'Alice');
    await api.updateRoomMetadata('talk', 'agenda');
    await alice.until('roomUpdate', ({ room }) => room?.metadata === 'agenda');
    const long = new Uint8Array(60_000).fill(7);
    await api.sendData('talk', long, DataPacket_Kind.RELIABLE, {});
    assert.ok(Buffer.from(bridge.messages[0]!.packet, 'base64').includes(long), 'more than one frame holds');
    await assert.rejects(api.mutePublishedTrack('talk', 'alice', 'TR_none', true), { status: 404, code: 'not_found' });
    assert.equal((await api.createRoom({ name: 'talk' })).metadata, 'agenda', 'it is open already');

    await api.createRoom({ name: 'other' });
    assert.deepEqual(
      (await new RoomServiceClient(one.url, 'devkey', 'secret').listRooms()).map(({ name }) => name),
      ['other', 'talk'],
    );
    await api.deleteRoom('talk');
    assert.equal((await alice.next('leave')).reason, DisconnectReason.ROOM_DELETED);
    assert.deepEqual(
      (await api.listRooms()).map(({ name }) => name),
      ['other'],
    );
  }));

test('a token that one focus was told to revoke is refused by all', () =>
  withNetwork(['one', 'two'], async (_network, one, two) => {
    await SignalClient.join(one.url, 'alice');
    const old = await accessToken({ identity: 'alice' });
    const api = new RoomServiceClient(two.url, 'devkey', 'secret');
    await api.removeParticipant('talk', 'alice', { revokeTokenTs: BigInt(Math.floor(Date.now() / 1000)) });
    for (const { url } of [one, two]) {
      assert.deepEqual(await refusal(signalUrl(url, old)), { status: 401, text: 'the token has been revoked' });
    }
  }));

test('the admin API shows all focuses, their rooms and placements, and names who does not answer', () =>
  withNetwork(
    ['one', 'two'],
    async (network, one, two) => {
      await SignalClient.join(one.url, 'alice');
      const bob = await SignalClient.join(two.url, 'bob');
      const headers = { authorization: `Bearer ${await signServiceToken(SECRET, 'test')}` };
      const get = async <T>(path: string) => (await (await fetch(new URL(path, two.url), { headers })).json()) as T;
      type Listed = { readonly rooms: readonly RoomSummary[]; readonly silent: readonly string[] };

      const { focuses, silent } = await get<Awaited<ReturnType<FocusNetwork['focuses']>>>('/v1/focuses');
      assert.deepEqual(silent, []);
      assert.deepEqual(
        focuses.map(({ focusId, rooms, sessions, relayedOut }) => [focusId, rooms, sessions, relayedOut]),
        [
          ['one', 1, 2, 0],
          ['two', 0, 0, 1],
        ],
      );
      assert.deepEqual(
        (await get<Listed>('/v1/rooms')).rooms.map(({ name }) => name),
        ['talk'],
      );
      assert.equal(
        (await get<PlacementExplanation>('/v1/placements/alice')).placement.candidates.length,
        1,
        'placed by the other focus',
      );

      one.way.freeze();
      await network.report();
      assert.deepEqual((await get<Listed>('/v1/rooms')).silent, ['one']);
      const refused = await fetch(new URL('/twirp/livekit.RoomService/ListRooms', two.url), {
        method: 'POST',
        headers: {
          authorization: `Bearer ${await accessToken({ video: { roomList: true } })}`,
          'content-type': 'application/json',
        },
        body: '{}',
      });
      assert.equal(refused.status, 503);
      assert.deepEqual(await refused.json(), { code: 'unavailable', msg: 'not every focus answers: one' });
      bob.close();
    },
    { 'peers.call_timeout_ms': 200 },
  ));

test('a room that nobody has opened is not found at any focus where rooms are not opened by themselves', () =>
  withNetwork(
    ['one', 'two'],
    async (_network, one, two) => {
      await new RoomServiceClient(one.url, 'devkey', 'secret').createRoom({ name: 'talk' });
      const alice = await SignalClient.join(two.url, 'alice');
      const elsewhere = await accessToken({ video: { roomJoin: true, room: 'nowhere' } });
      assert.equal((await refusal(signalUrl(two.url, elsewhere))).status, 404);
      alice.close();
    },
    { 'room.auto_create': false },
  ));

test('a link is refused without a service token', () =>
  withNetwork(['one'], async (_network, one) => {
    assert.equal((await refusal(new URL('/v1/peers', one.url))).status, 401);
  }));

test('what is no frame ends the link that it came on, and is counted', () =>
  withNetwork(['one'], async (_network, one) => {
    for (const [bytes, reason] of [
      [new Uint8Array([1, 2]), 'peer-frame-short'],
      [new Uint8Array([0x11, 0, 0, 0, 1]), 'peer-frame-kind'],
      [new Uint8Array([0x20, 0, 0, 0, 1, 0x7b]), 'peer-call'],
    ] as const) {
      const headers = { authorization: `Bearer ${await signServiceToken(SECRET, 'two')}` };
      const socket = new WebSocket(new URL('/v1/peers', one.url), { headers } as never);
      await new Promise(resolve => socket.addEventListener('open', resolve));
      const closed = new Promise(resolve => socket.addEventListener('close', resolve));
      socket.send(bytes);
      await closed;
      assert.match(await metrics(one.url), new RegExp(`peer_frames_refused_total\\{[^}]*reason="${reason}"[^}]*\\} 1`));
    }
    assert.match(await metrics(one.url), /causeway_focus_peer_links\{[^}]*direction="in"[^}]*\} 0/);
  }));

test('a focus that is too young for the view of focuses that others have keeps its rooms', () =>
  withNetwork(['one', 'two'], async ({ memory }, one, two) => {
    memory.unseen.add('one');
    const alice = await SignalClient.join(one.url, 'alice');
    const joining = SignalClient.join(two.url, 'bob');
    await new Promise(resolve => setTimeout(resolve, 600));
    memory.unseen.delete('one');
    const bob = await joining;
    assert.equal(await memory.owner('talk'), 'one');
    assert.equal(one.focus.host.rooms().length, 1);
    alice.close();
    bob.close();
  }));

test('a session that cannot be read is refused alone: the link and its other sessions go on', () =>
  withNetwork(['one'], async (_network, one) => {
    const headers = { authorization: `Bearer ${await signServiceToken(SECRET, 'two')}` };
    const socket = new WebSocket(new URL('/v1/peers', one.url), { headers } as never);
    socket.binaryType = 'arraybuffer';
    const kinds: number[] = [];
    const refused = new Promise(resolve =>
      socket.addEventListener('message', ({ data }) => {
        kinds.push(new Uint8Array(data as ArrayBuffer)[0]!);
        if (kinds.at(-1) === 0x12) resolve(undefined);
      }),
    );
    await new Promise(resolve => socket.addEventListener('open', resolve));
    socket.send(new Uint8Array([0x10, 0, 0, 0, 1, 0x7b]));
    await refused;
    assert.match(await metrics(one.url), /peer_frames_refused_total\{[^}]*reason="peer-opening"[^}]*\} 1/);
    assert.equal(socket.readyState, WebSocket.OPEN);
    socket.close();
  }));

test('a join at another focus than the home asks the store once for itself, and a second one leaves that to the home', () =>
  withNetwork(['one', 'two'], async ({ memory }, one, two) => {
    await SignalClient.join(one.url, 'alice');
    const asked = (method: string) => memory.calls.get(method) ?? 0;
    const before = [asked('assign'), asked('conference')];
    const bob = await SignalClient.join(two.url, 'bob');
    assert.deepEqual([asked('assign'), asked('conference')], [before[0]! + 1, before[1]]);
    await SignalClient.join(two.url, 'carol');
    assert.deepEqual([asked('assign'), asked('conference')], [before[0]! + 2, before[1]]);
    bob.close();
  }));

test('paths are told by any focus, of rooms that live at any other', () =>
  withNetwork(['one', 'two'], async (_network, one, two) => {
    await SignalClient.join(one.url, 'alice');
    const headers = { authorization: `Bearer ${await accessToken({ identity: 'alice' })}` };
    const answer = await fetch(new URL('/v1/rooms/talk/paths', two.url), { headers });
    assert.deepEqual((await answer.json()) as object, {
      summary: { participants: 1, bridges: 1, regions: 1 },
      participants: [],
    });
    const nobody = { authorization: `Bearer ${await accessToken({ identity: 'nobody' })}` };
    assert.equal((await fetch(new URL('/v1/rooms/talk/paths', two.url), { headers: nobody })).status, 404);
  }));

test('what happens in a room is told to webhooks once, by its home', async () => {
  const events: string[] = [];
  const receiver = createServer(async (request, response) => {
    const { event, participant } = JSON.parse(await text(request)) as WebhookEvent;
    events.push([event, participant?.identity].filter(Boolean).join(' '));
    response.writeHead(200).end();
  });
  await new Promise<void>(resolve => receiver.listen(0, '127.0.0.1', resolve));
  const { port } = receiver.address() as AddressInfo;
  const flags = { 'webhook.urls': [`http://127.0.0.1:${port}/`], 'webhook.api_key': 'devkey' };
  try {
    await withNetwork(
      ['one', 'two'],
      async (network, one, two) => {
        const alice = await joinActive(network, one, 'alice');
        const bob = await joinActive(network, two, 'bob');
        await network.kill(one);
        await Promise.all([alice.client.closed, bob.client.closed]);
        for (const [identity, sid] of [
          ['alice', alice.sid],
          ['bob', bob.sid],
        ] as const) {
          const client = await resume(two, identity, sid);
          client.send({ case: 'leave', value: new LeaveRequest() });
          await client.closed;
        }
        await eventually(() => events.includes('room_finished'));
      },
      flags,
    );
    const expected = [
      'participant_joined alice',
      'participant_joined bob',
      'participant_left alice',
      'participant_left bob',
    ];
    assert.deepEqual(events.toSorted(), [...expected, 'room_finished', 'room_started']);
  } finally {
    receiver.closeAllConnections();
    receiver.close();
  }
});

test('an entry whose store is away lets into rooms that it relays to, whose home places; of others, and new ones, it says that it cannot', () =>
  withNetwork(['one', 'two'], async (network, one, two) => {
    const alice = await SignalClient.join(one.url, 'alice');
    const bob = await SignalClient.join(two.url, 'bob');
    network.memory.away.add('two');
    const carol = await SignalClient.open(two.url, await accessToken({ identity: 'carol' }));
    assert.deepEqual(
      (await carol.next('join')).otherParticipants.map(({ identity }) => identity),
      ['alice', 'bob'],
    );
    const elsewhere = await accessToken({ identity: 'dan', video: { roomJoin: true, room: 'new' } });
    const dan = await SignalClient.open(two.url, elsewhere);
    assert.equal((await dan.next('leave')).reason, DisconnectReason.JOIN_FAILURE);
    assert.equal(two.focus.host.rooms().length, 0);
    for (const client of [alice, bob, carol]) client.close();
  }));

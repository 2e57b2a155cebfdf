import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  AddTrackRequest,
  DisconnectReason,
  LeaveRequest,
  LeaveRequest_Action,
  ParticipantInfo_State,
  Ping,
  SessionDescription,
  TrackType,
} from '@livekit/protocol';
import { pino } from 'pino';
import { parse } from 'sdp-transform';
import { offerSdp } from '../conference/offer.fixture.ts';
import { readFocusConfig } from '../config.ts';
import { startFocus } from '../service.ts';
import { eventually, focusOfSuite, withFocus } from './focus.fixture.ts';
import { accessToken, SignalClient, signalUrl } from './signal-client.fixture.ts';

describe('/rtc/v1 from socket to bridge', () => {
  const world = focusOfSuite();

  test('a join with the offer inside is answered at once, and its endpoint is on the bridge', async () => {
    const publisherOffer = new SessionDescription({ type: 'offer', sdp: offerSdp(), id: 1 });
    const client = await SignalClient.open(world.focus.url, await accessToken(), { publisherOffer });
    const join = await client.next('join');
    assert.equal(join.serverInfo?.nodeId, 'eu-1');
    assert.equal(join.serverInfo?.region, 'eu');
    assert.equal(join.participant?.attributes['causeway.bridge'], 'eu-1');
    assert.deepEqual([join.pingInterval, join.pingTimeout], [5, 15]);
    const answer = await client.next('answer');
    assert.equal(answer.id, 1);
    assert.equal(parse(answer.sdp).media[0].iceUfrag, 'brdg0');
    const [[conferenceId, conference]] = [...world.bridge.conferences];
    assert.deepEqual(
      conference.endpoints.map(({ identity }) => identity),
      ['alice'],
    );
    assert.deepEqual(
      conference.bridges.map(({ bridgeId }) => bridgeId),
      ['eu-1'],
    );
    assert.equal(world.bridge.endpoints.size, 1);
    world.bridge.emit({
      kind: 'endpoint',
      conferenceId,
      endpointId: conference.endpoints[0].endpointId,
      state: 'connected',
      reason: '',
    });
    await eventually(() => world.focus.host.room('talk')?.participants.get('alice')?.state === 'active');
    client.send({ case: 'leave', value: new LeaveRequest({ reason: DisconnectReason.CLIENT_INITIATED }) });
    assert.equal((await client.closed).code, 1000);
    await world.assertNothingLeft();
  });

  test('a track published by one is received by the other', async () => {
    const alice = await SignalClient.join(world.focus.url, 'alice');
    const bob = await SignalClient.join(world.focus.url, 'bob');
    bob.send({ case: 'offer', value: new SessionDescription({ type: 'offer', sdp: offerSdp(), id: 1 }) });
    await bob.next('answer');
    alice.send({ case: 'addTrack', value: new AddTrackRequest({ cid: 'mic', type: TrackType.AUDIO }) });
    const sid = (await alice.next('trackPublished')).track?.sid ?? '';
    const sdp = offerSdp({ tracks: [{ kind: 'audio', cid: 'mic' }] });
    alice.send({ case: 'offer', value: new SessionDescription({ type: 'offer', sdp, id: 1 }) });
    await alice.next('answer');
    await bob.until('update', ({ participants }) => participants[0].tracks.some(track => track.sid === sid));
    await bob.next('mediaSectionsRequirement');
    bob.send({ case: 'offer', value: new SessionDescription({ type: 'offer', sdp: offerSdp(), id: 2 }) });
    const answer = await bob.next('answer');
    assert.deepEqual(answer.midToTrackId, { '0': sid });
    assert.equal((await alice.next('trackSubscribed')).trackSid, sid);
    const [, subscriber] = [...world.bridge.endpoints.values()];
    assert.equal(subscriber.projections[0].mid, '0');
    alice.close();
    bob.close();
    await world.assertNothingLeft();
  });

  test('a second join of an identity: the first leaves with DUPLICATE_IDENTITY, one place is taken', async () => {
    const first = await SignalClient.join(world.focus.url, 'alice');
    const second = await SignalClient.join(world.focus.url, 'alice');
    const leave = await first.next('leave');
    assert.equal(leave.reason, DisconnectReason.DUPLICATE_IDENTITY);
    assert.equal(leave.action, LeaveRequest_Action.DISCONNECT);
    await first.closed;
    await eventually(() => world.bridge.endpoints.size === 1);
    assert.equal(world.focus.host.sessions, 1);
    second.close();
    await world.assertNothingLeft();
  });

  test('a client that vanishes before it is placed, or before its media is up, leaves nothing', async () => {
    const token = await accessToken();
    const url = signalUrl(world.focus.url, token);
    url.protocol = 'ws:';
    for (let i = 0; i < 5; i++) {
      const socket = new WebSocket(url);
      await new Promise(resolve => socket.addEventListener('open', resolve));
      socket.close();
    }
    const joined = await SignalClient.join(world.focus.url, 'bob');
    joined.close();
    await world.assertNothingLeft();
  });

  test('a dropped socket is resumed as the same participant; a stale SID has to start anew', async () => {
    const alice = await SignalClient.join(world.focus.url, 'alice');
    await eventually(
      () => world.bridge.endpoints.size === 1 && world.bridge.conferences.size === 1 && world.bridge.isHeard,
    );
    world.bridge.connectAll();
    await eventually(() => world.focus.host.room('talk')?.participants.get('alice')?.state === 'active');
    const participantSid = world.focus.host.room('talk')?.participants.get('alice')?.sid ?? '';
    alice.close();
    await alice.closed;
    const resumed = await SignalClient.open(world.focus.url, await accessToken(), { reconnect: true, participantSid });
    assert.equal((await resumed.next('reconnect')).serverInfo?.nodeId, 'eu-1');
    const update = await resumed.next('update');
    assert.equal(update.participants[0].sid, participantSid);
    const sdp = offerSdp({ ufrag: 'newone' });
    resumed.send({ case: 'offer', value: new SessionDescription({ type: 'offer', sdp, id: 1 }) });
    await resumed.next('answer');

    const stale = await SignalClient.open(world.focus.url, await accessToken(), {
      reconnect: true,
      participantSid: 'PA_stale',
    });
    const leave = await stale.next('leave');
    assert.deepEqual([leave.action, leave.reason], [LeaveRequest_Action.RECONNECT, DisconnectReason.STATE_MISMATCH]);
    resumed.close();
    await world.assertNothingLeft();
  });

  test('a killed client is gone for the others when its socket does not come back', async () => {
    const alice = await SignalClient.join(world.focus.url, 'alice');
    const bob = await SignalClient.join(world.focus.url, 'bob');
    await eventually(() => world.bridge.endpoints.size === 2 && world.bridge.isHeard);
    world.bridge.connectAll();
    await eventually(() => world.focus.host.room('talk')?.participants.get('alice')?.state === 'active');
    alice.close();
    await bob.until('update', ({ participants }) =>
      participants.some(({ identity, state }) => identity === 'alice' && state === ParticipantInfo_State.DISCONNECTED),
    );
    bob.close();
    await world.assertNothingLeft();
  });

  test('a frame over the limit closes the socket with 1009, a malformed one with 1007, and neither leaves anything', async () => {
    await withFocus({ 'limit.signal_message_size_limit': 10_000 }, async other => {
      const large = await SignalClient.join(other.focus.url, 'large');
      large.sendBytes(new Uint8Array(10_001));
      assert.equal((await large.closed).code, 1009);
      await other.assertNothingLeft();
    });
    const malformed = await SignalClient.join(world.focus.url, 'malformed');
    malformed.sendBytes(new Uint8Array([0xff, 0xff, 0xff, 0xff]));
    const closed = await malformed.closed;
    assert.deepEqual(closed, { code: 1007, reason: 'malformed signal request' });
    await world.assertNothingLeft();
  });

  test('an offer that cannot be read ends the session, without asking the client to try it again', async () => {
    const client = await SignalClient.join(world.focus.url, 'alice');
    client.send({ case: 'offer', value: new SessionDescription({ type: 'offer', sdp: 'v=0\r\nnonsense', id: 1 }) });
    const leave = await client.next('leave');
    assert.deepEqual([leave.action, leave.reason], [LeaveRequest_Action.DISCONNECT, DisconnectReason.STATE_MISMATCH]);
    assert.match((await client.closed).reason, /^offer refused: /);
    await world.assertNothingLeft();
  });

  test('requests over the rate close the socket with 1008', async () => {
    const client = await SignalClient.join(world.focus.url, 'alice');
    for (let i = 0; i < 1200; i++) client.send({ case: 'ping', value: 1n });
    assert.equal((await client.closed).code, 1008);
    await world.assertNothingLeft();
  });

  test('pings are answered, old and new', async () => {
    const client = await SignalClient.join(world.focus.url, 'alice');
    client.send({ case: 'ping', value: 1n });
    client.send({ case: 'pingReq', value: new Ping({ timestamp: 12n }) });
    assert.ok((await client.next('pong')) > 0n);
    assert.equal((await client.next('pongResp')).lastPingTimestamp, 12n);
    client.close();
    await world.assertNothingLeft();
  });

  test('a client that speaks JSON is answered in JSON', async () => {
    const client = await SignalClient.join(world.focus.url, 'alice');
    client.sendBytes('{"pingReq":{"timestamp":"12"}}');
    assert.equal((await client.next('pongResp')).lastPingTimestamp, 12n);
    client.close();
    await world.assertNothingLeft();
  });

  test('a refreshed token keeps the region and lets the client in again', async () => {
    const client = await SignalClient.join(world.focus.url, 'alice');
    const token = await client.next('refreshToken');
    const again = await SignalClient.open(world.focus.url, token);
    assert.equal((await again.next('join')).participant?.identity, 'alice');
    client.close();
    again.close();
    await world.assertNothingLeft();
  });

  test('speakers and quality of the bridge reach its clients under their SIDs', async () => {
    const alice = await SignalClient.join(world.focus.url, 'alice');
    await eventually(
      () => world.bridge.endpoints.size === 1 && world.bridge.conferences.size === 1 && world.bridge.isHeard,
    );
    const [conferenceId] = world.bridge.conferences.keys();
    const [endpointId] = world.bridge.endpoints.keys();
    const sid = world.focus.host.room('talk')?.participants.get('alice')?.sid;
    world.bridge.emit({ kind: 'speakers', conferenceId, speakers: [{ endpointId, level: 0.5, active: true }] });
    const loud = (await alice.next('speakersChanged')).speakers;
    assert.deepEqual(
      loud.map(speaker => [speaker.sid, speaker.level, speaker.active]),
      [[sid, 0.5, true]],
    );
    world.bridge.emit({ kind: 'speakers', conferenceId, speakers: [] });
    const quiet = (await alice.next('speakersChanged')).speakers;
    assert.deepEqual(
      quiet.map(speaker => [speaker.sid, speaker.level, speaker.active]),
      [[sid, 0, false]],
    );
    const quality = { endpointId, quality: 'good' as const, score: 4, rttMs: 12, lossUp: 0, lossDown: 0 };
    world.bridge.emit({ kind: 'quality', conferenceId, endpoints: [quality], links: [] });
    assert.equal((await alice.next('connectionQuality')).updates[0].participantSid, sid);
    alice.close();
    await world.assertNothingLeft();
  });

  test('a bridge that starts anew sends its clients to reconnect', async () => {
    const alice = await SignalClient.join(world.focus.url, 'alice');
    await eventually(() => world.bridge.endpoints.size === 1);
    world.bridge.restart();
    await world.bridge.register(world.focus.url);
    assert.equal((await alice.next('leave')).action, LeaveRequest_Action.RECONNECT);
    await world.assertNothingLeft();
  });

  test('no bridge: the client is told that the join failed', async () => {
    const lonely = await startFocus(
      readFocusConfig({ env: {}, flags: { port: 0, bind_addresses: ['127.0.0.1'], development: true } }),
      pino({ level: 'silent' }),
    );
    try {
      const client = await SignalClient.open(lonely.url, await accessToken());
      assert.equal((await client.next('leave')).reason, DisconnectReason.JOIN_FAILURE);
      assert.equal((await client.closed).reason, 'no bridge can take a participant now');
      assert.equal(lonely.host.sessions, 0);
    } finally {
      await lonely.close();
    }
  });

  test('closing tells every client to leave, frees the bridge and ends within two seconds', async () => {
    await withFocus({}, async other => {
      const client = await SignalClient.join(other.focus.url, 'alice');
      await eventually(() => other.bridge.endpoints.size === 1);
      const startedAtMs = performance.now();
      await other.focus.close();
      assert.ok(performance.now() - startedAtMs < 2_000);
      const leave = await client.next('leave');
      assert.deepEqual(
        [leave.action, leave.reason],
        [LeaveRequest_Action.DISCONNECT, DisconnectReason.SERVER_SHUTDOWN],
      );
      await client.closed;
      assert.equal(other.bridge.endpoints.size, 0);
    });
  });
});

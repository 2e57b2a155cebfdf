/** `/rtc` from socket to bridge: clients with two PeerConnections, beside those with one. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  AddTrackRequest,
  LeaveRequest_Action,
  SessionDescription,
  SignalTarget,
  TrackType,
  TrickleRequest,
} from '@livekit/protocol';
import { parse } from 'sdp-transform';
import { offerSdp } from '../conference/offer.fixture.ts';
import { answerSdp } from '../sdp/answer.fixture.ts';
import { eventually, focusOfSuite, withFocus } from './focus.fixture.ts';
import { accessToken, SignalClient } from './signal-client.fixture.ts';

describe('clients with two PeerConnections', () => {
  const world = focusOfSuite();

  /** Takes what it is offered. */
  function answer(client: SignalClient, offer: SessionDescription, ufrag = 'rcvr'): void {
    const value = new SessionDescription({ type: 'answer', sdp: answerSdp(offer.sdp, { ufrag }), id: offer.id });
    client.send({ case: 'answer', value });
  }

  async function joinOlder(identity: string, parameters: Record<string, string> = {}) {
    const client = await SignalClient.openOlder(world.focus.url, await accessToken({ identity }), parameters);
    return { client, join: await client.next('join') };
  }

  test('a client is offered its receiving side, publishes on the other, and leaves neither behind', async () => {
    const { client: ann, join } = await joinOlder('ann');
    assert.deepEqual([join.subscriberPrimary, join.fastPublish], [true, true]);
    const metrics = await (await fetch(`${world.focus.url}/metrics`)).text();
    assert.match(metrics, /causeway_focus_sessions_total\{path="\/rtc".*\} 1/);
    const offer = await ann.next('offer');
    assert.equal(parse(offer.sdp).media[0].iceUfrag, 'brdg0');
    answer(ann, offer);
    const bob = await SignalClient.join(world.focus.url, 'bob');
    bob.send({ case: 'addTrack', value: new AddTrackRequest({ cid: 'mic', type: TrackType.AUDIO }) });
    const sid = (await bob.next('trackPublished')).track?.sid ?? '';
    const sdp = offerSdp({ tracks: [{ kind: 'audio', cid: 'mic' }] });
    bob.send({ case: 'offer', value: new SessionDescription({ type: 'offer', sdp, id: 1 }) });
    const second = await ann.next('offer');
    assert.deepEqual(second.midToTrackId, { '1': sid });
    answer(ann, second);
    assert.equal((await bob.next('trackSubscribed')).trackSid, sid);

    for (const target of [SignalTarget.PUBLISHER, SignalTarget.SUBSCRIBER]) {
      const candidateInit = JSON.stringify({ candidate: 'candidate:1 1 udp 1 192.0.2.9 9 typ host', sdpMid: '0' });
      ann.send({ case: 'trickle', value: new TrickleRequest({ candidateInit, target }) });
    }
    ann.send({ case: 'addTrack', value: new AddTrackRequest({ cid: 'cam', type: TrackType.VIDEO }) });
    const published = await ann.next('trackPublished');
    const own = offerSdp({ audio: 0, video: 0, tracks: [{ kind: 'video', cid: 'cam' }] });
    ann.send({ case: 'offer', value: new SessionDescription({ type: 'offer', sdp: own, id: 1 }) });
    assert.equal(parse((await ann.next('answer')).sdp).media[1].direction, 'recvonly');
    await bob.until('update', ({ participants }) =>
      participants[0].tracks.some(track => track.sid === published.track?.sid),
    );
    assert.deepEqual(
      [...world.bridge.endpoints.values()].map(({ identity, dataChannels }) => `${identity} ${dataChannels}`).sort(),
      ['ann from-client', 'ann to-client', 'bob undefined'],
    );
    assert.equal([...world.bridge.conferences.values()][0].endpoints.length, 2, 'the mesh knows one endpoint of each');
    ann.close();
    bob.close();
    await world.assertNothingLeft();
  });

  test('who turns auto-subscription off is offered data only', async () => {
    const { client: ann } = await joinOlder('ann', { auto_subscribe: '0' });
    answer(ann, await ann.next('offer'));
    const { client: bob } = await joinOlder('bob');
    bob.send({ case: 'addTrack', value: new AddTrackRequest({ cid: 'mic', type: TrackType.AUDIO }) });
    const sdp = offerSdp({ audio: 0, video: 0, tracks: [{ kind: 'audio', cid: 'mic' }] });
    bob.send({ case: 'offer', value: new SessionDescription({ type: 'offer', sdp, id: 1 }) });
    await ann.until('update', ({ participants }) => participants[0].tracks.length > 0);
    ann.send({ case: 'ping', value: 1n });
    await ann.next('pong');
    assert.ok(!ann.received.some(message => message.case === 'offer'));
    ann.close();
    bob.close();
    await world.assertNothingLeft();
  });

  test('parameters name the room of a token for any room, and a second connection that only sends; the fresh token knows the room', async () => {
    const token = await accessToken({ identity: 'ann', video: { roomJoin: true } });
    const ann = await SignalClient.openOlder(world.focus.url, token, { room: 'talk' });
    assert.equal((await ann.next('join')).room?.name, 'talk');
    const screen = await SignalClient.openOlder(world.focus.url, token, { room: 'talk', publish: 'screen' });
    const { participant, otherParticipants } = await screen.next('join');
    assert.deepEqual(
      [participant?.identity, participant?.permission?.canPublish, participant?.permission?.canSubscribe],
      ['ann#screen', true, false],
    );
    assert.deepEqual(
      otherParticipants.map(({ identity }) => identity),
      ['ann'],
    );
    const fresh = await screen.next('refreshToken');
    const again = await SignalClient.openOlder(world.focus.url, fresh, { publish: 'screen' });
    assert.equal((await again.next('join')).participant?.identity, 'ann#screen');
    assert.equal((await screen.next('leave')).action, LeaveRequest_Action.DISCONNECT);
    for (const client of [ann, again]) client.close();
    await world.assertNothingLeft();
  });

  test('a dropped socket is resumed with a new ICE generation; by the other path it has to start anew', async () => {
    const { client: first, join } = await joinOlder('ann');
    answer(first, await first.next('offer'));
    await eventually(
      () => world.bridge.endpoints.size === 2 && world.bridge.conferences.size === 1 && world.bridge.isHeard,
    );
    world.bridge.connectAll();
    await eventually(() => world.focus.host.room('talk')?.participants.get('ann')?.state === 'active');
    const sid = join.participant?.sid ?? '';
    first.close();
    await first.closed;
    const token = await accessToken({ identity: 'ann' });
    const again = await SignalClient.openOlder(world.focus.url, token, { reconnect: '1', sid });
    await again.next('reconnect');
    const offer = await again.next('offer');
    assert.equal(parse(offer.sdp).media[0].iceUfrag, 'brdg1');
    answer(again, offer, 'newu');
    await eventually(() =>
      [...world.bridge.endpoints.values()].some(({ iceGeneration, ice }) => iceGeneration === 1 && ice !== null),
    );
    const other = await SignalClient.open(world.focus.url, token, { reconnect: true, participantSid: sid });
    const leave = await other.next('leave');
    assert.equal(leave.action, LeaveRequest_Action.RECONNECT);
    again.close();
    await world.assertNothingLeft();
  });

  test('an answer that cannot be read ends the session, without asking the client to try it again', async () => {
    const { client } = await joinOlder('ann');
    const { id } = await client.next('offer');
    client.send({ case: 'answer', value: new SessionDescription({ type: 'answer', sdp: 'nonsense', id }) });
    assert.equal((await client.next('leave')).action, LeaveRequest_Action.DISCONNECT);
    assert.equal((await client.closed).reason, 'answer refused: malformed');
    await world.assertNothingLeft();
  });

  test('the second endpoint of a participant of another focus is no leftover; one that the store does not know is', async () => {
    await withFocus({}, async other => {
      const client = await SignalClient.openOlder(other.focus.url, await accessToken());
      answer(client, await client.next('offer'));
      await eventually(() => other.bridge.endpoints.size === 2 && other.bridge.isHeard);
      const [conferenceId] = [...other.bridge.conferences.keys()];
      const { host } = other.focus;
      const room = host.room('talk');
      assert.ok(room !== undefined);
      // From here on it is a room of another focus, of which only the store knows.
      host.directory.remove(room);
      const known = [...other.bridge.endpoints.keys()];
      other.bridge.endpoints.set('8000fff0', [...other.bridge.endpoints.values()][0]);
      for (const endpointId of [...known, '8000fff0']) {
        other.bridge.emit({ kind: 'endpoint', conferenceId, endpointId, state: 'connected', reason: '' });
      }
      // Long enough for a store that has lost something to get it back.
      let afterMs = 0;
      await eventually(async () => {
        afterMs += 10_000;
        await host.leftovers.handleTick(Date.now() + afterMs);
        return !other.bridge.endpoints.has('8000fff0');
      });
      assert.deepEqual([...other.bridge.endpoints.keys()], known);
      host.directory.add(room);
      client.close();
      await other.assertNothingLeft();
    });
  });
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  AddTrackRequest,
  ClientInfo,
  LeaveRequest_Action,
  SessionDescription,
  TrackSource,
  TrackType,
  UpdateSubscription,
} from '@livekit/protocol';
import { parse } from 'sdp-transform';
import type { BridgeEvent } from '../../protocol/control/events.ts';
import { formatId } from '../../protocol/ids.ts';
import { type AnswerShape, answerSdp } from '../sdp/answer.fixture.ts';
import { type ConferenceEvent, handleBridgeEvent } from './bridge-events.ts';
import type { EndpointDocument } from './endpoint-spec.ts';
import { handleSignalLost, LEFT_BY_ITSELF, leave, resume } from './joining.ts';
import { handleOffer, requestOffer } from './negotiating.ts';
import { type OfferShape, offerSdp } from './offer.fixture.ts';
import { handleAnswer, handleTaken } from './offering.ts';
import type { Participant } from './participant.ts';
import { addTrack } from './publishing.ts';
import { participantEndpointId, type ReceivingSide, receivingEndpointId } from './receiving-side.ts';
import { EVERYTHING, TestRoom, TRANSPORT } from './room.fixture.ts';
import { updateSubscriptions } from './subscribing.ts';
import { handleTimeout } from './timeouts.ts';

const TWO = { hasTwoConnections: true, client: new ClientInfo({ protocol: 15 }) };

function receivingOf(participant: Participant): ReceivingSide {
  assert.ok(participant.receiving !== null);
  return participant.receiving;
}

/** The client's answer, to the newest offer unless it says otherwise. */
function answer(
  world: TestRoom,
  participant: Participant,
  shape: AnswerShape = {},
  offer = world.last(participant, 'offer'),
  id = offer?.id,
): void {
  assert.ok(offer !== undefined, 'nothing was offered');
  const sdp = answerSdp(offer.sdp, shape);
  handleAnswer(world.room, participant, new SessionDescription({ type: 'answer', sdp, id }));
  world.settle();
}

/** A camera that is announced and offered, over one connection or two. */
function publishCamera(world: TestRoom, participant: Participant, shape: OfferShape = {}): string {
  const cid = `${participant.identity}-cam`;
  addTrack(world.room, participant, new AddTrackRequest({ cid, type: TrackType.VIDEO, source: TrackSource.CAMERA }));
  const sdp = offerSdp({ audio: 0, video: 0, tracks: [{ kind: 'video', cid }], ...shape });
  handleOffer(world.room, participant, new SessionDescription({ type: 'offer', sdp, id: 1 }));
  world.settle();
  return participant.publications.published()[0].sid;
}

function receivingDocument(world: TestRoom, participant: Participant): EndpointDocument {
  return world.document(participant, receivingOf(participant));
}

function endpointEvent(endpointId: Participant['endpointId'], state: 'connected' | 'gone'): ConferenceEvent {
  return { kind: 'endpoint', conferenceId: '00000007', endpointId: formatId(endpointId), state, reason: '' };
}

function qualityEvent(endpoints: [Participant['endpointId'], 'excellent' | 'poor' | 'lost', number | null][]) {
  const event: BridgeEvent = {
    kind: 'quality',
    conferenceId: '00000007',
    endpoints: endpoints.map(([id, quality, rttMs]) => {
      return {
        endpointId: formatId(id),
        quality,
        score: quality === 'excellent' ? 4 : 2,
        rttMs,
        lossUp: 0,
        lossDown: 0,
      };
    }),
    links: [],
  };
  return event;
}

describe('joining with two connections', () => {
  test('a client is offered data channels at once, and told that receiving is what counts', () => {
    const world = new TestRoom();
    const ann = world.join('ann', TWO);
    assert.equal(world.last(ann, 'join')?.subscriberPrimary, true);
    assert.equal(world.last(ann, 'join')?.fastPublish, true);
    const offer = world.last(ann, 'offer');
    assert.equal(offer?.type, 'offer');
    assert.deepEqual(
      parse(offer?.sdp ?? '').media.map(({ type, iceUfrag }) => [type, iceUfrag]),
      [['application', TRANSPORT.ice.ufrag]],
    );
    assert.equal(receivingDocument(world, ann).dataChannels, 'to-client');
    assert.equal(receivingDocument(world, ann).mayPublishData, false);
    assert.equal(world.document(ann).dataChannels, 'from-client');
  });

  test('a client with one connection is not offered anything, and its document has no word of it', () => {
    const world = new TestRoom();
    const ann = world.join('ann');
    assert.equal(ann.receiving, null);
    assert.equal(world.last(ann, 'join')?.subscriberPrimary, false);
    assert.equal(world.sent(ann, 'offer').length, 0);
    assert.ok(!('dataChannels' in world.document(ann)));
  });

  test('who only looks on is one endpoint until it publishes, who may not subscribe until it may', () => {
    const world = new TestRoom();
    const permissions = { ...EVERYTHING, canPublish: false, canPublishData: false };
    const viewer = world.join('viewer', { ...TWO, permissions });
    assert.equal(world.last(viewer, 'join')?.fastPublish, false);
    assert.throws(() => world.document(viewer), /no document/);
    receivingDocument(world, viewer);

    const speaker = world.join('speaker', { ...TWO, permissions: { ...EVERYTHING, canSubscribe: false } });
    assert.equal(world.last(speaker, 'join')?.subscriberPrimary, false);
    assert.equal(world.sent(speaker, 'offer').length, 0);
    assert.equal(world.document(speaker).dataChannels, undefined, 'data goes both ways where it is opened');
    assert.throws(() => receivingDocument(world, speaker), /no document/);
  });

  test('the older of the older clients have their publishing connection for the first', () => {
    const world = new TestRoom();
    const ann = world.join('ann', { ...TWO, client: new ClientInfo({ protocol: 2 }) });
    assert.equal(world.last(ann, 'join')?.subscriberPrimary, false);
    publishCamera(world, world.join('bob'));
    const [offer] = world.sent(ann, 'offer');
    assert.deepEqual(
      parse(offer.sdp).media.map(({ type }) => type),
      ['video'],
      'no data channels where data is the business of the other connection',
    );
    assert.equal(receivingDocument(world, ann).dataChannels, 'none');
  });

  test('the id of the second endpoint follows from that of the first, and back', () => {
    const world = new TestRoom();
    const ann = world.join('ann', TWO);
    const { endpointId } = receivingOf(ann);
    assert.equal(endpointId, receivingEndpointId(ann.endpointId));
    assert.equal(formatId(endpointId), '80000001');
    assert.deepEqual([ann.endpointId, endpointId].map(participantEndpointId), [ann.endpointId, ann.endpointId]);
    assert.equal(world.room.withEndpoint(endpointId), ann);
  });
});

describe('tracks for a client with two connections', () => {
  test('a track is offered by name, and sent when the client has answered that it takes it', () => {
    const world = new TestRoom();
    const ann = world.join('ann', TWO);
    answer(world, ann);
    const bob = world.join('bob');
    const sid = publishCamera(world, bob);
    const offer = world.last(ann, 'offer');
    assert.deepEqual(offer?.midToTrackId, { '1': sid });
    assert.match(offer?.sdp ?? '', new RegExp(`a=msid:${bob.sid}\\|${sid} ${sid}\r\n`));
    assert.deepEqual(receivingDocument(world, ann).projections, []);
    assert.equal(world.sent(bob, 'trackSubscribed').length, 0);
    answer(world, ann);
    const { projections, ice, codecs } = receivingDocument(world, ann);
    assert.deepEqual([projections.length, projections[0].mid, ice?.ufrag], [1, '1', 'rcvr']);
    assert.ok(parse(offer?.sdp ?? '').media[1].ssrcs?.some(({ id }) => id === projections[0].ssrc));
    assert.deepEqual(
      codecs.map(({ codec }) => codec),
      ['vp8', 'h264'],
    );
    assert.equal(world.last(bob, 'trackSubscribed')?.trackSid, sid);
    assert.deepEqual(world.document(ann).projections, [], 'the publishing endpoint receives nothing');
  });

  test('one offer is under way at most: what comes meanwhile is in the next, all of it', () => {
    const world = new TestRoom();
    const ann = world.join('ann', TWO);
    const first = world.last(ann, 'offer');
    world.clear();
    for (const name of ['bob', 'cid', 'dee']) publishCamera(world, world.join(name));
    assert.equal(world.sent(ann, 'offer').length, 0, 'the first is not answered');
    answer(world, ann, {}, first, 99);
    assert.equal(world.sent(ann, 'offer').length, 0, 'an answer to another offer is none');
    answer(world, ann, {}, first, 0);
    const [second, ...more] = world.sent(ann, 'offer');
    assert.deepEqual([parse(second.sdp).media.length, second.id, more.length], [4, 2, 0]);
    answer(world, ann);
    assert.equal(receivingDocument(world, ann).projections.length, 3);
    world.clear();
    answer(world, ann, {}, second);
    assert.deepEqual(world.outputs, [], 'nothing waits for a second answer');
  });

  test('the section of a track that ends is empty for one offer, then the next of its kind has it', () => {
    const world = new TestRoom();
    const ann = world.join('ann', TWO);
    answer(world, ann);
    const bob = world.join('bob');
    publishCamera(world, bob);
    answer(world, ann);
    leave(world.room, world.nowMs, bob, LEFT_BY_ITSELF);
    const cid = world.join('cid');
    publishCamera(world, cid);
    const directions = () => parse(world.last(ann, 'offer')?.sdp ?? '').media.map(({ direction }) => direction);
    assert.deepEqual(directions(), [undefined, 'inactive']);
    answer(world, ann);
    assert.deepEqual(directions(), [undefined, 'sendonly'], 'and not one section more');
    answer(world, ann);
    const dee = world.join('dee');
    const sid = publishCamera(world, dee);
    leave(world.room, world.nowMs, cid, LEFT_BY_ITSELF);
    world.settle();
    answer(world, ann);
    assert.equal(world.document(ann, receivingOf(ann)).projections.length, 1);
    assert.equal(ann.sections.get(sid), '2', 'a track keeps its section while others go');
  });

  test('a subscription that ends is sent no more at once, before any answer', () => {
    const world = new TestRoom();
    const ann = world.join('ann', TWO);
    answer(world, ann);
    const sid = publishCamera(world, world.join('bob'));
    answer(world, ann);
    const unsubscribe = new UpdateSubscription({ trackSids: [sid], subscribe: false });
    updateSubscriptions(world.room, ann, unsubscribe);
    world.settle();
    assert.deepEqual(receivingDocument(world, ann).projections, []);
    updateSubscriptions(world.room, ann, new UpdateSubscription({ trackSids: [sid], subscribe: true }));
    world.settle();
    answer(world, ann);
    answer(world, ann);
    assert.equal(receivingDocument(world, ann).projections.length, 1);
  });

  test('a track whose section the client rejects is not sent, and not offered again and again', () => {
    const world = new TestRoom();
    const ann = world.join('ann', TWO);
    answer(world, ann);
    publishCamera(world, world.join('bob'));
    const offers = receivingOf(ann).offerId;
    answer(world, ann, { rejected: ['1'] });
    assert.deepEqual(receivingDocument(world, ann).projections, []);
    assert.equal(receivingOf(ann).offerId, offers);
  });

  test('changes of one side are not sent to the other endpoint', () => {
    const world = new TestRoom();
    const ann = world.join('ann', TWO);
    answer(world, ann);
    publishCamera(world, ann);
    world.clear();
    publishCamera(world, world.join('bob'));
    answer(world, ann);
    const sentTo = world.outputs.flatMap(output => (output.kind === 'endpoint' ? [output.endpointId] : []));
    assert.ok(sentTo.includes(receivingOf(ann).endpointId));
    assert.ok(!sentTo.includes(ann.endpointId));
  });
});

describe('publishing with two connections', () => {
  test('a track is published by an offer and an answer, and its source is at the first endpoint', () => {
    const world = new TestRoom();
    const ann = world.join('ann', TWO);
    const bob = world.join('bob');
    publishCamera(world, ann);
    assert.equal(parse(world.last(ann, 'answer')?.sdp ?? '').media[1].direction, 'recvonly');
    assert.equal(world.document(ann).sources.length, 1);
    assert.equal(receivingDocument(world, ann).sources.length, 0);
    assert.equal(world.last(bob, 'update')?.participants[0].tracks.length, 1);
    assert.equal(world.sent(ann, 'mediaSectionsRequirement').length, 0);
  });

  test('a track that is announced after its section was offered needs no further offer', () => {
    const world = new TestRoom();
    const ann = world.join('ann', TWO);
    const bob = world.join('bob');
    const sdp = offerSdp({ audio: 0, video: 0, tracks: [{ kind: 'video', cid: 'cam' }] });
    handleOffer(world.room, ann, new SessionDescription({ type: 'offer', sdp, id: 1 }));
    world.settle();
    assert.equal(parse(world.last(ann, 'answer')?.sdp ?? '').media[1].direction, 'recvonly', 'it may send');
    assert.deepEqual(world.document(ann).sources, [], 'and its bridge drops it until it has a name');
    world.clear();
    const request = new AddTrackRequest({ cid: 'cam', type: TrackType.VIDEO, source: TrackSource.CAMERA });
    assert.equal(addTrack(world.room, ann, request), true);
    requestOffer(world.room, ann);
    world.settle();
    assert.equal(world.document(ann).sources.length, 1);
    assert.equal(world.last(bob, 'update')?.participants[0].tracks.length, 1);
    assert.equal(world.sent(ann, 'mediaSectionsRequirement').length, 0);
  });

  test('who may not publish is answered that nothing is taken', () => {
    const world = new TestRoom();
    const ann = world.join('ann', { ...TWO, permissions: { ...EVERYTHING, canPublish: false } });
    const sdp = offerSdp({ audio: 0, video: 0, tracks: [{ kind: 'video', cid: 'cam' }] });
    handleOffer(world.room, ann, new SessionDescription({ type: 'offer', sdp, id: 1 }));
    world.settle();
    assert.equal(parse(world.last(ann, 'answer')?.sdp ?? '').media[1].direction, 'inactive');
  });
});

describe('what becomes of a session with two connections', () => {
  test('it is up when its receiving side is; the end of either side is the end of both', () => {
    const world = new TestRoom();
    const ann = world.join('ann', TWO);
    const event = (endpointId: Participant['endpointId'], state: 'connected' | 'gone') =>
      handleBridgeEvent(world.room, world.nowMs, ann.bridgeId, endpointEvent(endpointId, state));
    event(ann.endpointId, 'connected');
    assert.equal(ann.state, 'joined');
    event(receivingOf(ann).endpointId, 'connected');
    assert.equal(ann.state, 'active');
    event(ann.endpointId, 'gone');
    event(receivingOf(ann).endpointId, 'connected');
    world.nowMs += 1_000;
    handleTimeout(world.room, world.nowMs);
    world.settle();
    assert.equal(ann.state, 'disconnected');
    assert.equal(world.last(ann, 'leave')?.action, LeaveRequest_Action.RECONNECT);
    const removed = world.outputs.flatMap(output => (output.kind === 'endpoint-removed' ? [output.endpointId] : []));
    assert.deepEqual(removed, [ann.endpointId, receivingOf(ann).endpointId]);
    assert.equal(world.room.withEndpoint(receivingOf(ann).endpointId), undefined);
  });

  test('its quality is that of its worse side, its round trip the one that is known; a side not used does not count', () => {
    const world = new TestRoom();
    const ann = world.join('ann', TWO);
    const { endpointId } = receivingOf(ann);
    const report = (...rows: Parameters<typeof qualityEvent>[0]) =>
      handleBridgeEvent(world.room, world.nowMs, ann.bridgeId, qualityEvent(rows) as ConferenceEvent);
    const measured = () => world.room.measurements.endpoint(ann.endpointId);
    report([ann.endpointId, 'lost', null], [endpointId, 'lost', null]);
    assert.equal(measured(), undefined);
    handleBridgeEvent(world.room, world.nowMs, ann.bridgeId, endpointEvent(endpointId, 'connected'));
    report([ann.endpointId, 'lost', null], [endpointId, 'excellent', 20]);
    assert.deepEqual(measured(), { quality: 'excellent', score: 4, rttMs: 20 });
    handleBridgeEvent(world.room, world.nowMs, ann.bridgeId, endpointEvent(ann.endpointId, 'connected'));
    report([ann.endpointId, 'poor', null], [endpointId, 'excellent', 20]);
    assert.deepEqual(measured(), { quality: 'poor', score: 2, rttMs: 20 });
  });

  test('a resume brings a new ICE generation, offered with all that is to be received; media goes on meanwhile', () => {
    const world = new TestRoom();
    const ann = world.join('ann', TWO);
    answer(world, ann);
    publishCamera(world, world.join('bob'));
    answer(world, ann);
    const { endpointId } = receivingOf(ann);
    handleBridgeEvent(world.room, world.nowMs, ann.bridgeId, endpointEvent(endpointId, 'connected'));
    handleSignalLost(world.room, world.nowMs, ann);
    publishCamera(world, world.join('cid'));
    world.clear();
    resume(world.room, ann);
    world.settle();
    const offers = world.sent(ann, 'offer');
    assert.deepEqual([offers.length, parse(offers[0].sdp).media.length], [1, 3]);
    const { iceGeneration, ice, projections } = receivingDocument(world, ann);
    assert.deepEqual([iceGeneration, ice, projections.length], [1, null, 1]);
    answer(world, ann, { ufrag: 'newu' });
    const after = receivingDocument(world, ann);
    assert.deepEqual([after.iceGeneration, after.ice?.ufrag, after.projections.length], [1, 'newu', 2]);
  });

  test('a transport of the generation before is not offered as that of the new one', () => {
    const world = new TestRoom();
    const ann = world.join('ann', TWO);
    answer(world, ann);
    const receiving = receivingOf(ann);
    const before = receiving.revision;
    handleBridgeEvent(world.room, world.nowMs, ann.bridgeId, endpointEvent(receiving.endpointId, 'connected'));
    handleSignalLost(world.room, world.nowMs, ann);
    world.clear();
    resume(world.room, ann);
    handleTaken(world.room, ann, receiving.endpointId, before, TRANSPORT);
    world.settleUnanswered();
    handleTaken(world.room, ann, receiving.endpointId, before, TRANSPORT);
    world.settleUnanswered();
    assert.equal(world.sent(ann, 'offer').length, 0);
    handleTaken(world.room, ann, receiving.endpointId, receiving.revision, TRANSPORT);
    world.settleUnanswered();
    assert.equal(world.sent(ann, 'offer').length, 1);
  });

  test('a late answer to an offer before the restart is not taken for that of the new generation', () => {
    const world = new TestRoom();
    const ann = world.join('ann', TWO);
    answer(world, ann);
    publishCamera(world, world.join('bob'));
    const before = world.last(ann, 'offer');
    const receiving = receivingOf(ann);
    handleBridgeEvent(world.room, world.nowMs, ann.bridgeId, endpointEvent(receiving.endpointId, 'connected'));
    handleSignalLost(world.room, world.nowMs, ann);
    resume(world.room, ann);
    world.settle();
    answer(world, ann, {}, before, 0);
    assert.notEqual(receiving.unanswered, null);
    assert.equal(receivingDocument(world, ann).ice, null);
    answer(world, ann, { ufrag: 'newu' }, world.last(ann, 'offer'), 0);
    assert.equal(receivingDocument(world, ann).ice?.ufrag, 'newu');
  });

  test('who does not answer for 15 s is to come anew; who is away owes no answer', () => {
    const world = new TestRoom({ handshakeTimeoutMs: 60_000, resumeTimeoutMs: 60_000 });
    const [ann, bob] = [world.join('ann', TWO), world.join('bob', TWO)];
    const { endpointId } = receivingOf(bob);
    handleBridgeEvent(world.room, world.nowMs, bob.bridgeId, endpointEvent(endpointId, 'connected'));
    handleSignalLost(world.room, world.nowMs, bob);
    for (let ms = 0; ms < 14_750; ms += 250) {
      handleTimeout(world.room, world.nowMs);
      world.nowMs += 250;
    }
    world.settle();
    assert.equal(ann.state, 'joined');
    world.nowMs += 250;
    handleTimeout(world.room, world.nowMs);
    world.settle();
    assert.equal(ann.state, 'disconnected');
    assert.equal(world.last(ann, 'leave')?.action, LeaveRequest_Action.RECONNECT);
    assert.equal(bob.state, 'active');
  });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AddTrackRequest, ClientInfo, SessionDescription, TrackType, UpdateSubscription } from '@livekit/protocol';
import fc from 'fast-check';
import type { BridgeId } from '../../protocol/ids.ts';
import { answerSdp } from '../sdp/answer.fixture.ts';
import type { EndpointDocument } from './endpoint-spec.ts';
import { activate, handleSignalLost, LEFT_BY_ITSELF, leave, resume } from './joining.ts';
import { handleOffer } from './negotiating.ts';
import { type OfferedTrack, offerSdp } from './offer.fixture.ts';
import { handleAnswer } from './offering.ts';
import type { Participant } from './participant.ts';
import { addTrack } from './publishing.ts';
import type { ReceivingSide } from './receiving-side.ts';
import { EVERYTHING, TestRoom } from './room.fixture.ts';
import { updateSubscriptions } from './subscribing.ts';
import { handleTimeout } from './timeouts.ts';

const BRIDGES = ['eu-1', 'us-1', 'ap-1'] as BridgeId[];
type Step = readonly [action: keyof typeof ACTIONS, who: number, what: number];

/** What each client of the test has offered: it keeps its sections, as real ones do. */
class World extends TestRoom {
  readonly sections = new Map<string, { tracks: OfferedTrack[]; moreAudio: number; moreVideo: number }>();

  /** Joins with two connections: each is two endpoints. */
  joinedWithTwo = 0;

  participant(who: number): Participant | undefined {
    return [...this.room.participants.values()][who % Math.max(1, this.room.participants.size)];
  }

  offer(participant: Participant): void {
    const shape = this.sections.get(participant.sid) ?? { tracks: [], moreAudio: 0, moreVideo: 0 };
    this.sections.set(participant.sid, shape);
    const sdp = offerSdp({ audio: 1, video: 1, ...shape });
    handleOffer(this.room, participant, new SessionDescription({ type: 'offer', sdp, id: 1 }));
  }
}

const ACTIONS = {
  join: (world: World, who: number, what: number) => {
    // Every other one has two connections, of whom every third may not subscribe when it comes.
    world.joinedWithTwo += who % 2 === 0 ? 1 : 0;
    world.join(`p${who % 6}`, {
      bridgeId: BRIDGES[what % BRIDGES.length],
      hasTwoConnections: who % 2 === 0,
      permissions: { ...EVERYTHING, canSubscribe: what % 6 !== 5 },
      client: new ClientInfo({ protocol: 15 }),
    });
  },
  activate: (world: World, who: number) => withSomebody(world, who, each => activate(world.room, each)),
  leave: (world: World, who: number) =>
    withSomebody(world, who, each => leave(world.room, world.nowMs, each, LEFT_BY_ITSELF)),
  loseSignal: (world: World, who: number) =>
    withSomebody(world, who, each => handleSignalLost(world.room, world.nowMs, each)),
  resume: (world: World, who: number) =>
    withSomebody(world, who, each => {
      if (each.signalLostAtMs !== null) resume(world.room, each);
    }),
  wait: (world: World, _who: number, what: number) => {
    world.nowMs += what * 500;
    handleTimeout(world.room, world.nowMs);
  },
  publish: (world: World, who: number, what: number) =>
    withSomebody(world, who, each => {
      const kind = what % 2 === 0 ? 'audio' : 'video';
      const cid = `${each.sid}-${what}`;
      const type = kind === 'audio' ? TrackType.AUDIO : TrackType.VIDEO;
      addTrack(world.room, each, new AddTrackRequest({ cid, type }));
      const shape = world.sections.get(each.sid) ?? { tracks: [], moreAudio: 0, moreVideo: 0 };
      // After more sections were added for receiving, a new track would come behind them: this test's offers cannot say so.
      if (shape.moreAudio + shape.moreVideo > 0) return;
      world.sections.set(each.sid, { ...shape, tracks: [...shape.tracks, { kind, cid }] });
      world.offer(each);
    }),
  unpublish: (world: World, who: number, what: number) =>
    withSomebody(world, who, each => {
      const shape = world.sections.get(each.sid);
      if (shape === undefined || shape.tracks.length === 0) return;
      shape.tracks[what % shape.tracks.length] = {
        ...shape.tracks[what % shape.tracks.length],
        direction: 'inactive',
      };
      world.offer(each);
    }),
  answer: (world: World, who: number, what: number) =>
    withSomebody(world, who, each => {
      const offer = world.last(each, 'offer');
      if (offer === undefined || each.receiving === null) return;
      // Now and then a client does not take a section.
      const sdp = answerSdp(offer.sdp, { ufrag: ufragOf(each.receiving), rejected: what === 11 ? ['1'] : [] });
      handleAnswer(world.room, each, new SessionDescription({ sdp, id: offer.id }));
    }),
  offer: (world: World, who: number) => withSomebody(world, who, each => world.offer(each)),
  addSections: (world: World, who: number, what: number) =>
    withSomebody(world, who, each => {
      const shape = world.sections.get(each.sid);
      if (shape === undefined) return;
      // Video goes behind audio: only what was not offered before can still be added in front of it.
      if (shape.moreVideo === 0) shape.moreAudio += what % 2;
      else shape.moreVideo += 1;
      if (what % 3 === 0) shape.moreVideo += 1;
      world.offer(each);
    }),
  subscribe: (world: World, who: number, what: number) =>
    withSomebody(world, who, each => {
      const sids = [...world.room.publishers.keys()];
      if (sids.length === 0) return;
      const request = new UpdateSubscription({ trackSids: [sids[what % sids.length]], subscribe: what % 2 === 0 });
      updateSubscriptions(world.room, each, request);
    }),
};

/** New in each generation, as ICE has it. */
function ufragOf({ iceGeneration }: ReceivingSide): string {
  return `rcv${iceGeneration}`;
}

/** A client that answers every offer is at rest after a few, with all that it is to receive. */
function settleOffers(world: World, participant: Participant): void {
  const { receiving, subscriptions } = participant;
  if (receiving === null) return;
  for (let round = 0; receiving.unanswered !== null; round++) {
    assert.ok(round < 4, 'it is offered something again and again');
    const offer = world.last(participant, 'offer');
    assert.ok(offer !== undefined);
    handleAnswer(
      world.room,
      participant,
      new SessionDescription({ sdp: answerSdp(offer.sdp, { ufrag: ufragOf(receiving) }), id: offer.id }),
    );
    world.settle();
  }
  const placed = receiving.places.flatMap(({ track }) => (track === null ? [] : [track.sid]));
  assert.deepEqual(placed.sort(), [...subscriptions.active.keys()].sort(), 'not all is offered');
}

function withSomebody(world: World, who: number, act: (participant: Participant) => void): void {
  const participant = world.participant(who);
  if (participant !== undefined) act(participant);
}

/** What its bridge knows of a participant, of both its endpoints when it is two. */
function documentsOf(world: World, participant: Participant): Pick<EndpointDocument, 'sources' | 'projections'> {
  const { receiving } = participant;
  if (receiving === null) return world.document(participant);
  const { sources, projections } = world.document(participant);
  assert.equal(projections.length, 0, 'the publishing endpoint is sent media');
  if (receiving.document === null) return { sources, projections };
  const second = world.document(participant, receiving);
  assert.equal(second.sources.length, 0, 'the receiving endpoint sends media');
  const offered = new Set(
    receiving.places.flatMap(({ mid, track }) => (track === null ? [] : [`${mid} ${track.ssrc}`])),
  );
  for (const { mid, ssrc } of second.projections) {
    const isOffered: boolean = offered.has(`${mid} ${ssrc}`) || receiving.unanswered !== null;
    assert.ok(isOffered, 'a projection that was not offered');
  }
  return { sources, projections: second.projections };
}

function checkInvariants(world: World): void {
  const { room } = world;
  for (const [sid, publisher] of room.publishers) {
    assert.equal(room.participants.get(publisher.identity), publisher, 'a track of somebody who is not there');
    assert.ok(publisher.publications.find(sid)?.section, 'an announced track without a section');
  }
  for (const participant of room.participants.values()) {
    const { sources, projections } = documentsOf(world, participant);
    assert.equal(new Set(sources.map(({ sourceId }) => sourceId)).size, sources.length);
    assert.equal(new Set(projections.map(({ mid }) => mid)).size, projections.length, 'two tracks on one section');
    const ssrcs = projections.flatMap(({ ssrc, rtxSsrc }) => (rtxSsrc === null ? [ssrc] : [ssrc, rtxSsrc]));
    assert.equal(new Set(ssrcs).size, ssrcs.length, 'an SSRC used twice');
    for (const { origin, sourceId, kind } of projections) {
      const publisher = [...room.participants.values()].find(each => Number.parseInt(origin, 16) === each.endpointId);
      assert.ok(publisher !== undefined && publisher !== participant, 'a projection of nobody, or of oneself');
      const source = documentsOf(world, publisher).sources.find(each => each.sourceId === sourceId);
      assert.equal(source?.kind, kind, 'a projection of a source that its bridge does not know');
    }
    for (const sid of participant.subscriptions.active.keys()) {
      assert.ok(room.publishers.has(sid), 'a subscription to a track that is not there');
    }
  }
}

test('whatever participants do, documents refer only to what is there, and nothing stays of who has left', () => {
  const step = fc.tuple(
    fc.constantFrom(...(Object.keys(ACTIONS) as Step[0][])),
    fc.nat({ max: 11 }),
    fc.nat({ max: 11 }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150, size: 'max' }), (steps: Step[]) => {
      const world = new World();
      for (const who of [0, 1, 2]) ACTIONS.join(world, who, who);
      for (const [action, who, what] of steps) {
        ACTIONS[action](world, who, what);
        world.settle();
        checkInvariants(world);
      }
      const joined = world.outputs.filter(({ kind }) => kind === 'joined').length;
      const answersOwed = [...world.room.participants.values()].filter(each => each.signalLostAtMs === null);
      for (const each of answersOwed) settleOffers(world, each);
      for (const each of [...world.room.participants.values()]) leave(world.room, world.nowMs, each, LEFT_BY_ITSELF);
      world.settle();
      assert.equal(world.room.publishers.size, 0);
      assert.equal(
        world.outputs.filter(({ kind }) => kind === 'endpoint-removed').length,
        joined + world.joinedWithTwo,
      );
      assert.equal(world.outputs.filter(({ kind }) => kind === 'left').length, joined);
      const tracks = world.outputs.flatMap(output => (output.kind === 'tracks' ? [output.audio + output.video] : []));
      assert.equal(
        tracks.reduce((sum, n) => sum + n, 0),
        0,
        'tracks are counted up and down alike',
      );
    }),
    { numRuns: 150 },
  );
});

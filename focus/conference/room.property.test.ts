import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SessionDescription } from '@livekit/protocol';
import fc from 'fast-check';
import { answerSdp } from '../sdp/answer.fixture.ts';
import type { EndpointDocument } from './endpoint-spec.ts';
import { LEFT_BY_ITSELF, leave } from './joining.ts';
import { handleAnswer } from './offering.ts';
import type { Participant } from './participant.ts';
import { ACTIONS, type Step, ufragOf, World } from './room-world.fixture.ts';

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

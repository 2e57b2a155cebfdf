import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AddTrackRequest, SessionDescription, TrackSource, TrackType } from '@livekit/protocol';
import { parse } from 'sdp-transform';
import { LEFT_BY_ITSELF, leave } from './joining.ts';
import { handleOffer, handleTransport } from './negotiating.ts';
import { type OfferShape, offerSdp } from './offer.fixture.ts';
import type { Participant } from './participant.ts';
import { addTrack } from './publishing.ts';
import { TestRoom, TRANSPORT } from './room.fixture.ts';

function offer(test: TestRoom, participant: Participant, shape: OfferShape = {}, id = 1): void {
  handleOffer(test.room, participant, new SessionDescription({ type: 'offer', sdp: offerSdp(shape), id }));
}

function announceCamera(test: TestRoom, participant: Participant, cid: string): void {
  const request = new AddTrackRequest({ cid, type: TrackType.VIDEO, source: TrackSource.CAMERA });
  addTrack(test.room, participant, request);
}

/** A participant with a camera that is published. */
function publisher(test: TestRoom, identity: string): Participant {
  const participant = test.join(identity);
  announceCamera(test, participant, `${identity}-cam`);
  offer(test, participant, { tracks: [{ kind: 'video', cid: `${identity}-cam`, rids: ['f', 'h', 'q'] }] });
  test.settle();
  return participant;
}

function sidOf(participant: Participant): string {
  return participant.publications.published()[0].sid;
}

test('an offer is answered with its own id, when the bridge has taken the document that it led to', () => {
  const world = new TestRoom();
  const alice = world.join('alice');
  offer(world, alice, {}, 5);
  world.settleUnanswered();
  assert.equal(world.sent(alice, 'answer').length, 0);
  const { revision } = alice;
  handleTransport(world.room, alice, revision - 1, TRANSPORT);
  world.settleUnanswered();
  assert.equal(world.sent(alice, 'answer').length, 0, 'an older document knows nothing of the offer');
  handleTransport(world.room, alice, revision, TRANSPORT);
  world.settleUnanswered();
  const answer = world.last(alice, 'answer');
  assert.equal(answer?.id, 5);
  assert.equal(parse(answer?.sdp ?? '').media.length, 7);
});

test("the bridge is told the client's transport, and each source with its layers from the smallest up", () => {
  const world = new TestRoom();
  const alice = publisher(world, 'alice');
  const document = world.document(alice);
  assert.equal(document.ice?.ufrag, 'clnt');
  assert.equal(document.dtls?.setup, 'actpass');
  assert.deepEqual(document.sources, [
    { sourceId: 0, kind: 'video', mid: '7', rids: ['q', 'h', 'f'], ssrcs: [], rtxSsrcs: [], muted: false },
  ]);
});

test('a track is announced to others only when its section has been answered', () => {
  const world = new TestRoom();
  const alice = world.join('alice');
  const bob = world.join('bob');
  announceCamera(world, alice, 'cam');
  offer(world, alice, { tracks: [{ kind: 'video', cid: 'cam' }] });
  world.settleUnanswered();
  assert.equal(
    world.sent(bob, 'update').some(({ participants }) => participants[0].tracks.length > 0),
    false,
  );
  handleTransport(world.room, alice, alice.revision, TRANSPORT);
  world.settle();
  const told = world.last(bob, 'update')?.participants[0];
  assert.equal(told?.identity, 'alice');
  assert.equal(told?.tracks[0].mid, '7');
});

test('a late joiner has every track in the answer to its first offer, named by mid', () => {
  const world = new TestRoom();
  const alice = publisher(world, 'alice');
  const bob = world.join('bob');
  offer(world, bob);
  world.settle();
  const answer = world.last(bob, 'answer');
  assert.deepEqual(answer?.midToTrackId, { '3': sidOf(alice) });
  const section = parse(answer?.sdp ?? '').media[3];
  assert.equal(section.direction, 'sendonly');
  assert.match(answer?.sdp ?? '', new RegExp(`a=msid:${alice.sid}\\|${sidOf(alice)} ${sidOf(alice)}\r\n`));
  const [projection] = world.document(bob).projections;
  assert.equal(projection.origin, '00000001');
  assert.equal(projection.mid, '3');
  assert.ok(
    section.ssrcs?.some(({ id }) => id === projection.ssrc),
    'the answer declares the SSRC the bridge sends',
  );
});

test('a new track that fits into free sections still takes an offer: a requirement of none is sent, once', () => {
  const world = new TestRoom();
  const bob = world.join('bob');
  offer(world, bob);
  world.settle();
  world.clear();
  const alice = publisher(world, 'alice');
  world.settle();
  const [requirement, ...more] = world.sent(bob, 'mediaSectionsRequirement');
  assert.deepEqual([requirement?.numAudios, requirement?.numVideos], [0, 0]);
  assert.equal(more.length, 0);
  assert.deepEqual(world.document(bob).projections, [], 'nothing is sent on a section that was not answered so');
  offer(world, bob, {}, 2);
  world.settle();
  assert.deepEqual(Object.values(world.last(bob, 'answer')?.midToTrackId ?? {}), [sidOf(alice)]);
  assert.equal(world.document(bob).projections.length, 1);
});

test('a client without room is asked for exactly the sections that lack, and not twice for the same', () => {
  const world = new TestRoom();
  const bob = world.join('bob');
  offer(world, bob, { audio: 0, video: 1 });
  world.settle();
  for (const identity of ['a', 'b', 'c']) publisher(world, identity);
  world.settle();
  const asked = world.sent(bob, 'mediaSectionsRequirement').map(({ numVideos }) => numVideos);
  assert.equal(
    asked.reduce((sum, n) => sum + n, 0),
    2,
  );
  offer(world, bob, { audio: 0, video: 1, moreVideo: 2 }, 2);
  world.settle();
  assert.equal(Object.keys(world.last(bob, 'answer')?.midToTrackId ?? {}).length, 3);
});

test('a client that offers too few sections is asked again after its answer', () => {
  const world = new TestRoom();
  publisher(world, 'a');
  publisher(world, 'b');
  const bob = world.join('bob');
  offer(world, bob, { audio: 0, video: 1 });
  world.settle();
  assert.equal(Object.keys(world.last(bob, 'answer')?.midToTrackId ?? {}).length, 1);
  assert.equal(world.last(bob, 'mediaSectionsRequirement')?.numVideos, 1);
});

test('a section freed by one track carries the next, under another SSRC', () => {
  const world = new TestRoom();
  const alice = publisher(world, 'alice');
  const bob = world.join('bob');
  offer(world, bob, { audio: 0, video: 1 });
  world.settle();
  const [first] = world.document(bob).projections;
  leave(world.room, world.nowMs, alice, LEFT_BY_ITSELF);
  world.settle();
  assert.deepEqual(world.document(bob).projections, []);
  const carol = publisher(world, 'carol');
  offer(world, bob, { audio: 0, video: 1 }, 2);
  world.settle();
  const [second] = world.document(bob).projections;
  assert.equal(second.mid, first.mid);
  assert.notEqual(second.ssrc, first.ssrc);
  assert.deepEqual(world.last(bob, 'answer')?.midToTrackId, { '0': sidOf(carol) });
});

test('when a track has ended its subscriber is asked to offer, and its section is answered inactive', () => {
  const world = new TestRoom();
  const alice = publisher(world, 'alice');
  const bob = world.join('bob');
  offer(world, bob);
  world.settle();
  world.clear();
  offer(world, alice, { tracks: [{ kind: 'video', cid: 'alice-cam', direction: 'inactive' }] }, 2);
  world.settle();
  assert.deepEqual(world.last(bob, 'update')?.participants[0].tracks, []);
  assert.equal(world.sent(bob, 'mediaSectionsRequirement').length, 1);
  offer(world, bob, {}, 2);
  world.settle();
  assert.equal(parse(world.last(bob, 'answer')?.sdp ?? '').media[3].direction, 'inactive');
  assert.deepEqual(world.document(alice).sources, []);
});

test('new ICE credentials in an offer are an ICE restart: the next generation', () => {
  const world = new TestRoom();
  const alice = world.join('alice');
  offer(world, alice, { ufrag: 'aaaa' });
  world.settle();
  assert.equal(world.document(alice).iceGeneration, 0);
  offer(world, alice, { ufrag: 'aaaa' }, 2);
  world.settle();
  assert.equal(world.document(alice).iceGeneration, 0);
  offer(world, alice, { ufrag: 'bbbb' }, 3);
  world.settle();
  assert.equal(world.document(alice).iceGeneration, 1);
});

test('media that was not announced is refused in the answer, and asked for again when it is', () => {
  const world = new TestRoom();
  const alice = world.join('alice');
  const tracks = [{ kind: 'video' as const, cid: 'cam' }];
  offer(world, alice, { tracks });
  world.settle();
  assert.equal(parse(world.last(alice, 'answer')?.sdp ?? '').media[7].direction, 'inactive');
  const request = new AddTrackRequest({ cid: 'cam', type: TrackType.VIDEO, source: TrackSource.CAMERA });
  assert.equal(addTrack(world.room, alice, request), true);
});

test('the publisher is told once that somebody subscribed', () => {
  const world = new TestRoom();
  const alice = publisher(world, 'alice');
  for (const identity of ['bob', 'carol']) {
    offer(world, world.join(identity));
    world.settle();
  }
  assert.deepEqual(
    world.sent(alice, 'trackSubscribed').map(({ trackSid }) => trackSid),
    [sidOf(alice)],
  );
});

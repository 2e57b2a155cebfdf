/** A focus dies at any moment; another one has the room from its fields, and its clients resume there. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AddTrackRequest, SessionDescription, SyncState, TrackPublishedResponse, TrackType } from '@livekit/protocol';
import { answerSdp } from '../../sdp/answer.fixture.ts';
import { activate, handleSignalLost, resume, syncState } from '../joining.ts';
import { handleOffer } from '../negotiating.ts';
import { offerSdp } from '../offer.fixture.ts';
import { handleAnswer } from '../offering.ts';
import type { Participant } from '../participant.ts';
import { addTrack } from '../publishing.ts';
import { handleTimeout } from '../timeouts.ts';
import { RoomSnapshots } from './room-snapshots.ts';
import { SnapshotWorld } from './snapshot-world.fixture.ts';
import { takeOver } from './take-over.ts';

const CID = 'cam';

/** Anna publishes a camera; Ben receives. `hasTwo`: both have two connections. */
function meeting(hasTwo: boolean) {
  const world = new SnapshotWorld();
  const anna = world.join('anna', { hasTwoConnections: hasTwo });
  const ben = world.join('ben', { hasTwoConnections: hasTwo });
  offer(world, anna, [], 'anna1');
  if (!hasTwo) offer(world, ben, [], 'benn1');
  for (const each of [anna, ben]) activate(world.room, each);
  world.settle();
  answerAll(world);
  return { world, anna, ben };
}

function offer(world: SnapshotWorld, participant: Participant, cids: readonly string[], ufrag: string): void {
  const tracks = cids.map(cid => ({ kind: 'video' as const, cid }));
  const sdp = offerSdp({ audio: 1, video: 1, tracks, ufrag });
  handleOffer(world.room, participant, new SessionDescription({ type: 'offer', sdp, id: 1 }));
  world.settle();
}

/** Clients with two connections answer what they were offered. */
function answerAll(world: SnapshotWorld): void {
  for (const participant of world.room.participants.values()) {
    const { receiving } = participant;
    for (let round = 0; receiving !== null && receiving.unanswered !== null; round++) {
      assert.ok(round < 4, 'it is offered something again and again');
      const { sdp, id } = world.last(participant, 'offer') ?? assert.fail('no offer');
      const answer = answerSdp(sdp, { ufrag: `rcv${receiving.iceGeneration}` });
      handleAnswer(world.room, participant, new SessionDescription({ sdp: answer, id }));
      world.settle();
    }
  }
}

function publish(world: SnapshotWorld, anna: Participant): void {
  addTrack(world.room, anna, new AddTrackRequest({ cid: CID, type: TrackType.VIDEO }));
  offer(world, anna, [CID], 'anna1');
}

/** What a client does whose socket broke: the same session on another socket, an ICE restart of what it sends on, answers to what it is offered. */
function resumeAll(world: SnapshotWorld, cids: readonly string[]): void {
  for (const participant of world.room.participants.values()) {
    resume(world.room, participant);
    world.settle();
    const published = [...participant.publications.all].map(({ info }) => new TrackPublishedResponse({ track: info }));
    syncState(world.room, world.nowMs, participant, new SyncState({ publishTracks: published }));
    const isPublisher = participant.identity === 'anna';
    if (isPublisher || participant.receiving === null) {
      offer(world, participant, isPublisher ? cids : [], `${participant.identity.slice(0, 4)}2`.padEnd(5, 'n'));
    }
  }
  answerAll(world);
}

function takenOver(world: SnapshotWorld): SnapshotWorld {
  const restored = world.restored(new RoomSnapshots(world.room).all());
  assert.ok(restored.ok);
  assert.deepEqual(restored.unreadable, []);
  const twin = world.fork(restored.room);
  // Whatever was asked of bridges by the other focus is answered to nobody.
  twin.forgetUnanswered();
  twin.clear();
  takeOver(twin.room, twin.nowMs);
  return twin;
}

/** What the participant's clients and bridges are to know, whatever they went through. */
function outcome(world: SnapshotWorld, identity: string) {
  const each = world.room.participants.get(identity) ?? assert.fail(`${identity} has gone`);
  const { receiving } = each;
  const documents = receiving === null ? [each] : [each, receiving];
  return {
    info: { ...each.info(), version: 0 },
    tracks: [...each.publications.all].map(({ sid, cid, sourceId, section }) => ({ sid, cid, sourceId, section })),
    active: [...each.subscriptions.active.values()],
    delivered: receiving === null ? [...each.delivered] : receiving.places,
    sections: [...each.sections],
    documents: documents.map(side => ({ ...world.document(each, side), iceGeneration: 0 })),
    owes: [each.answer, each.requested, receiving?.unanswered ?? null, each.signalLostAtMs],
  };
}

const MOMENTS: Readonly<Record<string, (world: SnapshotWorld, anna: Participant) => void>> = {
  'at rest': (world, anna) => {
    publish(world, anna);
    answerAll(world);
  },
  'while a bridge has not answered the offer that publishes': (world, anna) => {
    world.isSlow = true;
    publish(world, anna);
  },
  'while the subscriber owes an offer or an answer': publish,
  'when a track is announced and not yet offered': (world, anna) => {
    addTrack(world.room, anna, new AddTrackRequest({ cid: CID, type: TrackType.VIDEO }));
    world.settle();
  },
};

for (const hasTwo of [false, true]) {
  for (const [moment, bring] of Object.entries(MOMENTS)) {
    test(`taken over ${moment}, clients with ${hasTwo ? 'two connections' : 'one'} end as if only sockets had broken`, () => {
      const { world, anna } = meeting(hasTwo);
      bring(world, anna);
      const twin = takenOver(world);
      twin.isSlow = false;
      twin.settle();
      world.isSlow = false;
      for (const each of world.room.participants.values()) handleSignalLost(world.room, world.nowMs, each);
      world.settle();

      for (const each of [world, twin]) resumeAll(each, [CID]);
      for (const identity of ['anna', 'ben']) assert.deepEqual(outcome(twin, identity), outcome(world, identity));
      const [track] = twin.room.participants.get('anna')?.publications.published() ?? [];
      assert.ok(twin.room.participants.get('ben')?.sections.has(track.sid), 'Ben does not receive it');
    });
  }
}

test('bridges are sent everything once more, because the last of it may never have left', () => {
  const { world, anna, ben } = meeting(true);
  publish(world, anna);
  answerAll(world);
  const before = [anna, ben].flatMap(each => [world.document(each), world.document(each, each.receiving ?? each)]);
  const revisions = [anna, ben].flatMap(each => [each.revision, each.receiving?.revision ?? 0]);
  const twin = takenOver(world);
  twin.settleUnanswered();
  const puts = twin.outputs.filter(output => output.kind === 'endpoint');
  assert.deepEqual(
    puts.map(({ document }) => document),
    before,
  );
  assert.deepEqual(
    puts.map(({ revision }) => revision),
    revisions.map(revision => revision + 1),
  );
  const conference = twin.outputs.find(output => output.kind === 'conference');
  assert.deepEqual(conference?.document, world.room.document());
});

test('who does not resume has left when the time for it is over; nobody hears of a takeover before', () => {
  const { world } = meeting(false);
  const twin = takenOver(world);
  twin.nowMs += twin.room.settings.resumeTimeoutMs - 1;
  handleTimeout(twin.room, twin.nowMs);
  twin.settle();
  assert.equal(twin.room.participants.size, 2);
  assert.ok(twin.outputs.every(({ kind }) => kind !== 'signal' && kind !== 'notice' && kind !== 'left'));
  handleTimeout(twin.room, twin.nowMs + 1);
  assert.equal(twin.room.participants.size, 0);
});

test('metrics of whoever takes over count who is there, and come to nothing when all have left', () => {
  const { world, anna } = meeting(false);
  publish(world, anna);
  const twin = takenOver(world);
  twin.nowMs += twin.room.settings.resumeTimeoutMs;
  twin.settle();
  handleTimeout(twin.room, twin.nowMs);
  twin.settle();
  const kinds = twin.outputs.map(({ kind }) => kind);
  assert.equal(kinds.filter(kind => kind === 'joined').length, 2);
  assert.equal(kinds.filter(kind => kind === 'left').length, 2);
  const videos = twin.outputs.flatMap(output => (output.kind === 'tracks' ? [output.video] : []));
  assert.deepEqual(videos, [1, -1]);
});

/**
 * What it costs to keep a room's snapshot: noticing that nothing changed, writing who changed, and restoring all of it. A room of 500 of whom each publishes two tracks and
 * receives ten, with offers as Chromium makes them. Run: `npm run bench -- snapshot`.
 */
import {
  AddTrackRequest,
  SessionDescription,
  TrackSource,
  TrackType,
  UpdateSubscription,
  VideoLayer,
} from '@livekit/protocol';
import { handleOffer } from '../../focus/conference/negotiating.ts';
import { offerSdp } from '../../focus/conference/offer.fixture.ts';
import { handleAnswer } from '../../focus/conference/offering.ts';
import type { Participant } from '../../focus/conference/participant.ts';
import { addTrack } from '../../focus/conference/publishing.ts';
import { SETTINGS, seededRandom, TestRoom } from '../../focus/conference/room.fixture.ts';
import { restoreRoom } from '../../focus/conference/snapshot/restore-room.ts';
import { ROOM_FIELD, RoomSnapshots } from '../../focus/conference/snapshot/room-snapshots.ts';
import { updateSubscriptions } from '../../focus/conference/subscribing.ts';
import { answerSdp } from '../../focus/sdp/answer.fixture.ts';
import { fixture } from '../../focus/sdp/fixtures/load.ts';
import { readOffer } from '../../focus/sdp/read-offer.ts';
import type { BenchmarkOptions } from './registry.ts';

const SUBSCRIPTIONS = 10;

export interface SnapshotCost {
  readonly connections: 1 | 2;
  readonly participants: number;
  /** Of one participant's field. */
  readonly bytesPerParticipant: number;
  /** A round in which nothing changed, of the whole room. */
  readonly unchangedMs: number;
  /** A round in which everybody changed, per participant: with the offer they had, and with a new one. */
  readonly changedUs: number;
  readonly newOfferUs: number;
  /** The whole room from its fields. */
  readonly restoreMs: number;
}

export function runSnapshot({ quick, progress }: BenchmarkOptions): { cases: SnapshotCost[] } {
  const participants = quick ? 50 : 500;
  return {
    cases: ([1, 2] as const).map(connections => {
      progress(`${participants} participants with ${connections} PeerConnection(s)`);
      return measure(participants, connections, quick ? 20 : 100);
    }),
  };
}

function measure(count: number, connections: 1 | 2, rounds: number): SnapshotCost {
  const { world, everybody } = meeting(count, connections);
  const snapshots = new RoomSnapshots(world.room);
  const fields = snapshots.all();
  const sizes = [...fields].filter(([name]) => name !== ROOM_FIELD).map(([, bytes]) => bytes.byteLength);
  const unchangedMs = median(rounds, () => snapshots.changes());
  const changedMs = median(rounds, () => {
    for (const each of everybody) each.version++;
    return snapshots.changes();
  });
  const newOfferMs = median(rounds / 5, () => {
    for (const each of everybody) if (each.offer !== null) each.offer = { ...each.offer };
    for (const each of everybody) each.version++;
    return snapshots.changes();
  });
  const restoreMs = median(5, () => {
    const restored = restoreRoom(fields, world.room.identity, SETTINGS, seededRandom(1), world.nowMs);
    if (!restored.ok || restored.unreadable.length > 0) throw new Error('the room is not restored');
  });
  return {
    connections,
    participants: count,
    bytesPerParticipant: Math.round(sizes.reduce((sum, bytes) => sum + bytes, 0) / sizes.length),
    unchangedMs,
    changedUs: (changedMs / count) * 1_000,
    newOfferUs: (newOfferMs / count) * 1_000,
    restoreMs,
  };
}

/** Everybody publishes microphone and camera and receives {@link SUBSCRIPTIONS} tracks of those beside them. */
function meeting(count: number, connections: 1 | 2): { world: TestRoom; everybody: Participant[] } {
  const world = new TestRoom();
  const everybody = Array.from({ length: count }, (_, index) =>
    world.join(`participant-${index}`, { hasTwoConnections: connections === 2, autoSubscribe: false }),
  );
  const sections = connections === 1 ? SUBSCRIPTIONS / 2 : 0;
  for (const each of everybody) publish(world, each, sections);
  const chromium = readOffer(fixture('chromium-more-sections'));
  everybody.forEach((each, index) => {
    const beside = Array.from({ length: SUBSCRIPTIONS / 2 }, (_, step) => everybody[(index + step + 1) % count]);
    const trackSids = beside.flatMap(({ publications }) => publications.published().map(({ sid }) => sid));
    updateSubscriptions(world.room, each, new UpdateSubscription({ trackSids, subscribe: true }));
    world.settle();
    answer(world, each);
    if (connections === 1) each.offer = { ...chromium };
    world.clear();
  });
  return { world, everybody };
}

/** With so many sections of either kind to receive on. */
function publish(world: TestRoom, each: Participant, sections: number): void {
  const layers = [0, 1, 2].map(quality => new VideoLayer({ quality, width: 320 << quality, height: 180 << quality }));
  const requests = [
    new AddTrackRequest({ cid: `${each.sid}-mic`, type: TrackType.AUDIO, source: TrackSource.MICROPHONE }),
    new AddTrackRequest({ cid: `${each.sid}-cam`, type: TrackType.VIDEO, source: TrackSource.CAMERA, layers }),
  ];
  for (const request of requests) addTrack(world.room, each, request);
  const tracks = [
    { kind: 'audio' as const, cid: `${each.sid}-mic` },
    { kind: 'video' as const, cid: `${each.sid}-cam`, rids: ['q', 'h', 'f'] },
  ];
  const sdp = offerSdp({ audio: sections, video: sections, tracks });
  handleOffer(world.room, each, new SessionDescription({ type: 'offer', sdp, id: 1 }));
  world.settle();
  world.clear();
}

function answer(world: TestRoom, each: Participant): void {
  const offer = world.last(each, 'offer');
  if (offer === undefined) return;
  handleAnswer(world.room, each, new SessionDescription({ sdp: answerSdp(offer.sdp), id: offer.id }));
  world.settle();
}

function median(rounds: number, work: () => unknown): number {
  const took = Array.from({ length: rounds }, () => {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1_000;
  });
  return took.sort((a, b) => a - b)[Math.floor(rounds / 2)];
}

/** A conference in the memory of a single focus, and the steps that change who is in it. */
import type { BridgeId, ConferenceId, EndpointId } from '../../protocol/ids.ts';
import type { ConferenceRecord, ParticipantRecord } from './store.ts';

export interface MemoryConference {
  record: ConferenceRecord;
  nextEndpoint: number;
  /** By identity, in the order they were placed. */
  readonly participants: Map<string, ParticipantRecord>;
  /** Participants on each bridge that has any: a join to a meeting of thousands does not count them all. */
  readonly onBridge: Map<BridgeId, number>;
  readonly snapshot: Map<string, Uint8Array>;
}

export function openConference(
  conferenceId: ConferenceId,
  fields: Pick<ConferenceRecord, 'room' | 'roomSid' | 'owner' | 'createdAtMs'>,
): MemoryConference {
  const record = { conferenceId, ...fields, version: 1 };
  return { record, nextEndpoint: 1, participants: new Map(), onBridge: new Map(), snapshot: new Map() };
}

/** Drawn until it is neither 0 nor taken. */
export function unusedConferenceId(
  taken: ReadonlyMap<ConferenceId, MemoryConference>,
  random: () => number,
): ConferenceId {
  for (;;) {
    const id = (Math.floor(random() * 0x1_0000_0000) >>> 0) as ConferenceId;
    if (id !== 0 && !taken.has(id)) return id;
  }
}

/** Participants on each bridge without one who leaves it; valid until the next change. */
export function countsWithout(
  conference: MemoryConference | undefined,
  leaving: ParticipantRecord | null,
): ReadonlyMap<BridgeId, number> {
  if (conference === undefined) return NOBODY;
  if (leaving === null) return conference.onBridge;
  const counts = new Map(conference.onBridge);
  countOn(counts, leaving.bridgeId, -1);
  return counts;
}

const NOBODY: ReadonlyMap<BridgeId, number> = new Map();

/** At the end of the order; the caller grows the version. */
export function add(conference: MemoryConference, participant: ParticipantRecord): void {
  conference.participants.set(participant.identity, participant);
  countOn(conference.onBridge, participant.bridgeId, 1);
}

export function remove(conference: MemoryConference, { identity, bridgeId }: ParticipantRecord): void {
  conference.participants.delete(identity);
  countOn(conference.onBridge, bridgeId, -1);
}

/** In its place in the order. */
export function moveTo(
  conference: MemoryConference,
  participant: ParticipantRecord,
  bridgeId: BridgeId,
): ParticipantRecord {
  const moved = { ...participant, bridgeId };
  conference.participants.set(participant.identity, moved);
  countOn(conference.onBridge, participant.bridgeId, -1);
  countOn(conference.onBridge, bridgeId, 1);
  return moved;
}

export function find(
  conference: MemoryConference | undefined,
  endpointId: EndpointId,
  sid: string,
): ParticipantRecord | undefined {
  const found = conference?.participants.values().find(participant => participant.endpointId === endpointId);
  return found?.sid === sid ? found : undefined;
}

export function grow(conference: MemoryConference, versions = 1): void {
  // Field by field: at every join, and a spread costs several times as much.
  const { conferenceId, room, roomSid, owner, version, createdAtMs } = conference.record;
  conference.record = { conferenceId, room, roomSid, owner, createdAtMs, version: version + versions };
}

/** Everybody in it goes with it to its new owner. */
export function passTo(conference: MemoryConference, owner: string): void {
  conference.record = { ...conference.record, owner };
  for (const [identity, participant] of conference.participants) {
    conference.participants.set(identity, { ...participant, owner });
  }
}

function countOn(counts: Map<BridgeId, number>, bridgeId: BridgeId, change: 1 | -1): void {
  const count = (counts.get(bridgeId) ?? 0) + change;
  if (count === 0) counts.delete(bridgeId);
  else counts.set(bridgeId, count);
}

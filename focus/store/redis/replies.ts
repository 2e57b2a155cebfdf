/** What the scripts answer, as records of the contract. A reply of another shape is a bug of ours and throws. */
import type { BridgeReport } from '../../../protocol/control/events.ts';
import type { BridgeId, ConferenceId, EndpointId } from '../../../protocol/ids.ts';
import type { ConferenceRecord, ParticipantRecord } from '../store.ts';
import type { Reply } from './redis-commands.ts';

/** Participants of a conference on each bridge; bridges with none are absent. */
export type Counts = ReadonlyMap<BridgeId, number>;

export interface CountedConference {
  readonly record: ConferenceRecord;
  readonly counts: Counts;
  /** How often it has changed hands, from 1: of two focuses that think it theirs, it is the later one's. */
  readonly term: number;
}

/** A bridge that changed; `report` is undefined for one that was removed or has expired. Times are the server's. */
export interface BridgeChange {
  readonly bridgeId: BridgeId;
  readonly atMs: number;
  readonly placed: number;
  readonly report: BridgeReport | undefined;
}

export interface BridgeChanges {
  readonly serverMs: number;
  readonly newest: string;
  readonly changes: readonly BridgeChange[];
}

export function listOf(reply: Reply): readonly Reply[] {
  if (!Array.isArray(reply)) throw new TypeError(`the store answered ${JSON.stringify(reply)} instead of a list`);
  return reply;
}

/** Undefined for an empty list. */
export function readConference(reply: Reply): CountedConference | undefined {
  const [id, room, roomSid, owner, version, createdAtMs, counts, term] = listOf(reply);
  if (id === undefined) return undefined;
  const record: ConferenceRecord = {
    conferenceId: Number(id) as ConferenceId,
    room: String(room),
    roomSid: String(roomSid),
    owner: String(owner),
    version: Number(version),
    createdAtMs: Number(createdAtMs),
  };
  return { record, counts: readCounts(counts!), term: Number(term) };
}

export function readCounts(json: Reply): Counts {
  return new Map(Object.entries(JSON.parse(String(json)) as Record<string, number>) as [BridgeId, number][]);
}

/** A participant as the scripts keep it. */
interface StoredMember {
  readonly sid: string;
  readonly bridge: string;
  readonly region: string;
  readonly at: number;
  readonly endpoint: number;
}

/** `owner` is the conference's: a participant has no other. */
export function readParticipant(
  conferenceId: ConferenceId,
  owner: string,
  identity: string,
  json: Reply,
): ParticipantRecord {
  return participantOf(conferenceId, owner, identity, JSON.parse(String(json)) as StoredMember);
}

function participantOf(
  conferenceId: ConferenceId,
  owner: string,
  identity: string,
  { sid, bridge, region, at, endpoint }: StoredMember,
): ParticipantRecord {
  const bridgeId = bridge as BridgeId;
  return { conferenceId, endpointId: endpoint as EndpointId, sid, identity, bridgeId, region, owner, placedAtMs: at };
}

/** From {identity, participant (JSON), ...}, in the order they were placed. */
export function readParticipants(
  conferenceId: ConferenceId,
  owner: string,
  fields: readonly Reply[],
): ParticipantRecord[] {
  const participants = [];
  for (let index = 0; index < fields.length; index += 2) {
    participants.push(readParticipant(conferenceId, owner, String(fields[index]), fields[index + 1]!));
  }
  return participants.sort((a, b) => a.endpointId - b.endpointId);
}

/** Inverse of {@link readParticipant}. */
export function writeParticipant({ sid, bridgeId, region, placedAtMs, endpointId }: ParticipantRecord): string {
  const member: StoredMember = { sid, bridge: bridgeId, region, at: placedAtMs, endpoint: endpointId };
  return JSON.stringify(member);
}

/** Somebody whom another focus assigned for `owner`. */
export function readNews(owner: string, json: Reply): ParticipantRecord {
  const { conference, identity, member } = JSON.parse(String(json)) as NewsItem;
  return participantOf(Number(conference) as ConferenceId, owner, identity, member);
}

interface NewsItem {
  readonly conference: string;
  readonly identity: string;
  readonly member: StoredMember;
}

export function readBridgeChanges(reply: Reply): BridgeChanges {
  const [serverMs, newest, ...fields] = listOf(reply);
  const changes: BridgeChange[] = [];
  for (let index = 0; index + 3 < fields.length; index += 4) {
    const [bridgeId, atMs, placed, report] = fields.slice(index, index + 4);
    changes.push({
      bridgeId: String(bridgeId) as BridgeId,
      atMs: Number(atMs),
      placed: Number(placed),
      report: report === '' ? undefined : (JSON.parse(String(report)) as BridgeReport),
    });
  }
  return { serverMs: Number(serverMs), newest: String(newest), changes };
}

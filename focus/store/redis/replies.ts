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
  const [id, room, roomSid, owner, version, createdAtMs, counts] = listOf(reply);
  if (id === undefined) return undefined;
  const record: ConferenceRecord = {
    conferenceId: Number(id) as ConferenceId,
    room: String(room),
    roomSid: String(roomSid),
    owner: String(owner),
    version: Number(version),
    createdAtMs: Number(createdAtMs),
  };
  return { record, counts: readCounts(counts!) };
}

export function readCounts(json: Reply): Counts {
  return new Map(Object.entries(JSON.parse(String(json)) as Record<string, number>) as [BridgeId, number][]);
}

/** A participant as the scripts keep it. */
interface StoredMember {
  readonly sid: string;
  readonly bridge: string;
  readonly region: string;
  readonly owner: string;
  readonly at: number;
  readonly endpoint: number;
}

export function readParticipant(conferenceId: ConferenceId, identity: string, json: Reply): ParticipantRecord {
  const { sid, bridge, region, owner, at, endpoint } = JSON.parse(String(json)) as StoredMember;
  return {
    conferenceId,
    endpointId: endpoint as EndpointId,
    sid,
    identity,
    bridgeId: bridge as BridgeId,
    region,
    owner,
    placedAtMs: at,
  };
}

/** Inverse of {@link readParticipant}. */
export function writeParticipant({ sid, bridgeId, region, owner, placedAtMs, endpointId }: ParticipantRecord): string {
  const member: StoredMember = { sid, bridge: bridgeId, region, owner, at: placedAtMs, endpoint: endpointId };
  return JSON.stringify(member);
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

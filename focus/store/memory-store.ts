/**
 * The store of a single focus: plain maps. Every method does its work in one synchronous step before its promise resolves, which is
 * what makes it atomic. Bounded by what it is told: bridges expire; conferences and participants are their owner's to let go.
 */
import type { BridgeId, ConferenceId, EndpointId } from '../../protocol/ids.ts';
import {
  type Assigned,
  type AssignRequest,
  BRIDGE_EXPIRY_MS,
  type BridgeRecord,
  type Choose,
  type ConferenceRecord,
  type ParticipantRecord,
  type Store,
} from './store.ts';

interface Conference {
  record: ConferenceRecord;
  nextEndpoint: number;
  /** By identity, in the order they were placed. */
  readonly participants: Map<string, ParticipantRecord>;
}

/**
 * An empty store. `nowMs` is its clock; `random` gives numbers in [0, 1) for conference IDs, which are random so that a restarted focus
 * does not meet what a bridge still has from before.
 */
export function createMemoryStore(nowMs: () => number, random: () => number): Store {
  const bridges = new Map<BridgeId, BridgeRecord>();
  const byRoom = new Map<string, Conference>();
  const byId = new Map<ConferenceId, Conference>();

  function freshBridges(now: number): BridgeRecord[] {
    for (const [bridgeId, bridge] of bridges) {
      if (now - bridge.reportedAtMs >= BRIDGE_EXPIRY_MS) bridges.delete(bridgeId);
    }
    return [...bridges.values()].sort((a, b) => (a.bridgeId < b.bridgeId ? -1 : 1));
  }

  function open(room: string, roomSid: string, owner: string): Conference {
    const conferenceId = unusedConferenceId(byId, random);
    const record = { conferenceId, room, roomSid, owner, version: 1, createdAtMs: nowMs() };
    const conference: Conference = { record, nextEndpoint: 1, participants: new Map() };
    byRoom.set(room, conference);
    byId.set(conferenceId, conference);
    return conference;
  }

  function close(conference: Conference): void {
    byRoom.delete(conference.record.room);
    byId.delete(conference.record.conferenceId);
  }

  function assign<Choice extends { readonly bridgeId: BridgeId | null }>(
    request: AssignRequest,
    choose: Choose<Choice>,
  ): Assigned<Choice> {
    const known = byRoom.get(request.room);
    if (known === undefined && request.createAs === null) return { kind: 'unknown-room' };
    const replaced = known?.participants.get(request.identity) ?? null;
    const staying = (known?.participants.size ?? 0) - (replaced === null ? 0 : 1);
    if (request.participantsMax > 0 && staying >= request.participantsMax) return { kind: 'room-full' };

    const atMs = nowMs();
    const choice = choose({ atMs, bridges: freshBridges(atMs), inConference: countByBridge(known, replaced) });
    if (choice.bridgeId === null) return { kind: 'no-bridge', choice };
    const conference = known ?? open(request.room, request.createAs!.roomSid, request.owner);
    const participant: ParticipantRecord = {
      conferenceId: conference.record.conferenceId,
      endpointId: conference.nextEndpoint++ as EndpointId,
      sid: request.sid,
      identity: request.identity,
      bridgeId: choice.bridgeId,
      region: request.region,
      owner: request.owner,
      placedAtMs: atMs,
    };
    // Deleted first, so that a rejoining identity goes to the end of the order.
    conference.participants.delete(request.identity);
    conference.participants.set(request.identity, participant);
    countPlaced(bridges, choice.bridgeId);
    grow(conference);
    return { kind: 'placed', conference: conference.record, participant, replaced, choice };
  }

  return {
    async ping() {},
    async putBridge(report) {
      const bridgeId = report.peer.bridgeId as BridgeId;
      bridges.set(bridgeId, { bridgeId, report, reportedAtMs: nowMs(), placedSinceReport: 0 });
    },
    async removeBridge(bridgeId, bootId) {
      if (bridges.get(bridgeId)?.report.bootId !== bootId) return false;
      return bridges.delete(bridgeId);
    },
    async bridges() {
      return freshBridges(nowMs());
    },
    async openConference(room, roomSid, owner) {
      return (byRoom.get(room) ?? open(room, roomSid, owner)).record;
    },
    async conference(room) {
      return byRoom.get(room)?.record;
    },
    async conferences() {
      return [...byRoom.values()].map(({ record }) => record).sort((a, b) => (a.room < b.room ? -1 : 1));
    },
    async closeConference(room, conferenceId) {
      const conference = byRoom.get(room);
      if (conference?.record.conferenceId !== conferenceId) return false;
      close(conference);
      return true;
    },
    async assign(request, choose) {
      return assign(request, choose);
    },
    async release(conferenceId, endpointId, sid) {
      const conference = byId.get(conferenceId);
      const participant = conference && findEndpoint(conference, endpointId);
      if (conference === undefined || participant === undefined || participant.sid !== sid) return undefined;
      conference.participants.delete(participant.identity);
      grow(conference);
      return conference.record;
    },
    async participants(conferenceId) {
      return [...(byId.get(conferenceId)?.participants.values() ?? [])];
    },
    async releaseOwner(owner) {
      for (const conference of [...byId.values()]) {
        releaseParticipants(conference, owner);
        if (conference.record.owner !== owner) continue;
        const heir = conference.participants.values().next().value?.owner;
        if (heir === undefined) close(conference);
        else passTo(conference, heir);
      }
    },
  };
}

function unusedConferenceId(taken: ReadonlyMap<ConferenceId, Conference>, random: () => number): ConferenceId {
  for (;;) {
    const id = (Math.floor(random() * 0x1_0000_0000) >>> 0) as ConferenceId;
    if (id !== 0 && !taken.has(id)) return id;
  }
}

function countByBridge(conference: Conference | undefined, leaving: ParticipantRecord | null): Map<BridgeId, number> {
  const counts = new Map<BridgeId, number>();
  for (const participant of conference?.participants.values() ?? []) {
    if (participant !== leaving) counts.set(participant.bridgeId, (counts.get(participant.bridgeId) ?? 0) + 1);
  }
  return counts;
}

function countPlaced(bridges: Map<BridgeId, BridgeRecord>, bridgeId: BridgeId): void {
  const bridge = bridges.get(bridgeId);
  if (bridge === undefined) return;
  bridges.set(bridgeId, { ...bridge, placedSinceReport: bridge.placedSinceReport + 1 });
}

function grow(conference: Conference): void {
  conference.record = { ...conference.record, version: conference.record.version + 1 };
}

function findEndpoint(conference: Conference, endpointId: EndpointId): ParticipantRecord | undefined {
  return conference.participants.values().find(participant => participant.endpointId === endpointId);
}

function releaseParticipants(conference: Conference, owner: string): void {
  let hasChanged = false;
  for (const participant of conference.participants.values()) {
    if (participant.owner !== owner) continue;
    conference.participants.delete(participant.identity);
    hasChanged = true;
  }
  if (hasChanged) grow(conference);
}

function passTo(conference: Conference, owner: string): void {
  conference.record = { ...conference.record, owner };
  grow(conference);
}

/**
 * The store of a single focus: plain maps. Every method does its work in one synchronous step before its promise resolves, which is
 * what makes it atomic. Bounded by what it is told: bridges expire; conferences and participants are their owner's to let go.
 */
import type { BridgeId, ConferenceId, EndpointId } from '../../protocol/ids.ts';
import { BridgePool } from './bridge-pool.ts';
import {
  type Assigned,
  type AssignRequest,
  BRIDGE_EXPIRY_MS,
  type BridgeRecord,
  type Choose,
  type ConferenceRecord,
  type ParticipantRecord,
  type PlacementView,
  type Store,
} from './store.ts';

interface Conference {
  record: ConferenceRecord;
  nextEndpoint: number;
  /** By identity, in the order they were placed. */
  readonly participants: Map<string, ParticipantRecord>;
  /** Participants on each bridge that has any: a join to a meeting of thousands does not count them all. */
  readonly onBridge: Map<BridgeId, number>;
}

/**
 * An empty store. `nowMs` is its clock; `random` gives numbers in [0, 1) for conference IDs, which are random so that a restarted focus
 * does not meet what a bridge still has from before.
 */
export function createMemoryStore(nowMs: () => number, random: () => number): Store {
  const bridges = new BridgePool();
  // Nothing expires before: a join does not look at every bridge's age.
  let nextExpiryMs = Number.POSITIVE_INFINITY;
  const byRoom = new Map<string, Conference>();
  const byId = new Map<ConferenceId, Conference>();

  function expireBridges(now: number): void {
    if (now < nextExpiryMs) return;
    nextExpiryMs = Number.POSITIVE_INFINITY;
    for (const { bridgeId, reportedAtMs } of bridges.all) {
      const expiryMs = reportedAtMs + BRIDGE_EXPIRY_MS;
      if (now >= expiryMs) bridges.delete(bridgeId);
      else nextExpiryMs = Math.min(nextExpiryMs, expiryMs);
    }
  }

  function open(room: string, roomSid: string, owner: string): Conference {
    const conferenceId = unusedConferenceId(byId, random);
    const record = { conferenceId, room, roomSid, owner, version: 1, createdAtMs: nowMs() };
    const conference: Conference = { record, nextEndpoint: 1, participants: new Map(), onBridge: new Map() };
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
    expireBridges(atMs);
    const choice = choose(new MemoryView(atMs, bridges, countByBridge(known, replaced)));
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
    // Removed first, so that a rejoining identity goes to the end of the order.
    if (replaced !== null) remove(conference, replaced);
    conference.participants.set(request.identity, participant);
    countOn(conference.onBridge, choice.bridgeId, 1);
    countPlaced(bridges, choice.bridgeId);
    grow(conference);
    return { kind: 'placed', conference: conference.record, participant, replaced, choice };
  }

  return {
    async ping() {},
    async putBridge(report) {
      const bridgeId = report.peer.bridgeId as BridgeId;
      const reportedAtMs = nowMs();
      bridges.put({ bridgeId, report, reportedAtMs, placedSinceReport: 0 });
      nextExpiryMs = Math.min(nextExpiryMs, reportedAtMs + BRIDGE_EXPIRY_MS);
    },
    async removeBridge(bridgeId, bootId) {
      if (bridges.find(bridgeId)?.report.bootId !== bootId) return false;
      return bridges.delete(bridgeId);
    },
    async bridges() {
      expireBridges(nowMs());
      return bridges.all;
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
      remove(conference, participant);
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

/** `bridges` as a list is made only for who asks: the index is enough for placement. */
class MemoryView implements PlacementView {
  readonly atMs: number;
  readonly inConference: ReadonlyMap<BridgeId, number>;
  readonly index: BridgePool;

  constructor(atMs: number, index: BridgePool, inConference: ReadonlyMap<BridgeId, number>) {
    this.atMs = atMs;
    this.index = index;
    this.inConference = inConference;
  }

  get bridges(): readonly BridgeRecord[] {
    return this.index.all;
  }
}

function countByBridge(conference: Conference | undefined, leaving: ParticipantRecord | null): Map<BridgeId, number> {
  const counts = new Map(conference?.onBridge);
  if (leaving !== null) countOn(counts, leaving.bridgeId, -1);
  return counts;
}

function countOn(counts: Map<BridgeId, number>, bridgeId: BridgeId, change: 1 | -1): void {
  const count = (counts.get(bridgeId) ?? 0) + change;
  if (count === 0) counts.delete(bridgeId);
  else counts.set(bridgeId, count);
}

function remove(conference: Conference, { identity, bridgeId }: ParticipantRecord): void {
  conference.participants.delete(identity);
  countOn(conference.onBridge, bridgeId, -1);
}

function countPlaced(bridges: BridgePool, bridgeId: BridgeId): void {
  const bridge = bridges.find(bridgeId);
  if (bridge === undefined) return;
  bridges.put({ ...bridge, placedSinceReport: bridge.placedSinceReport + 1 });
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
    remove(conference, participant);
    hasChanged = true;
  }
  if (hasChanged) grow(conference);
}

function passTo(conference: Conference, owner: string): void {
  conference.record = { ...conference.record, owner };
  grow(conference);
}

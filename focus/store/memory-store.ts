/**
 * The store of a single focus: plain maps. Every method does its work in one synchronous step before its promise resolves, which is
 * what makes it atomic. Bounded by what it is told: bridges expire; conferences and participants are their owner's to let go.
 */
import type { BridgeId, ConferenceId, EndpointId } from '../../protocol/ids.ts';
import { BridgePool } from './bridge-pool.ts';
import {
  add,
  countsWithout,
  find,
  grow,
  type MemoryConference,
  moveTo,
  openConference,
  passTo,
  remove,
  unusedConferenceId,
} from './memory-conference.ts';
import { checkSnapshotFields } from './snapshot-fields.ts';
import {
  type Assigned,
  type AssignRequest,
  BRIDGE_EXPIRY_MS,
  type BridgeRecord,
  type Choose,
  type FocusRecord,
  type Moved,
  type MoveRequest,
  type ParticipantRecord,
  type PlacementView,
  type Store,
  TAKEOVER_VERSIONS,
} from './store.ts';

type HasBridge = { readonly bridgeId: BridgeId | null };

/**
 * An empty store. `nowMs` is its clock; `random` gives numbers in [0, 1) for conference IDs, which are random so that a restarted focus
 * does not meet what a bridge still has from before. There is no other focus, so no lease ends and no conference is lost.
 */
export function createMemoryStore(nowMs: () => number, random: () => number): Store {
  const bridges = new BridgePool();
  // Nothing expires before: a join does not look at every bridge's age.
  let nextExpiryMs = Number.POSITIVE_INFINITY;
  let self: FocusRecord | undefined;
  const byRoom = new Map<string, MemoryConference>();
  const byId = new Map<ConferenceId, MemoryConference>();

  function expireBridges(now: number): void {
    if (now < nextExpiryMs) return;
    nextExpiryMs = Number.POSITIVE_INFINITY;
    for (const { bridgeId, reportedAtMs } of [...bridges.records()]) {
      const expiryMs = reportedAtMs + BRIDGE_EXPIRY_MS;
      if (now >= expiryMs) bridges.delete(bridgeId);
      else nextExpiryMs = Math.min(nextExpiryMs, expiryMs);
    }
  }

  function open(room: string, roomSid: string, owner: string): MemoryConference {
    const id = unusedConferenceId(byId, random);
    const conference = openConference(id, { room, roomSid, owner, createdAtMs: nowMs() });
    byRoom.set(room, conference);
    byId.set(id, conference);
    return conference;
  }

  function close({ record }: MemoryConference): void {
    byRoom.delete(record.room);
    byId.delete(record.conferenceId);
  }

  function viewFor(conference: MemoryConference | undefined, leaving: ParticipantRecord | null): PlacementView {
    const atMs = nowMs();
    expireBridges(atMs);
    return new MemoryView(atMs, bridges, countsWithout(conference, leaving));
  }

  function assign<Choice extends HasBridge>(request: AssignRequest, choose: Choose<Choice>): Assigned<Choice> {
    const known = byRoom.get(request.room);
    if (known === undefined && request.createAs === null) return { kind: 'unknown-room' };
    const replaced = known?.participants.get(request.identity) ?? null;
    const staying = (known?.participants.size ?? 0) - (replaced === null ? 0 : 1);
    if (request.participantsMax > 0 && staying >= request.participantsMax) return { kind: 'room-full' };

    const view = viewFor(known, replaced);
    const choice = choose(view);
    if (choice.bridgeId === null) return { kind: 'no-bridge', choice };
    const conference = known ?? open(request.room, request.createAs!.roomSid, request.owner);
    const participant: ParticipantRecord = {
      conferenceId: conference.record.conferenceId,
      endpointId: conference.nextEndpoint++ as EndpointId,
      sid: request.sid,
      identity: request.identity,
      bridgeId: choice.bridgeId,
      region: request.region,
      owner: conference.record.owner,
      placedAtMs: view.atMs,
    };
    // Removed first, so that a rejoining identity goes to the end of the order.
    if (replaced !== null) remove(conference, replaced);
    add(conference, participant);
    bridges.countPlaced(choice.bridgeId);
    grow(conference);
    return { kind: 'placed', conference: conference.record, participant, replaced, choice };
  }

  function move<Choice extends HasBridge>(request: MoveRequest, choose: Choose<Choice>): Moved<Choice> {
    const conference = byId.get(request.conferenceId);
    const participant = find(conference, request.endpointId, request.sid);
    if (conference === undefined || participant === undefined) return { kind: 'unknown' };
    const choice = choose(viewFor(conference, participant));
    const { bridgeId } = choice;
    if (bridgeId === null) return { kind: 'no-bridge', choice };
    if (bridgeId === participant.bridgeId) return { kind: 'moved', conference: conference.record, participant, choice };
    const moved = moveTo(conference, participant, bridgeId);
    bridges.countPlaced(bridgeId);
    grow(conference);
    return { kind: 'moved', conference: conference.record, participant: moved, choice };
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
    async putFocus(record) {
      self = record;
    },
    async focuses() {
      return self === undefined ? [] : [self];
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
    adopt({ conferenceId }, { identity, endpointId }) {
      const there = byId.get(conferenceId)?.participants.get(identity);
      return there === undefined || there.endpointId <= endpointId;
    },
    async move(request, choose) {
      return move(request, choose);
    },
    async release(conferenceId, endpointId, sid) {
      const conference = byId.get(conferenceId);
      const participant = find(conference, endpointId, sid);
      if (conference === undefined || participant === undefined) return undefined;
      remove(conference, participant);
      grow(conference);
      return conference.record;
    },
    async participants(conferenceId) {
      return [...(byId.get(conferenceId)?.participants.values() ?? [])];
    },
    async releaseOwner(owner) {
      if (self?.focusId === owner) self = undefined;
      for (const conference of [...byId.values()]) if (conference.record.owner === owner) close(conference);
    },
    async saveRoom(conferenceId, fields) {
      checkSnapshotFields(fields);
      const conference = byId.get(conferenceId);
      if (conference === undefined || (self !== undefined && conference.record.owner !== self.focusId)) return false;
      for (const [field, value] of fields) {
        if (value === null) conference.snapshot.delete(field);
        else conference.snapshot.set(field, Uint8Array.from(value));
      }
      return true;
    },
    async loadRoom(conferenceId) {
      return new Map(byId.get(conferenceId)?.snapshot);
    },
    async takeConference(room, conferenceId, from, to) {
      const conference = byRoom.get(room);
      if (conference?.record.conferenceId !== conferenceId || conference.record.owner !== from) return undefined;
      passTo(conference, to);
      grow(conference, TAKEOVER_VERSIONS);
      return { conference: conference.record, participants: [...conference.participants.values()] };
    },
    onOrphans() {},
    onLost() {},
  };
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

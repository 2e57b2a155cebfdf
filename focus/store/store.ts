/**
 * What focuses share: which bridges there are, which conferences, who is in them and on which bridge. One contract for every
 * implementation; `store-contract.ts` is its test. Times are ms since the epoch, on the clock the store was given.
 */
import type { BridgeReport } from '../../protocol/control/events.ts';
import type { BridgeId, ConferenceId, EndpointId } from '../../protocol/ids.ts';

/** A bridge as its last report described it. Expires {@link BRIDGE_EXPIRY_MS} after that report. */
export interface BridgeRecord {
  readonly bridgeId: BridgeId;
  readonly report: BridgeReport;
  readonly reportedAtMs: number;
  /** Endpoints assigned to it after `reportedAtMs`: the load that the report cannot know of. */
  readonly placedSinceReport: number;
}

/**
 * A conference. It has an owner, the focus that is its home: first the one that opened it, then whoever took it over. It lives until it is closed, its
 * owner lets go of it, or its owner is gone and nobody takes it over.
 */
export interface ConferenceRecord {
  readonly conferenceId: ConferenceId;
  /** LiveKit's room name: unique among open conferences. */
  readonly room: string;
  /** LiveKit's RM_ SID. */
  readonly roomSid: string;
  readonly owner: string;
  /**
   * Grows with each change of who is in the conference or where: fit to be a ConferenceSpec's version. Starts at 1; grows by
   * {@link TAKEOVER_VERSIONS} when the conference is taken over, so that what its last home still sends loses.
   */
  readonly version: number;
  readonly createdAtMs: number;
}

/** A participant and the bridge that serves it. */
export interface ParticipantRecord {
  readonly conferenceId: ConferenceId;
  /** Never given out twice in one conference. */
  readonly endpointId: EndpointId;
  /** LiveKit's PA_ SID. */
  readonly sid: string;
  /** Unique among a conference's participants. */
  readonly identity: string;
  readonly bridgeId: BridgeId;
  /** The client's region. */
  readonly region: string;
  /** The owner of the conference, whichever focus the client is connected to. */
  readonly owner: string;
  readonly placedAtMs: number;
}

/** A focus, for the others: who it is and where they reach it. Lives as long as its lease. */
export interface FocusRecord {
  readonly focusId: string;
  /** Random, new for each process. */
  readonly bootId: string;
  /** Where other focuses reach it: http://host:port or https://host:port, without a path. */
  readonly url: string;
  readonly region: string;
  readonly version: string;
  readonly state: 'running' | 'draining';
  /** On the focus's own clock. */
  readonly startedAtMs: number;
}

/** What a placement is decided on: one moment of the store. */
export interface PlacementView {
  readonly atMs: number;
  /** Unexpired bridges, ordered by id. */
  readonly bridges: readonly BridgeRecord[];
  /**
   * Participants of this conference on each bridge; bridges with none are absent. Whoever is being replaced is not counted. Valid until the choice is
   * made: what is to be known later is copied.
   */
  readonly inConference: ReadonlyMap<BridgeId, number>;
  /** The same bridges, indexed, by a store that keeps an index; absent: placement makes one for itself, at the cost of a look at each. */
  readonly index?: BridgeIndex;
}

/** Some bridges of one region, ordered by id. Never changes: a change of one of them makes a new block. */
export interface BridgeBlock {
  readonly bridges: readonly BridgeRecord[];
  /** What whoever looks at them has worked out about them (focus/placement keeps their order of load here). It ends with the block. */
  memo: unknown;
  /** What it was made from, so that a memo need not be worked out from all of its bridges again; forgotten once there is a memo. */
  basis: BlockBasis | undefined;
}

/** An earlier block of the same bridges about which something was worked out. */
export interface BlockBasis {
  readonly block: BridgeBlock;
  /** Which bridges are other records by now: bit `1 << index` for each. */
  readonly changed: number;
}

/** Bridges of a region, in blocks, ordered by id. Never changes either. */
export interface RegionBridges {
  readonly blocks: readonly BridgeBlock[];
  /** As that of a block. */
  memo: unknown;
}

/** Bridges by what placement asks for. Lists are ordered by id and do not change after they were handed out. */
export interface BridgeIndex {
  /** All of them. */
  readonly all: readonly BridgeRecord[];
  /** Names of the regions that have any. */
  readonly regions: readonly string[];
  /** The bridges of each of those regions, in the same order. */
  readonly everywhere: readonly RegionBridges[];
  find(bridgeId: BridgeId): BridgeRecord | undefined;
  /** In blocks, so that what a change costs, and a search for the least loaded, does not grow with the region. */
  inRegion(region: string): RegionBridges;
  /** Bridges that say they run on this machine. */
  onHost(host: string): readonly BridgeRecord[];
}

/**
 * Decides where a participant goes. Pure: a store may call it again on a newer view when another focus was faster.
 * `bridgeId` null: nowhere.
 */
export type Choose<Choice extends { readonly bridgeId: BridgeId | null }> = (view: PlacementView) => Choice;

export interface AssignRequest {
  readonly room: string;
  /** Open the conference under this SID when there is none of that room name; null: an unknown room is refused. */
  readonly createAs: { readonly roomSid: string } | null;
  readonly identity: string;
  readonly sid: string;
  readonly region: string;
  /** The focus that asks. It owns a conference that is opened by this; in one that is open already the participant is its owner's. */
  readonly owner: string;
  /** Most participants of the conference, 0 for no limit. One that replaces its own identity takes no new place. */
  readonly participantsMax: number;
}

export type Assigned<Choice> =
  | {
      readonly kind: 'placed';
      readonly conference: ConferenceRecord;
      readonly participant: ParticipantRecord;
      /** Who had this identity before; no longer in the store. */
      readonly replaced: ParticipantRecord | null;
      readonly choice: Choice;
    }
  | { readonly kind: 'unknown-room' }
  | { readonly kind: 'room-full' }
  | { readonly kind: 'no-bridge'; readonly choice: Choice };

/** A participant to be moved: as its record has it. */
export type MoveRequest = Pick<ParticipantRecord, 'conferenceId' | 'endpointId' | 'sid'>;

export type Moved<Choice> =
  | {
      readonly kind: 'moved';
      readonly conference: ConferenceRecord;
      /** As it was but for `bridgeId`. */
      readonly participant: ParticipantRecord;
      readonly choice: Choice;
    }
  /** It is gone, or the endpoint is another's by now. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'no-bridge'; readonly choice: Choice };

/** A conference that changed hands, and who is in it, in the order they were placed. */
export interface TakenConference {
  readonly conference: ConferenceRecord;
  readonly participants: readonly ParticipantRecord[];
}

/** Any method may reject when the store cannot be reached, unless it says otherwise; none rejects for what it finds or does not find. */
export interface Store {
  /** Resolves when the store answers: what readiness asks. */
  ping(): Promise<void>;

  /** Keeps a bridge's report and starts its expiry anew. A report also sets `placedSinceReport` back to 0. */
  putBridge(report: BridgeReport): Promise<void>;
  /** Forgets a bridge if it still is the process of that `bootId`; answers whether it did. */
  removeBridge(bridgeId: BridgeId, bootId: string): Promise<boolean>;
  /** Unexpired bridges, ordered by id. */
  bridges(): Promise<readonly BridgeRecord[]>;

  /**
   * Makes this focus known to the others under `record.focusId`, which is the name that it owns conferences by. The store renews it by itself from then
   * on, also when this rejects; it ends with the focus's lease, or with `releaseOwner`. Call again with what changed.
   */
  putFocus(record: FocusRecord): Promise<void>;
  /** Focuses whose lease holds, this one included, ordered by id. At most a few seconds old; as last heard while the store is away. */
  focuses(): Promise<readonly FocusRecord[]>;

  /** The open conference of that room name; when there is none, a new one with an unused random ID. */
  openConference(room: string, roomSid: string, owner: string): Promise<ConferenceRecord>;
  conference(room: string): Promise<ConferenceRecord | undefined>;
  /** Open conferences, ordered by room name. */
  conferences(): Promise<readonly ConferenceRecord[]>;
  /** Closes a conference, and with it its participants, if the room name still belongs to that ID; answers whether it did. */
  closeConference(room: string, conferenceId: ConferenceId): Promise<boolean>;

  /**
   * Chooses a bridge and takes a place on it in one step: no other assignment comes between the view and the reservation. For a conference that this focus
   * owns it does not reject because the store is away or slow: the place is taken on this focus's own view, and the store is told later. `move` and `release` alike.
   */
  assign<Choice extends { readonly bridgeId: BridgeId | null }>(
    request: AssignRequest,
    choose: Choose<Choice>,
  ): Promise<Assigned<Choice>>;
  /**
   * This focus, the home of that conference, has a participant whom another focus assigned: it is the home's to renew and to release from now on.
   * Whoever was assigned for a home and is not adopted within {@link ADOPTION_MS} is released. Takes no round trip.
   *
   * Answers whether this is the newest self of its identity. False: of two that joined at once the one placed later was here first; it stays, and this one
   * is to be sent away and released. So may be whom this focus has placed itself.
   */
  adopt(conference: ConferenceRecord, participant: ParticipantRecord): boolean;
  /**
   * Moves a participant to another bridge in one step, as `assign` places one; in the view `choose` is given the participant is not counted.
   * When that is the bridge it is on, nothing changes.
   */
  move<Choice extends { readonly bridgeId: BridgeId | null }>(
    request: MoveRequest,
    choose: Choose<Choice>,
  ): Promise<Moved<Choice>>;
  /** Removes a participant if the endpoint still is that participant's (`sid`); answers the conference as it is then, undefined when it did nothing. */
  release(conferenceId: ConferenceId, endpointId: EndpointId, sid: string): Promise<ConferenceRecord | undefined>;
  /** In the order they were placed. */
  participants(conferenceId: ConferenceId): Promise<readonly ParticipantRecord[]>;

  /** Removes all that a focus has, at its end: its record and its conferences with whoever is in them. To keep those, let them be taken over before. */
  releaseOwner(owner: string): Promise<void>;

  /**
   * Writes a part of a conference's snapshot: each field's bytes, null to remove it; other fields stay. Only the conference's owner may: false when
   * this focus is not, or not any more, and nothing was written. Ends with the conference. A field's name is text, its value up to
   * {@link SNAPSHOT_FIELD_BYTES_MAX}; more is a bug of the caller's and rejects with a RangeError.
   */
  saveRoom(conferenceId: ConferenceId, fields: ReadonlyMap<string, Uint8Array | null>): Promise<boolean>;
  /** The whole snapshot; empty when there is none. */
  loadRoom(conferenceId: ConferenceId): Promise<ReadonlyMap<string, Uint8Array>>;
  /**
   * Makes `to` the owner of the conference and of all its participants if `from` still is its owner, and grows its version by
   * {@link TAKEOVER_VERSIONS}; endpoint IDs go on where they were. Undefined, and nothing changed: somebody else was faster, or it is closed.
   * Whom the snapshot does not know was assigned and not yet handed over: serve them, or release them.
   */
  takeConference(
    room: string,
    conferenceId: ConferenceId,
    from: string,
    to: string,
  ): Promise<TakenConference | undefined>;
  /**
   * Told of conferences whose owner's lease is over: it is to take them over (`owner` is who to take them from). Each is told to one focus, and once more
   * when half of {@link ORPHAN_MS} has passed, after which what nobody has claimed ends. One listener; a later one replaces it.
   */
  onOrphans(listener: (conferences: readonly ConferenceRecord[]) => void): void;
  /**
   * Told of a conference that this focus owned, as it knew it, and that is another's by now, or closed by another: its Room is to be dropped without telling
   * bridges. The store has forgotten it before it tells. One listener; a later one replaces it.
   */
  onLost(listener: (conference: ConferenceRecord) => void): void;
}

/** Five reports missed. A bridge is not *used* well before that: see focus/placement. */
export const BRIDGE_EXPIRY_MS = 10_000;

/** How far a conference's version jumps when it is taken over. */
export const TAKEOVER_VERSIONS = 1_000;

/** A participant assigned for another focus that is not handed over to it within this is given up. */
export const ADOPTION_MS = 10_000;

/** What a dead focus left ends when nobody takes it over within this. */
export const ORPHAN_MS = 10_000;

/** A participant with a hundred tracks takes some 100 kB. */
export const SNAPSHOT_FIELD_BYTES_MAX = 4 * 1024 * 1024;

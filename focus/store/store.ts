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
 * A conference. It has an owner, first the focus that opened it, and lives until it is closed, or its owner lets go and nobody is left in it;
 * else it passes to the focus of whoever was placed first among those who are.
 */
export interface ConferenceRecord {
  readonly conferenceId: ConferenceId;
  /** LiveKit's room name: unique among open conferences. */
  readonly room: string;
  /** LiveKit's RM_ SID. */
  readonly roomSid: string;
  readonly owner: string;
  /** Grows with each change of who is in the conference or where: fit to be a ConferenceSpec's version. Starts at 1. */
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
  readonly owner: string;
  readonly placedAtMs: number;
}

/** What a placement is decided on: one moment of the store. */
export interface PlacementView {
  readonly atMs: number;
  /** Unexpired bridges, ordered by id. */
  readonly bridges: readonly BridgeRecord[];
  /** Participants of this conference on each bridge; bridges with none are absent. Whoever is being replaced is not counted. */
  readonly inConference: ReadonlyMap<BridgeId, number>;
  /** The same bridges, indexed, by a store that keeps an index; absent: placement makes one for itself, at the cost of a look at each. */
  readonly index?: BridgeIndex;
}

/** Some bridges of one region, ordered by id. Never changes: a change of one of them makes a new block. */
export interface BridgeBlock {
  readonly bridges: readonly BridgeRecord[];
  /** What whoever looks at them has worked out about them (focus/placement keeps their order of load here). It ends with the block. */
  memo: unknown;
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
  readonly regions: Iterable<string>;
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
  /** The focus that serves this participant. */
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

/** Any method may reject when the store cannot be reached; none rejects for what it finds or does not find. */
export interface Store {
  /** Resolves when the store answers: what readiness asks. */
  ping(): Promise<void>;

  /** Keeps a bridge's report and starts its expiry anew. A report also sets `placedSinceReport` back to 0. */
  putBridge(report: BridgeReport): Promise<void>;
  /** Forgets a bridge if it still is the process of that `bootId`; answers whether it did. */
  removeBridge(bridgeId: BridgeId, bootId: string): Promise<boolean>;
  /** Unexpired bridges, ordered by id. */
  bridges(): Promise<readonly BridgeRecord[]>;

  /** The open conference of that room name; when there is none, a new one with an unused random ID. */
  openConference(room: string, roomSid: string, owner: string): Promise<ConferenceRecord>;
  conference(room: string): Promise<ConferenceRecord | undefined>;
  /** Open conferences, ordered by room name. */
  conferences(): Promise<readonly ConferenceRecord[]>;
  /** Closes a conference, and with it its participants, if the room name still belongs to that ID; answers whether it did. */
  closeConference(room: string, conferenceId: ConferenceId): Promise<boolean>;

  /** Chooses a bridge and takes a place on it in one step: no other assignment comes between the view and the reservation. */
  assign<Choice extends { readonly bridgeId: BridgeId | null }>(
    request: AssignRequest,
    choose: Choose<Choice>,
  ): Promise<Assigned<Choice>>;
  /** Removes a participant if the endpoint still is that participant's (`sid`); answers the conference as it is then, undefined when it did nothing. */
  release(conferenceId: ConferenceId, endpointId: EndpointId, sid: string): Promise<ConferenceRecord | undefined>;
  /** In the order they were placed. */
  participants(conferenceId: ConferenceId): Promise<readonly ParticipantRecord[]>;

  /** Removes all that a focus has: at its end. Conferences in which others have somebody pass to those, the rest of its own close. */
  releaseOwner(owner: string): Promise<void>;
}

/** Five reports missed. A bridge is not *used* well before that: see focus/placement. */
export const BRIDGE_EXPIRY_MS = 10_000;

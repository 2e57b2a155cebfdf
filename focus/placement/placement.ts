/** What placement answers, and how the signalling side asks for it. The rules themselves are in `rule-sets.ts`. */
import type { BridgeId, ConferenceId, EndpointId } from '../../protocol/ids.ts';
import type { MoveCause } from '../conference/endpoint-mover.ts';
import type { ConferenceRecord, ParticipantRecord } from '../store/store.ts';
import type { AdviceOutcome } from './advice.ts';
import type { ServingPlace } from './between-people.ts';
import type { Lack } from './bridge-load.ts';
import type { Policy, PolicySource } from './policy.ts';
import type { Sticky, StickyOutcome } from './sticky.ts';

/** One bridge as it looked when a participant was placed. */
export interface Candidate {
  readonly bridgeId: BridgeId;
  readonly region: string;
  /** Its machine; absent when it does not say. */
  readonly host?: string;
  /** Reported stress plus the estimate for what was placed since: 0 idle, 1 full. */
  readonly stress: number;
  /** Participants of the conference on it, before this one. */
  readonly inConference: number;
  /** What the bridge itself said, and which of its resources made it that. */
  readonly reportedStress: number;
  readonly scarcest?: string;
  /** Endpoints that the reported stress does not show yet; each counts with `placement.endpoint_stress`. */
  readonly unseenEndpoints: number;
  readonly joinsLastMinute: number;
  /** What `sort_by` compares, least first, after the ramp of a bridge that has just started; absent when chance decides. */
  readonly measure?: number;
  /** Why it has no room; absent when it has. */
  readonly lacks?: Lack;
  /** Absent for a bridge that the rules were offered; otherwise the filter that took it out. */
  readonly rejectedBy?: string;
}

/** Why a participant is where it is. Goes into the join log line, the metric and the admin API. */
export interface Placement {
  /** Null: no bridge could be used, and `rule` is `no-bridge`. */
  readonly bridgeId: BridgeId | null;
  readonly bridgeRegion: string | null;
  /** Its stress as it was reckoned, before this participant. */
  readonly stress: number | null;
  /** The name of the rule that matched. */
  readonly rule: string;
  /** By which the rule was chosen: the configuration's, with what the room says of its own. */
  readonly policy: Policy;
  /** Who says so. */
  readonly policyFrom: PolicySource;
  /** What came of asking the external service; absent for every `kind` but http. */
  readonly service?: AdviceOutcome | undefined;
  /** The client's region. */
  readonly region: string;
  /** The region placed for: the client's own, or the nearest one with a usable bridge. */
  readonly placedFor: string;
  /** What `kind` latency compared: the best places by their estimated mean round trip between people; absent for the others. */
  readonly roundTrips?: readonly ServingPlace[] | undefined;
  /** What became of the bridge that the client's token names; undefined: it names none. */
  readonly sticky?: StickyOutcome | undefined;
  /** Bridges that the rules looked at: those of regions nearer than the chosen one, of the conference, of its machines. */
  readonly considered: number;
  /** Them, by id; of more than a hundred the chosen one and the least loaded. Made when it is read, from the moment of the placement. */
  readonly candidates: readonly Candidate[];
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** What a room has to say about who is placed in it. */
export interface RoomPlacement {
  /** What the room says of its own placement; null or absent: nothing. */
  readonly override?: Partial<Policy> | null;
  /** Where it says so; absent: in its metadata. */
  readonly overrideFrom?: Exclude<PolicySource, 'configuration'>;
  /** Who is in the room, when this focus knows: only rules that ask count them. */
  readonly present?: Present | undefined;
}

export interface JoinPlacement extends RoomPlacement {
  readonly room: string;
  /** SID for the conference if this join is the one that opens it; null: an unknown room is refused. */
  readonly createAs: { readonly roomSid: string } | null;
  readonly identity: string;
  /** The new participant's SID. */
  readonly sid: string;
  /** The client's region. */
  readonly region: string;
  /** 0 for no limit. */
  readonly participantsMax: number;
  /** The bridge it was on, as its token says; null or absent: none. */
  readonly sticky?: Sticky | null;
}

/** Participants of a room, as the focus that serves it knows them. */
export interface Present {
  /** Of a region. */
  peopleOf(region: string): number;
  /** On a bridge. */
  onBridge(bridgeId: BridgeId): number;
}

export type Placed =
  | {
      readonly kind: 'placed';
      readonly conference: ConferenceRecord;
      readonly participant: ParticipantRecord;
      /** Who had this identity: to be sent away with DUPLICATE_IDENTITY; its place in the store is gone already. */
      readonly replaced: ParticipantRecord | null;
      readonly placement: Placement & { readonly bridgeId: BridgeId };
    }
  | { readonly kind: 'unknown-room' }
  | { readonly kind: 'room-full' }
  | { readonly kind: 'no-bridge'; readonly placement: Placement };

/** A participant that is to go to another bridge. */
export interface MovePlacement extends RoomPlacement {
  readonly conferenceId: ConferenceId;
  readonly room: string;
  readonly endpointId: EndpointId;
  readonly sid: string;
  readonly identity: string;
  /** The client's region. */
  readonly region: string;
  /** The bridge it is on. */
  readonly from: BridgeId;
  readonly cause: MoveCause;
  /** Bridges that it may go to, as far as the rules let it. */
  readonly isAllowed: (bridgeId: BridgeId) => boolean;
}

export type MovePlaced =
  | { readonly kind: 'moved'; readonly placement: Placement & { readonly bridgeId: BridgeId } }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'no-bridge'; readonly placement: Placement };

/** An explained placement, as kept for the admin API. */
export interface PlacementExplanation {
  readonly sid: string;
  readonly identity: string;
  readonly room: string;
  /** Of a participant that was moved, and not placed by its join. */
  readonly move?: { readonly from: BridgeId; readonly cause: MoveCause };
  readonly placement: Placement;
}

export interface Placements {
  /** Places a participant and takes its place, in one store round trip. */
  join(request: JoinPlacement): Promise<Placed>;
  /** Places a participant of a conference anew, in one store round trip. */
  move(request: MovePlacement): Promise<MovePlaced>;
  /** The newest explanation for a participant SID or identity. */
  explain(participant: string): PlacementExplanation | undefined;
  /** Newest first; the last {@link EXPLANATIONS_MAX} only. */
  explanations(): readonly PlacementExplanation[];
}

/** Older explanations are forgotten first. With 50 bridges one is some 5 kB. */
export const EXPLANATIONS_MAX = 1000;

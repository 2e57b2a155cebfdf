/** What placement answers, and how the signalling side asks for it. The rules themselves are in `rule-sets.ts`. */
import type { BridgeId, ConferenceId, EndpointId } from '../../protocol/ids.ts';
import type { MoveCause } from '../conference/endpoint-mover.ts';
import type { ConferenceRecord, ParticipantRecord } from '../store/store.ts';
import type { Lack } from './bridge-load.ts';
import type { Policy } from './policy.ts';

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
  /** The client's region. */
  readonly region: string;
  /** The region placed for: the client's own, or the nearest one with a usable bridge. */
  readonly placedFor: string;
  /** Bridges that the rules looked at: those of regions nearer than the chosen one, of the conference, of its machines. */
  readonly considered: number;
  /** Them, by id; of more than a hundred the chosen one and the least loaded. Made when it is read, from the moment of the placement. */
  readonly candidates: readonly Candidate[];
  /** Milliseconds since the epoch. */
  readonly at: number;
}

export interface JoinPlacement {
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
  /** What the room says of its own placement; null or absent: nothing. */
  readonly override?: Partial<Policy> | null;
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
export interface MovePlacement {
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
  /** What the room says of its own placement; null: nothing. */
  readonly override: Partial<Policy> | null;
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

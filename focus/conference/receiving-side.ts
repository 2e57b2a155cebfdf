/**
 * The second transport of a participant that has two PeerConnections: the one on which it only receives. It is an endpoint of its own on the same bridge (decision 0014).
 * Data, and what follows from data alone; what happens to it is in `offering.ts`.
 */
import type { Quality } from '../../protocol/control/events.ts';
import type { Transport } from '../../protocol/control/spec.ts';
import type { EndpointId } from '../../protocol/ids.ts';
import type { Answer } from '../sdp/read-answer.ts';
import type { EndpointDocument } from './endpoint-spec.ts';
import type { EndpointMeasurement } from './measurements.ts';
import type { Subscription } from './subscriptions.ts';

/** A section of our offers. Sections are never taken away, only left empty. */
export interface Place {
  readonly mid: string;
  readonly kind: 'audio' | 'video';
  /** Null: nothing flows on it. */
  track: { readonly sid: string; readonly ssrc: number } | null;
}

/** All there is of it but measurements and its document, to go on with elsewhere. */
export type ReceivingSideState = Pick<
  ReceivingSide,
  | 'isPrimary'
  | 'sessionId'
  | 'isNeeded'
  | 'revision'
  | 'iceGeneration'
  | 'generationRevision'
  | 'transport'
  | 'offeredGeneration'
  | 'offerId'
  | 'unanswered'
  | 'answer'
  | 'answeredGeneration'
> & { readonly places: readonly Place[]; readonly connected: Iterable<EndpointId> };

/** Stays below what is read of the answer: more wait until sections are free. */
export const PLACES_MAX = 500;
const DATA_MID = '0';
/** Apart from all ids that the store gives to participants, which count from 1. */
const RECEIVING_ID_OFFSET = 0x80000000;

/** The endpoint on which the participant with `endpointId` receives; any focus knows it without asking. */
export function receivingEndpointId(endpointId: EndpointId): EndpointId {
  return (endpointId + RECEIVING_ID_OFFSET) as EndpointId;
}

/** Of either endpoint of a participant, the one that the store knows. */
export function participantEndpointId(endpointId: EndpointId): EndpointId {
  return endpointId < RECEIVING_ID_OFFSET ? endpointId : ((endpointId - RECEIVING_ID_OFFSET) as EndpointId);
}

export class ReceivingSide {
  readonly endpointId: EndpointId;
  /** LiveKit's `subscriber_primary`: the session is up when this side is, and data messages to the client come over it. */
  readonly isPrimary: boolean;
  /** Of our SDP. */
  readonly sessionId: string;
  /** On the bridge from the beginning when it is primary, else as soon as there is a track. */
  isNeeded: boolean;
  /** Of its document; 0 before the first. */
  revision = 0;
  /** The newest one that the bridge was sent. */
  document: EndpointDocument | null = null;

  iceGeneration = 0;
  /** The first revision of this generation: 0 until it is sent. */
  generationRevision = 0;
  /** The bridge's side in this generation; null until it is known. */
  transport: Transport | null = null;
  /** Of the latest offer; -1 before the first. */
  offeredGeneration = -1;
  /** The latest. */
  offerId = 0;
  /** The latest offer waits for its answer; since when, as far as a tick has noticed. */
  unanswered: { sinceMs: number | null } | null = null;
  answer: Answer | null = null;
  /** Whose ICE parameters the answer has. */
  answeredGeneration = -1;
  readonly places: Place[] = [];

  readonly #connected = new Set<EndpointId>();
  readonly #measured = new Map<EndpointId, EndpointMeasurement>();

  constructor(participantId: EndpointId, isPrimary: boolean, sessionId: string) {
    this.endpointId = receivingEndpointId(participantId);
    this.isPrimary = isPrimary;
    this.isNeeded = isPrimary;
    this.sessionId = sessionId;
  }

  static fromState(participantId: EndpointId, state: ReceivingSideState): ReceivingSide {
    const side = new ReceivingSide(participantId, state.isPrimary, state.sessionId);
    side.isNeeded = state.isNeeded;
    side.revision = state.revision;
    side.iceGeneration = state.iceGeneration;
    side.generationRevision = state.generationRevision;
    side.transport = state.transport;
    side.offeredGeneration = state.offeredGeneration;
    side.offerId = state.offerId;
    side.unanswered = state.unanswered;
    side.answer = state.answer;
    side.answeredGeneration = state.answeredGeneration;
    side.places.push(...state.places);
    for (const endpointId of state.connected) side.#connected.add(endpointId);
    return side;
  }

  /** Those of the participant's two endpoints whose media has been up. */
  get connected(): ReadonlySet<EndpointId> {
    return this.#connected;
  }

  /** The section of data channels, in which the first of all sections is; null when they are the other side's. */
  get dataMid(): string | null {
    return this.isPrimary ? DATA_MID : null;
  }

  /** True when what the client was offered last is what it is to receive, over the transport as it is now. */
  isOffered(active: ReadonlyMap<string, Subscription>): boolean {
    if (this.offeredGeneration !== this.iceGeneration) return false;
    const placed = this.places.filter(({ track }) => track !== null);
    return placed.length === active.size && placed.every(({ track }) => isCurrent(track, active));
  }

  /**
   * Gives each track a section: its own as long as it is subscribed, else a free one of its kind, else a new one. A section is free in the offer after the one in which it became
   * empty: clients notice that one track ends and another begins when the two are not one step.
   */
  place(active: ReadonlyMap<string, Subscription>, kindOf: (trackSid: string) => 'audio' | 'video' | undefined): void {
    const free = this.places.filter(({ track }) => track === null);
    const placed = new Set<string>();
    for (const place of this.places) {
      const subscription = active.get(place.track?.sid ?? '');
      place.track = subscription === undefined ? null : { sid: subscription.trackSid, ssrc: subscription.ssrc };
      if (subscription !== undefined) placed.add(subscription.trackSid);
    }
    for (const { trackSid: sid, ssrc } of active.values()) {
      const kind = placed.has(sid) ? undefined : kindOf(sid);
      if (kind === undefined) continue;
      const index = free.findIndex(place => place.kind === kind);
      if (index >= 0) free.splice(index, 1)[0].track = { sid, ssrc };
      else if (this.places.length < PLACES_MAX) {
        this.places.push({ mid: String(this.places.length + 1), kind, track: { sid, ssrc } });
      }
    }
  }

  /** What {@link place} has come to, to be compared. */
  get layout(): string {
    return this.places.map(({ track }) => (track === null ? '-' : `${track.sid}/${track.ssrc}`)).join(' ');
  }

  /** Track SID to section, of all that the client has taken and still is to receive. */
  accepted(active: ReadonlyMap<string, Subscription>): Map<string, string> {
    const sections = new Map<string, string>();
    for (const { mid, track } of this.places) {
      if (track !== null && isCurrent(track, active) && this.answer?.receiving.has(mid)) sections.set(track.sid, mid);
    }
    return sections;
  }

  /** The bridge says that the media of one of the participant's two endpoints is up. */
  noteConnected(endpointId: EndpointId): void {
    this.#connected.add(endpointId);
  }

  /** On another bridge both sides begin anew: a new ICE generation, now, or when the client has resumed (`isToResume`). */
  handleMoved(isToResume: boolean): void {
    this.#connected.clear();
    this.#measured.clear();
    this.transport = null;
    this.document = null;
    this.unanswered = null;
    if (isToResume || !this.isNeeded) return;
    this.iceGeneration++;
    this.generationRevision = 0;
  }

  /** What counts of the measurements of both sides: the worse quality, and whichever round trip is known. Undefined while neither side is up. */
  measured(endpointId: EndpointId, measurement: EndpointMeasurement): EndpointMeasurement | undefined {
    // A side that the client has not brought up is lost to its bridge and of no concern to anybody.
    if (!this.#connected.has(endpointId)) return undefined;
    this.#measured.set(endpointId, measurement);
    return [...this.#measured.values()].reduce((a, b) => ({
      ...(QUALITIES.indexOf(a.quality) > QUALITIES.indexOf(b.quality) ? a : b),
      score: Math.min(a.score, b.score),
      rttMs: a.rttMs ?? b.rttMs,
    }));
  }
}

/** Best first. */
const QUALITIES: readonly Quality[] = ['excellent', 'good', 'poor', 'lost'];

function isCurrent(track: Place['track'], active: ReadonlyMap<string, Subscription>): boolean {
  return track !== null && active.get(track.sid)?.ssrc === track.ssrc;
}

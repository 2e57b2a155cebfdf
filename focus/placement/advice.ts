/** What an external service was asked about a placement, and what came of it: `placement.kind: http`. */
import type { BridgeId } from '../../protocol/ids.ts';

/** Why there is no bridge from the service; the rules of the fallback decide. */
export type NoAdvice =
  /** It answered that it has none. */
  | 'no-opinion'
  | 'timed-out'
  /** It could not be reached, or answered with an error. */
  | 'failed'
  /** What it answered is not an answer. */
  | 'invalid-answer'
  /** It has failed before and is not asked for a while. */
  | 'not-asked'
  /** A room asks for it, and `placement.http.url` is empty. */
  | 'not-configured';

export type Advice =
  | { readonly kind: 'named'; readonly bridgeId: BridgeId }
  | { readonly kind: 'none'; readonly reason: NoAdvice };

/** What came of it: the bridge that was named got the participant, or why not. */
export type AdviceOutcome = 'followed' | 'unknown-bridge' | 'unfit-bridge' | NoAdvice;

/** What the service is told of one placement. Loads are this focus's own view: it costs no round trip to the store. */
export interface AdviceRequest {
  readonly room: string;
  /** The client's. */
  readonly region: string;
  readonly candidates: readonly AdviceCandidate[];
}

export interface AdviceCandidate {
  readonly bridgeId: BridgeId;
  readonly region: string;
  /** Its machine, when it says. */
  readonly host?: string;
  readonly state: 'running' | 'draining';
  readonly version: string;
  /** 0 idle, 1 full: as reported, and what joins will add that the report does not show yet. */
  readonly stress: number;
  readonly cpu: number;
  readonly endpoints: number;
  readonly tracks: number;
  /** Participants of the room on it, as far as this focus knows. */
  readonly inConference: number;
  readonly reportAgeMs: number;
}

/** Asks the service. Resolves within its time limit and never rejects. */
export type AskService = (request: AdviceRequest) => Promise<Advice>;

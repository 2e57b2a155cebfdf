import type { IceCredentials } from './credentials.ts';
import { ValidatedPaths } from './validated-paths.ts';

/** RFC 7675 section 5.1: consent that is not refreshed for 30 s is lost. Clients check every 2.5 s or so. */
export const CONSENT_MS = 30_000;

/** One set of credentials: an ICE restart begins a new generation, with new ones on both sides. */
export interface IceGeneration {
  /** As the focus counts them; the first is given its number when the client's offer is known. */
  generation: number;
  readonly local: IceCredentials;
  /** The client's, null until its offer is known: then any sender's ufrag is accepted with ours. */
  remoteUfrag: string | null;
}

/**
 * One client's ICE, from our side: we are lite and controlled, so we only answer (RFC 8445 section 2.5). Created and found through `IceRegistry`.
 * An ICE restart leaves the old credentials in force until a check arrives with the new ones, so media flows on meanwhile.
 */
export class IceAgent<Holder> {
  /** Who this agent works for: what a check on the shared port leads to. */
  readonly holder: Holder;
  readonly paths = new ValidatedPaths();
  /** Credentials that checks are accepted with: the newest first, at most two. */
  readonly generations: IceGeneration[];
  /** When the client was last heard for certain: a valid check or an authenticated packet. -1 before the first check. */
  lastHeardMs = -1;

  constructor(holder: Holder, first: IceGeneration) {
    this.holder = holder;
    this.generations = [first];
  }

  /** What is announced to the client: the newest generation's credentials. */
  get local(): IceCredentials {
    return this.generations[0].local;
  }

  get generation(): number {
    return this.generations[0].generation;
  }

  /** False until the first valid check, whatever else arrives. */
  get isValidated(): boolean {
    return this.lastHeardMs >= 0;
  }

  /** An authenticated packet came from a validated path: as good as a check (RFC 7675 section 5.1 allows only checks; media is as certain). */
  refresh(nowMs: number): void {
    if (nowMs > this.lastHeardMs) this.lastHeardMs = nowMs;
  }

  hasLostConsent(nowMs: number, consentMs = CONSENT_MS): boolean {
    return this.isValidated && nowMs - this.lastHeardMs > consentMs;
  }
}

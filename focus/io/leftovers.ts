/**
 * Endpoints that bridges speak of and no room here has. As a rule another focus is their home, and the store has them; else they are left over from a focus
 * that died, and are removed. Not at once: a store that was emptied or away, or that is slower than the home, gets them back.
 */
import type { BridgeId, ConferenceId, EndpointId } from '../../protocol/ids.ts';
import { participantEndpointId } from '../conference/receiving-side.ts';
import type { Store } from '../store/store.ts';

export interface LeftoversOptions {
  readonly store: Pick<Store, 'participants'>;
  /** Whether a room here has it. */
  readonly isHere: (conferenceId: ConferenceId, endpointId: EndpointId) => boolean;
  readonly remove: (bridgeId: BridgeId, conferenceId: ConferenceId, endpointId: EndpointId) => void;
}

interface Suspect {
  readonly bridgeId: BridgeId;
  readonly conferenceId: ConferenceId;
  readonly endpointId: EndpointId;
  /** Times in a row that the store answered and did not have it. */
  unknown: number;
  dueMs: number;
}

/** Two of these are longer than a lease, and than what a dead focus had waits to be taken over. */
const LOOK_INTERVAL_MS = 10_000;
const LOOKS = 2;
/** Beyond these none is looked at, until some have been: a bridge ends by itself what no client uses. */
const SUSPECTS_MAX = 10_000;

export class Leftovers {
  readonly #options: LeftoversOptions;
  readonly #suspects = new Map<string, Suspect>();

  constructor(options: LeftoversOptions) {
    this.#options = options;
  }

  /** A bridge says that it has an endpoint that is not here. */
  noteStranger(nowMs: number, bridgeId: BridgeId, conferenceId: ConferenceId, endpointId: EndpointId): void {
    const key = keyOf(bridgeId, conferenceId, endpointId);
    if (this.#suspects.has(key) || this.#suspects.size >= SUSPECTS_MAX) return;
    this.#suspects.set(key, { bridgeId, conferenceId, endpointId, unknown: 0, dueMs: nowMs + LOOK_INTERVAL_MS });
  }

  /** It is gone from that bridge. */
  noteGone(bridgeId: BridgeId, conferenceId: ConferenceId, endpointId: EndpointId): void {
    this.#suspects.delete(keyOf(bridgeId, conferenceId, endpointId));
  }

  /** To be called often. Resolves when what was due has been looked up; never rejects. */
  async handleTick(nowMs: number): Promise<void> {
    const due = [...this.#suspects].filter(([, { dueMs }]) => dueMs <= nowMs);
    for (const [, suspect] of due) suspect.dueMs = nowMs + LOOK_INTERVAL_MS;
    const byConference = Map.groupBy(due, ([, { conferenceId }]) => conferenceId);
    await Promise.all([...byConference].map(([conferenceId, entries]) => this.#look(conferenceId, entries)));
  }

  async #look(conferenceId: ConferenceId, entries: readonly (readonly [string, Suspect])[]): Promise<void> {
    const { store, isHere, remove } = this.#options;
    let stored: ReadonlySet<EndpointId> | undefined;
    try {
      stored = new Set((await store.participants(conferenceId)).map(({ endpointId }) => endpointId));
    } catch {
      // A store that is away says nothing, and may be empty when it is back.
    }
    for (const [key, suspect] of entries) {
      const { bridgeId, endpointId } = suspect;
      if (isHere(conferenceId, endpointId) || stored?.has(participantEndpointId(endpointId)) === true) {
        this.#suspects.delete(key);
      } else if (stored === undefined) suspect.unknown = 0;
      else if (++suspect.unknown >= LOOKS && this.#suspects.delete(key)) remove(bridgeId, conferenceId, endpointId);
    }
  }
}

function keyOf(bridgeId: BridgeId, conferenceId: ConferenceId, endpointId: EndpointId): string {
  return `${bridgeId} ${conferenceId} ${endpointId}`;
}

import type { ConferenceId, EndpointId } from '../../protocol/ids.ts';
import { HELD_SENDERS_MAX, type HeldSender } from '../../protocol/octo/message-ack.ts';

/** The peer forgets after a second what is not repeated, so that a lost release costs no more than that. */
const REPEAT_MS = 100;
/** And a release is repeated for this long, so that it seldom does. */
const RELEASE_MS = 300;

/**
 * Senders of the peer's whose messages are to wait there, because a receiver here does not keep up. Told with each acknowledgement, as a whole: nothing of it has to
 * arrive. Of more than {@link HELD_SENDERS_MAX} the first are told; what the others send meanwhile is bounded by what receivers may have waiting.
 */
export class HeldSenders {
  readonly #held = new Map<string, HeldSender>();
  #told: readonly HeldSender[] = [];
  #dueMs = Number.POSITIVE_INFINITY;
  #releaseUntilMs = Number.NEGATIVE_INFINITY;

  get size(): number {
    return this.#held.size;
  }

  hold(nowMs: number, conferenceId: ConferenceId, endpointId: EndpointId): void {
    const key = `${conferenceId}/${endpointId}`;
    if (this.#held.has(key)) return;
    this.#held.set(key, { conferenceId, endpointId });
    this.#change(nowMs);
  }

  release(nowMs: number, conferenceId: ConferenceId, endpointId: EndpointId): void {
    if (!this.#held.delete(`${conferenceId}/${endpointId}`)) return;
    this.#releaseUntilMs = nowMs + RELEASE_MS;
    this.#change(nowMs);
  }

  /** Whether the peer is to be told, even with nothing to acknowledge. */
  isDue(nowMs: number): boolean {
    return nowMs >= this.#dueMs;
  }

  /** What to tell the peer now. */
  take(nowMs: number): readonly HeldSender[] {
    const isLasting = this.#held.size > 0 || nowMs < this.#releaseUntilMs;
    this.#dueMs = isLasting ? nowMs + REPEAT_MS : Number.POSITIVE_INFINITY;
    return this.#told;
  }

  /** The peer is a new process: its senders hold nothing. */
  restart(): void {
    this.#held.clear();
    this.#told = [];
    this.#dueMs = Number.POSITIVE_INFINITY;
  }

  #change(nowMs: number): void {
    this.#told = [...this.#held.values()].slice(0, HELD_SENDERS_MAX);
    this.#dueMs = nowMs;
  }
}

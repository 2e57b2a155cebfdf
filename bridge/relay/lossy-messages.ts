import type { ConferenceId, EndpointId } from '../../protocol/ids.ts';
import { LOSSY_FRAGMENT_BYTES_MAX, type LossyFragment } from '../../protocol/octo/message.ts';
import type { ReceivedMessage } from './message-receiver.ts';

/** Messages in reassembly. When full, the oldest is forgotten: lossy messages may be. */
const PARTIALS_MAX = 32;
const PARTIAL_AGE_MS_MAX = 500;

interface Partial {
  readonly conferenceId: ConferenceId;
  readonly endpointId: EndpointId;
  readonly startedMs: number;
  readonly parts: (Uint8Array | undefined)[];
  missing: number;
}

/** How many fragments a lossy message takes; an empty message takes one. */
export function lossyFragments(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / LOSSY_FRAGMENT_BYTES_MAX));
}

/** Puts fragments of lossy messages together. One whose parts do not all come within half a second is dropped. */
export class LossyAssembly {
  readonly #partials = new Map<number, Partial>();

  /** The whole message when this fragment completes it. */
  handleFragment(
    nowMs: number,
    conferenceId: ConferenceId,
    endpointId: EndpointId,
    fragment: LossyFragment,
  ): ReceivedMessage | undefined {
    if (fragment.count === 1) return { conferenceId, endpointId, bytes: Uint8Array.from(fragment.bytes) };
    const partial = this.#partialOf(nowMs, conferenceId, endpointId, fragment);
    if (partial.parts.length !== fragment.count || partial.parts[fragment.index] !== undefined) return undefined;
    if (partial.conferenceId !== conferenceId || partial.endpointId !== endpointId) return undefined;
    partial.parts[fragment.index] = Uint8Array.from(fragment.bytes);
    partial.missing--;
    if (partial.missing > 0) return undefined;
    this.#partials.delete(fragment.message);
    return { conferenceId, endpointId, bytes: Buffer.concat(partial.parts.filter(part => part !== undefined)) };
  }

  /** Forgets what is too old. Returns how many messages. */
  handleTimeout(nowMs: number): number {
    let expired = 0;
    for (const [message, partial] of this.#partials) {
      if (nowMs - partial.startedMs < PARTIAL_AGE_MS_MAX) break;
      this.#partials.delete(message);
      expired++;
    }
    return expired;
  }

  restart(): void {
    this.#partials.clear();
  }

  #partialOf(nowMs: number, conferenceId: ConferenceId, endpointId: EndpointId, fragment: LossyFragment): Partial {
    const known = this.#partials.get(fragment.message);
    if (known !== undefined) return known;
    if (this.#partials.size >= PARTIALS_MAX) {
      for (const oldest of this.#partials.keys()) {
        this.#partials.delete(oldest);
        break;
      }
    }
    const partial: Partial = {
      conferenceId,
      endpointId,
      startedMs: nowMs,
      parts: new Array(fragment.count).fill(undefined),
      missing: fragment.count,
    };
    this.#partials.set(fragment.message, partial);
    return partial;
  }
}

/** How many participants of each conference are on which bridge, as this focus last heard: what a choice is made on without asking the store. */
import type { BridgeId, ConferenceId } from '../../../protocol/ids.ts';
import type { CountedConference, Counts } from './replies.ts';

/** Conferences beyond these are forgotten, the least lately used first: a join to one then takes a second round trip. */
export const CONFERENCES_CACHED_MAX = 20_000;

interface Seen {
  readonly conferenceId: ConferenceId;
  readonly version: number;
  readonly counts: Counts;
}

export class ConferenceView {
  /** By room; the one used last is last. */
  readonly #seen = new Map<string, Seen>();
  /** Choices of this focus that are on their way to the store, by room. */
  readonly #pending = new Map<string, Map<BridgeId, number>>();
  /** Their SIDs, by room. */
  readonly #awaited = new Map<string, Set<string>>();

  /** What the store says of a conference now. An older version of the same conference changes nothing. */
  note({ record: { room, conferenceId, version }, counts }: CountedConference): void {
    const before = this.#seen.get(room);
    if (before?.conferenceId === conferenceId && before.version > version) return;
    this.#seen.delete(room);
    this.#seen.set(room, { conferenceId, version, counts });
    if (this.#seen.size > CONFERENCES_CACHED_MAX) this.#seen.delete(this.#seen.keys().next().value!);
  }

  forget(room: string): void {
    this.#seen.delete(room);
  }

  conferenceId(room: string): ConferenceId | undefined {
    return this.#seen.get(room)?.conferenceId;
  }

  counts(room: string): Counts {
    return this.#seen.get(room)?.counts ?? new Map();
  }

  /** Counts a choice that is on its way; call what it returns when the answer is there, or is no longer waited for. */
  expect(room: string, bridgeId: BridgeId, sid: string): () => void {
    const pending = this.#pending.get(room) ?? new Map<BridgeId, number>();
    this.#pending.set(room, pending);
    pending.set(bridgeId, (pending.get(bridgeId) ?? 0) + 1);
    const awaited = this.#awaited.get(room) ?? new Set();
    this.#awaited.set(room, awaited);
    awaited.add(sid);
    let isSettled = false;
    return () => {
      if (isSettled) return;
      isSettled = true;
      awaited.delete(sid);
      if (awaited.size === 0) this.#awaited.delete(room);
      const left = pending.get(bridgeId)! - 1;
      if (left > 0) pending.set(bridgeId, left);
      else pending.delete(bridgeId);
      if (pending.size === 0) this.#pending.delete(room);
    };
  }

  /** SIDs of those who are on the way to that room. */
  awaited(room: string): readonly string[] {
    return [...(this.#awaited.get(room) ?? [])];
  }

  /** `counts` and what is on its way to that room. */
  withPending(room: string, counts: Counts): Counts {
    const pending = this.#pending.get(room);
    if (pending === undefined) return counts;
    const sum = new Map(counts);
    for (const [bridgeId, number] of pending) sum.set(bridgeId, (sum.get(bridgeId) ?? 0) + number);
    return sum;
  }
}

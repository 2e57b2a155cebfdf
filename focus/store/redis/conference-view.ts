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
  /** As `#pending`, of those who leave. What is sent later is carried out later, so a choice finds the store without them. */
  readonly #leaving = new Map<string, Map<BridgeId, number>>();

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
    const settle = onTheWay(this.#pending, room, bridgeId);
    const awaited = this.#awaited.get(room) ?? new Set();
    this.#awaited.set(room, awaited);
    awaited.add(sid);
    return () => {
      settle();
      awaited.delete(sid);
      if (awaited.size === 0 && this.#awaited.get(room) === awaited) this.#awaited.delete(room);
    };
  }

  /** Counts somebody whose place is being given back, as `expect` does a choice. */
  expectLeaving(room: string, bridgeId: BridgeId): () => void {
    return onTheWay(this.#leaving, room, bridgeId);
  }

  /** SIDs of those who are on the way to that room. */
  awaited(room: string): readonly string[] {
    return [...(this.#awaited.get(room) ?? [])];
  }

  /** `counts` and what is on its way to that room, and from it. */
  withPending(room: string, counts: Counts): Counts {
    const [pending, leaving] = [this.#pending.get(room) ?? NOBODY, this.#leaving.get(room) ?? NOBODY];
    if (pending.size === 0 && leaving.size === 0) return counts;
    const sum = new Map(counts);
    for (const [bridgeId, number] of pending) sum.set(bridgeId, (sum.get(bridgeId) ?? 0) + number);
    for (const [bridgeId, number] of leaving) {
      const left = (sum.get(bridgeId) ?? 0) - number;
      if (left > 0) sum.set(bridgeId, left);
      else sum.delete(bridgeId);
    }
    return sum;
  }
}

const NOBODY: Counts = new Map();

/** Counts one more of `room` and `bridgeId`; what it returns takes it back, once. */
function onTheWay(rooms: Map<string, Map<BridgeId, number>>, room: string, bridgeId: BridgeId): () => void {
  const bridges = rooms.get(room) ?? new Map<BridgeId, number>();
  rooms.set(room, bridges);
  bridges.set(bridgeId, (bridges.get(bridgeId) ?? 0) + 1);
  let isSettled = false;
  return () => {
    if (isSettled) return;
    isSettled = true;
    const left = bridges.get(bridgeId)! - 1;
    if (left > 0) bridges.set(bridgeId, left);
    else bridges.delete(bridgeId);
    if (bridges.size === 0 && rooms.get(room) === bridges) rooms.delete(room);
  };
}

/** What the store needs of a Redis client; `io/redis-client.ts` is one on ioredis. */
import type { ScriptName } from './scripts.ts';

/** What Redis answers: whole numbers, texts, and lists of those. */
export type Reply = string | number | null | readonly Reply[];

export interface RedisCommands {
  /**
   * Runs a script in one round trip. Replies come in the order of the calls. Rejects with FocusError `store-unavailable` within the
   * configured time when there is no answer; the script may have run all the same.
   */
  run(script: ScriptName, args: readonly (string | number)[]): Promise<Reply>;
  /** Resolves when the server answers; rejects as `run` does. */
  ping(): Promise<void>;
}

/** What the store tells whoever counts. */
export interface StoreCounts {
  /** How many round trips an assignment took that came to a decision, one after the other. */
  assigned(roundTrips: number): void;
  /** A choice that no longer held when it reached the store. */
  stale(): void;
  /** Conferences of dead focuses that this focus let go of. */
  swept(conferences: number): void;
  /** Participants that this focus put back after the store had lost them. */
  restored(participants: number): void;
  /** A conference that could not be put back, since its room has been opened anew or closed. */
  lost(room: string): void;
  /** Another process holds the lease under this focus's name. */
  usurped(): void;
}

/** What the store needs of a Redis client; `io/redis-client.ts` is one on ioredis. */
import type { ScriptName } from './scripts.ts';

/** What Redis answers: whole numbers, texts, and lists of those. */
export type Reply = string | number | null | readonly Reply[];

/** What a script is given; bytes arrive as they are. */
export type Argument = string | number | Uint8Array;

export interface RedisCommands {
  /**
   * Runs a script in one round trip. Replies come in the order of the calls. Rejects with FocusError `store-unavailable` within the
   * configured time when there is no answer; the script may have run all the same.
   */
  run(script: ScriptName, args: readonly Argument[]): Promise<Reply>;
  /** As `run`, for a script that answers one list of texts: their bytes. */
  runForBytes(script: ScriptName, args: readonly Argument[]): Promise<readonly Uint8Array[]>;
  /** Resolves when the server answers; rejects as `run` does. */
  ping(): Promise<void>;
}

/** How long somebody is made to wait for the store. */
export interface Patience {
  readonly elapsed: Promise<void>;
  /** `elapsed` need not resolve any more. */
  cancel(): void;
}

/** Why something was done without the store: it could not be reached, or took longer than a client is made to wait. */
export type LocalReason = 'away' | 'slow';

/** What the store tells whoever counts. */
export interface StoreCounts {
  /** How many round trips an assignment took that came to a decision, one after the other. */
  assigned(roundTrips: number): void;
  /** A choice that no longer held when it reached the store. */
  stale(): void;
  /** Something that this focus did for a conference of its own without the store, to be put into it later. */
  local(operation: 'join' | 'move' | 'release', reason: LocalReason): void;
  /** Conferences of dead focuses that this focus was told to take over. */
  orphaned(conferences: number): void;
  /** Conferences of dead focuses that nobody took over and that this focus ended. */
  swept(conferences: number): void;
  /** Somebody whom another focus assigned for this one and never handed over. */
  abandoned(): void;
  /** Participants that this focus put back after the store had lost them. */
  restored(participants: number): void;
  /** A conference of this focus that is another's by now, was closed by another, or whose room was opened anew while the store was away. */
  lost(room: string): void;
  /** Another process holds the lease under this focus's name. */
  usurped(): void;
}

/**
 * What is to be taken back once the store answers again: places given up while it was away, and assignments whose answer never came, which
 * may have been carried out all the same. Without this a place could be held for nobody for as long as its focus lives.
 */
import type { Reply } from './redis-commands.ts';

/** Beyond these the oldest are forgotten: an outage in which so much happened outlives the lease, and everything is put back anew after it. */
export const AMENDS_MAX = 10_000;

/** An assignment may still be on its way so long after it was given up. */
const SETTLE_MS = 5_000;

interface Amend {
  readonly dueMs: number;
  readonly run: () => Promise<Reply>;
}

export class Amends {
  #owed: Amend[] = [];

  get size(): number {
    return this.#owed.length;
  }

  /** Something that did not reach the store, or may not have. `run` must do nothing when there is nothing to take back. */
  owe(nowMs: number, run: () => Promise<Reply>, afterMs = SETTLE_MS): void {
    this.#owed.push({ dueMs: nowMs + afterMs, run });
    if (this.#owed.length > AMENDS_MAX) this.#owed.shift();
  }

  /** Does what is due. Rejects when the store is away again; what was not done is still owed. */
  async settle(nowMs: number): Promise<void> {
    const due = this.#owed.filter(({ dueMs }) => dueMs <= nowMs);
    const results = await Promise.allSettled(due.map(({ run }) => run()));
    const done = new Set(due.filter((_, index) => results[index]!.status === 'fulfilled'));
    this.#owed = this.#owed.filter(amend => !done.has(amend));
    const failed = results.find(result => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  dropAll(): void {
    this.#owed = [];
  }
}

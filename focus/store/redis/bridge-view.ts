/**
 * The bridges as this focus last heard of them from the store, kept fresh by what changed since; a choice is made on it without asking.
 * It may be behind: whoever takes a place lets the store check what the choice relied on.
 */
import type { BridgeReport } from '../../../protocol/control/events.ts';
import type { BridgeId } from '../../../protocol/ids.ts';
import { BRIDGE_EXPIRY_MS, type BridgeRecord } from '../store.ts';
import type { BridgeChanges } from './replies.ts';

export class BridgeView {
  readonly #records = new Map<BridgeId, BridgeRecord>();
  /** Choices of this focus that are on their way to the store. */
  readonly #pending = new Map<BridgeId, number>();
  #known = '0';

  /** The change number up to which everything is here. */
  get known(): string {
    return this.#known;
  }

  /** Times become this focus's: ages are what counts, and two clocks are never quite the same. */
  apply(nowMs: number, { serverMs, newest, changes }: BridgeChanges): void {
    for (const { bridgeId, atMs, placed, report } of changes) {
      if (report === undefined) this.#records.delete(bridgeId);
      else {
        const reportedAtMs = nowMs - (serverMs - atMs);
        this.#records.set(bridgeId, { bridgeId, report, reportedAtMs, placedSinceReport: placed });
      }
    }
    this.#known = newest;
  }

  /** A report that this focus has just put into the store. */
  reported(nowMs: number, report: BridgeReport): void {
    const bridgeId = report.peer.bridgeId as BridgeId;
    this.#records.set(bridgeId, { bridgeId, report, reportedAtMs: nowMs, placedSinceReport: 0 });
  }

  removed(bridgeId: BridgeId): void {
    this.#records.delete(bridgeId);
  }

  /** The store counts `placed` assignments since the report. */
  counted(bridgeId: BridgeId, placed: number): void {
    const record = this.#records.get(bridgeId);
    if (record !== undefined) this.#records.set(bridgeId, { ...record, placedSinceReport: placed });
  }

  /** Counts a choice that is on its way; call what it returns once when the answer is there. */
  expect(bridgeId: BridgeId): () => void {
    this.#pending.set(bridgeId, (this.#pending.get(bridgeId) ?? 0) + 1);
    return () => {
      const left = this.#pending.get(bridgeId)! - 1;
      if (left === 0) this.#pending.delete(bridgeId);
      else this.#pending.set(bridgeId, left);
    };
  }

  /** Unexpired bridges, ordered by id; `withPending`: as they will be when all choices on their way have been carried out. */
  records(nowMs: number, withPending: boolean): BridgeRecord[] {
    const records: BridgeRecord[] = [];
    for (const record of this.#records.values()) {
      if (nowMs - record.reportedAtMs >= BRIDGE_EXPIRY_MS) {
        this.#records.delete(record.bridgeId);
        continue;
      }
      const pending = withPending ? (this.#pending.get(record.bridgeId) ?? 0) : 0;
      records.push(pending === 0 ? record : { ...record, placedSinceReport: record.placedSinceReport + pending });
    }
    return records.sort((a, b) => (a.bridgeId < b.bridgeId ? -1 : 1));
  }
}

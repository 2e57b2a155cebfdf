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
  #order: readonly BridgeId[] | undefined;
  #known = '0';

  /** The change number up to which everything is here. */
  get known(): string {
    return this.#known;
  }

  /** Times become this focus's: ages are what counts, and two clocks are never quite the same. */
  apply(nowMs: number, { serverMs, newest, changes }: BridgeChanges): void {
    for (const { bridgeId, atMs, placed, report } of changes) {
      if (report === undefined) this.removed(bridgeId);
      else this.#put({ bridgeId, report, reportedAtMs: nowMs - (serverMs - atMs), placedSinceReport: placed });
    }
    this.#known = newest;
  }

  /** A report that this focus has just put into the store. */
  reported(nowMs: number, report: BridgeReport): void {
    const bridgeId = report.peer.bridgeId as BridgeId;
    this.#put({ bridgeId, report, reportedAtMs: nowMs, placedSinceReport: 0 });
  }

  removed(bridgeId: BridgeId): void {
    if (this.#records.delete(bridgeId)) this.#order = undefined;
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
    for (const bridgeId of this.#ordered()) {
      const record = this.#records.get(bridgeId)!;
      if (nowMs - record.reportedAtMs >= BRIDGE_EXPIRY_MS) {
        this.removed(bridgeId);
        continue;
      }
      const pending = withPending ? (this.#pending.get(bridgeId) ?? 0) : 0;
      records.push(pending === 0 ? record : { ...record, placedSinceReport: record.placedSinceReport + pending });
    }
    return records;
  }

  /** Sorted once for all joins until a bridge comes or goes. */
  #ordered(): readonly BridgeId[] {
    this.#order ??= [...this.#records.keys()].sort();
    return this.#order;
  }

  #put(record: BridgeRecord): void {
    if (!this.#records.has(record.bridgeId)) this.#order = undefined;
    this.#records.set(record.bridgeId, record);
  }
}

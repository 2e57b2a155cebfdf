/**
 * The bridges as this focus last heard of them from the store, kept fresh by what changed since; a choice is made on it without asking.
 * It may be behind: whoever takes a place lets the store check what the choice relied on.
 */
import type { BridgeReport } from '../../../protocol/control/events.ts';
import type { BridgeId } from '../../../protocol/ids.ts';
import { BridgePool } from '../bridge-pool.ts';
import { BRIDGE_EXPIRY_MS, type BridgeRecord } from '../store.ts';
import type { BridgeChanges } from './replies.ts';

export class BridgeView {
  /** As the store last said. */
  readonly #certain = new BridgePool();
  /** Once all choices of this focus that are on their way to the store have been carried out. Indexed once for all joins, like the other. */
  readonly #expected = new BridgePool();
  readonly #pending = new Map<BridgeId, number>();
  // Nothing expires before: a join does not look at every bridge's age.
  #nextExpiryMs = Number.POSITIVE_INFINITY;
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

  /** A report that this focus got at `atMs`; nothing when a newer one is known. */
  reported(atMs: number, report: BridgeReport): void {
    const bridgeId = report.peer.bridgeId as BridgeId;
    const before = this.#certain.find(bridgeId);
    if (before !== undefined && before.reportedAtMs > atMs) return;
    this.#put({ bridgeId, report, reportedAtMs: atMs, placedSinceReport: 0 });
  }

  removed(bridgeId: BridgeId): void {
    this.#certain.delete(bridgeId);
    this.#expected.delete(bridgeId);
  }

  find(bridgeId: BridgeId): BridgeRecord | undefined {
    return this.#certain.find(bridgeId);
  }

  /** The store counts `placed` assignments since the report. */
  counted(bridgeId: BridgeId, placed: number): void {
    const record = this.#certain.find(bridgeId);
    if (record !== undefined) this.#put({ ...record, placedSinceReport: placed });
  }

  /** One more was assigned by this focus alone. */
  placedHere(bridgeId: BridgeId): void {
    const record = this.#certain.find(bridgeId);
    if (record !== undefined) this.#put({ ...record, placedSinceReport: record.placedSinceReport + 1 });
  }

  /** Counts a choice that is on its way; call what it returns when the answer is there, or is no longer waited for. */
  expect(bridgeId: BridgeId): () => void {
    this.#addPending(bridgeId, 1);
    let isSettled = false;
    return () => {
      if (!isSettled) this.#addPending(bridgeId, -1);
      isSettled = true;
    };
  }

  /** Unexpired bridges, indexed; `withPending`: as they will be when all choices on their way have been carried out. Valid until the next change. */
  index(nowMs: number, withPending: boolean): BridgePool {
    this.#expire(nowMs);
    return withPending ? this.#expected : this.#certain;
  }

  #expire(nowMs: number): void {
    if (nowMs < this.#nextExpiryMs) return;
    this.#nextExpiryMs = Number.POSITIVE_INFINITY;
    for (const { bridgeId, reportedAtMs } of this.#certain.all) {
      const expiryMs = reportedAtMs + BRIDGE_EXPIRY_MS;
      if (nowMs >= expiryMs) this.removed(bridgeId);
      else this.#nextExpiryMs = Math.min(this.#nextExpiryMs, expiryMs);
    }
  }

  #addPending(bridgeId: BridgeId, change: 1 | -1): void {
    const left = (this.#pending.get(bridgeId) ?? 0) + change;
    if (left === 0) this.#pending.delete(bridgeId);
    else this.#pending.set(bridgeId, left);
    const record = this.#certain.find(bridgeId);
    if (record !== undefined) this.#expect(record);
  }

  #put(record: BridgeRecord): void {
    this.#certain.put(record);
    this.#expect(record);
    this.#nextExpiryMs = Math.min(this.#nextExpiryMs, record.reportedAtMs + BRIDGE_EXPIRY_MS);
  }

  #expect(record: BridgeRecord): void {
    const pending = this.#pending.get(record.bridgeId) ?? 0;
    this.#expected.put(pending === 0 ? record : { ...record, placedSinceReport: record.placedSinceReport + pending });
  }
}

/** What placement is given: `bridges` as a list is made only for who asks. */
export class IndexedView {
  readonly atMs: number;
  readonly index: BridgePool;
  readonly inConference: ReadonlyMap<BridgeId, number>;

  constructor(atMs: number, index: BridgePool, inConference: ReadonlyMap<BridgeId, number>) {
    this.atMs = atMs;
    this.index = index;
    this.inConference = inConference;
  }

  get bridges(): readonly BridgeRecord[] {
    return this.index.all;
  }
}

/**
 * The bridges this focus knows, by their reports: which are up, and when one went down. Decides only; io/bridge-watch.ts owns the
 * clock. Placement does not ask here but the store, which every focus shares.
 */
import type { BridgeReport } from '../../protocol/control/events.ts';
import type { BridgeId } from '../../protocol/ids.ts';
import { BRIDGE_EXPIRY_MS } from '../store/store.ts';

export interface KnownBridge {
  readonly bridgeId: BridgeId;
  readonly report: BridgeReport;
  readonly reportedAtMs: number;
}

export type BridgeChange =
  | { readonly kind: 'up'; readonly bridge: KnownBridge }
  /** `silent`: no report for {@link BRIDGE_EXPIRY_MS}. `restarted`: a new process of that name reported (an `up` follows). `lost`: the caller said so. */
  | { readonly kind: 'down'; readonly bridge: KnownBridge; readonly reason: 'silent' | 'restarted' | 'lost' };

/** More reports than from a thousand bridges are a mistake; further bridges are refused until others expire. */
export const BRIDGES_MAX = 1000;

export class BridgeRegistry {
  readonly #bridges = new Map<BridgeId, KnownBridge>();
  /** When bridges were last vouched for, of those that were. */
  readonly #vouchedMs = new Map<BridgeId, number>();

  /** Takes a report. Answers what changed (nothing, for most reports), or `refused` when there are {@link BRIDGES_MAX} others. */
  handleReport(nowMs: number, report: BridgeReport): readonly BridgeChange[] | 'refused' {
    const bridgeId = report.peer.bridgeId as BridgeId;
    const before = this.#bridges.get(bridgeId);
    if (before === undefined && this.#bridges.size >= BRIDGES_MAX) return 'refused';
    const bridge = { bridgeId, report, reportedAtMs: nowMs };
    this.#bridges.set(bridgeId, bridge);
    if (before === undefined) return [{ kind: 'up', bridge }];
    if (before.report.bootId === report.bootId) return [];
    return [
      { kind: 'down', bridge: before, reason: 'restarted' },
      { kind: 'up', bridge },
    ];
  }

  /** The bridge cannot be reached: forgets it, unless another boot of it has reported since. It is back with its next report. */
  handleLost(bridgeId: BridgeId, bootId: string): readonly BridgeChange[] {
    const bridge = this.#bridges.get(bridgeId);
    if (bridge === undefined || bridge.report.bootId !== bootId) return [];
    this.#forget(bridgeId);
    return [{ kind: 'down', bridge, reason: 'lost' }];
  }

  /** Forgets bridges that have been silent for {@link BRIDGE_EXPIRY_MS}, unless somebody else hears them. */
  handleTimeout(nowMs: number, isVouchedFor: (bridgeId: BridgeId) => boolean = () => false): readonly BridgeChange[] {
    const changes: BridgeChange[] = [];
    for (const bridge of this.#bridges.values()) {
      if (nowMs - this.#heardMs(bridge) < BRIDGE_EXPIRY_MS) continue;
      if (isVouchedFor(bridge.bridgeId)) {
        this.#vouchedMs.set(bridge.bridgeId, nowMs);
        continue;
      }
      this.#forget(bridge.bridgeId);
      changes.push({ kind: 'down', bridge, reason: 'silent' });
    }
    return changes;
  }

  /** When {@link handleTimeout} next has something to do, undefined without bridges. */
  pollTimeout(): number | undefined {
    let earliest: number | undefined;
    for (const bridge of this.#bridges.values()) {
      const heardMs = this.#heardMs(bridge);
      if (earliest === undefined || heardMs < earliest) earliest = heardMs;
    }
    return earliest === undefined ? undefined : earliest + BRIDGE_EXPIRY_MS;
  }

  bridge(bridgeId: BridgeId): KnownBridge | undefined {
    return this.#bridges.get(bridgeId);
  }

  /** Ordered by id. */
  bridges(): readonly KnownBridge[] {
    return [...this.#bridges.values()].sort((a, b) => (a.bridgeId < b.bridgeId ? -1 : 1));
  }

  #heardMs({ bridgeId, reportedAtMs }: KnownBridge): number {
    return Math.max(reportedAtMs, this.#vouchedMs.get(bridgeId) ?? 0);
  }

  #forget(bridgeId: BridgeId): void {
    this.#bridges.delete(bridgeId);
    this.#vouchedMs.delete(bridgeId);
  }
}

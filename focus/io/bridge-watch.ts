/** Drives the bridge registry: takes reports into it and the store, owns its timer, tells a listener who came and went. */
import type { BridgeReport } from '../../protocol/control/events.ts';
import type { BridgeId } from '../../protocol/ids.ts';
import { type BridgeChange, BridgeRegistry, type KnownBridge } from '../bridges/bridge-registry.ts';
import type { FocusMetrics } from '../metrics.ts';
import type { Store } from '../store/store.ts';

export interface BridgeListener {
  /** A bridge is there, for the first time or again: with a `bootId` that was not there before it knows no conferences. */
  bridgeUp(bridge: KnownBridge): void;
  /** A report came, from a bridge that is up. */
  bridgeReported?(bridge: KnownBridge): void;
  /** A bridge is gone; what was on it is gone with it, except for `lost`, where it may still be running. */
  bridgeDown(bridge: KnownBridge, reason: 'silent' | 'restarted' | 'lost'): void;
}

export interface BridgeWatch {
  /** A report, from the bridge's PUT or its event stream. False: refused, there are too many bridges. Rejects when the store cannot be reached; the registry knows the bridge all the same. */
  report(report: BridgeReport): Promise<boolean>;
  /** The bridge cannot be reached: down at once, and no longer placed on, until its next report. Nothing when another boot has reported. */
  lost(bridgeId: BridgeId, bootId: string): Promise<void>;
  bridge(bridgeId: BridgeId): KnownBridge | undefined;
  /** Ordered by id. */
  bridges(): readonly KnownBridge[];
  /** Stops the timer. Nobody is told that bridges went. */
  close(): void;
}

export interface BridgeWatchOptions {
  readonly store: Store;
  readonly metrics: FocusMetrics;
  readonly listener: BridgeListener;
  /** Whether a bridge that does not report is heard by others all the same. Absent: none is. */
  readonly isVouchedFor?: (bridgeId: BridgeId) => boolean;
  readonly nowMs: () => number;
}

/** A watch over no bridges yet. */
export function watchBridges({ store, metrics, listener, isVouchedFor, nowMs }: BridgeWatchOptions): BridgeWatch {
  const registry = new BridgeRegistry();
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;

  function apply(changes: readonly BridgeChange[]): void {
    countBridges(metrics, registry.bridges());
    for (const change of changes) {
      if (change.kind === 'up') listener.bridgeUp(change.bridge);
      else listener.bridgeDown(change.bridge, change.reason);
    }
  }

  function arm(): void {
    const deadlineMs = registry.pollTimeout();
    // A timer that fires early finds nothing to do and is armed anew, so reports need not move it.
    if (timer !== undefined || deadlineMs === undefined || isClosed) return;
    timer = setTimeout(
      () => {
        timer = undefined;
        apply(registry.handleTimeout(nowMs(), isVouchedFor));
        arm();
      },
      Math.max(0, deadlineMs - nowMs()),
    );
    timer.unref();
  }

  return {
    async report(report) {
      const changes = registry.handleReport(nowMs(), report);
      metrics.bridgeReports.inc({ result: changes === 'refused' ? 'refused' : 'accepted' });
      if (changes === 'refused') return false;
      const isStored = store.putBridge(report);
      apply(changes);
      const known = registry.bridge(report.peer.bridgeId as BridgeId);
      if (known !== undefined) listener.bridgeReported?.(known);
      arm();
      await isStored;
      return true;
    },
    async lost(bridgeId, bootId) {
      const isRemoved = store.removeBridge(bridgeId, bootId);
      apply(registry.handleLost(bridgeId, bootId));
      await isRemoved;
    },
    bridge: bridgeId => registry.bridge(bridgeId),
    bridges: () => registry.bridges(),
    close() {
      isClosed = true;
      clearTimeout(timer);
    },
  };
}

function countBridges(metrics: FocusMetrics, bridges: readonly KnownBridge[]): void {
  metrics.bridges.reset();
  for (const { report } of bridges) metrics.bridges.inc({ region: report.peer.region, state: report.state });
}

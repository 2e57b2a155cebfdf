/** What this bridge hears from others over its links, as it tells its focuses: together such words tell a dead bridge from one that a focus cannot reach. */
import type { BridgeEvent } from '../protocol/control/events.ts';
import type { BridgeId } from '../protocol/ids.ts';
import type { LinkStateName } from './relay/relay-sink.ts';

/** A link, as far as it matters here. */
export interface Hearing {
  readonly peerId: BridgeId;
  readonly state: LinkStateName;
  /** When a frame of the peer came last, on the bridge's clock. */
  readonly heardMs: number;
}

export type LinkEvent = Extract<BridgeEvent, { kind: 'link' }>;

/** Pings go every 250 ms, and every 100 ms once one is missed: so long a silence is five that stayed without an answer. Media goes on until the link itself is given up. */
export const NEIGHBOUR_SILENT_MS = 600;
/** Links are looked at this often. */
export const LOOK_PERIOD_MS = 50;
/** A look so much later than the one before says that this bridge was stalled itself: what came meanwhile has not been read yet. */
const STALL_MS = 200;

export class Neighbours {
  readonly #states = new Map<BridgeId, 'heard' | 'silent'>();
  #lookedMs = Number.NEGATIVE_INFINITY;
  /** Silence counts from here at the earliest. */
  #freshSinceMs = Number.NEGATIVE_INFINITY;

  /** What has changed. A link that was never up is not told of: there is no knowing which end is at fault. */
  look(nowMs: number, links: Iterable<Hearing>): LinkEvent[] {
    if (nowMs - this.#lookedMs > STALL_MS) this.#freshSinceMs = nowMs;
    this.#lookedMs = nowMs;
    const changes: LinkEvent[] = [];
    const seen = new Set<BridgeId>();
    for (const { peerId, state, heardMs } of links) {
      const before = this.#states.get(peerId);
      if (before === undefined && state !== 'up') continue;
      const isSilent = nowMs - Math.max(heardMs, this.#freshSinceMs) >= NEIGHBOUR_SILENT_MS;
      // Down without a silence before: the peer said good-bye, or has restarted. That is no sign that it is dead.
      if (state !== 'up' && !isSilent && before === 'heard') continue;
      seen.add(peerId);
      const after = isSilent ? 'silent' : 'heard';
      if (after === before) continue;
      this.#states.set(peerId, after);
      changes.push({ kind: 'link', bridgeId: peerId, state: after });
    }
    for (const peerId of this.#states.keys()) {
      if (seen.has(peerId)) continue;
      this.#states.delete(peerId);
      changes.push({ kind: 'link', bridgeId: peerId, state: 'gone' });
    }
    return changes;
  }

  /** All of it, for a focus that has just connected. */
  events(): LinkEvent[] {
    return [...this.#states].map(([bridgeId, state]) => ({ kind: 'link', bridgeId, state }));
  }
}

/** What is counted of the links between focuses. `direction`: out of this focus, which asks, or in. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

export interface PeerMetrics {
  readonly links: Gauge<'direction'>;
  readonly relayed: Gauge<'direction'>;
  readonly calls: Counter<'direction' | 'method' | 'result'>;
  readonly framesRefused: Counter<'reason'>;
  readonly roundTrip: Histogram;
  /** `taken`: the conference goes on here; `lost`: another focus was faster; `failed`: the store did not answer, or what it has cannot be read. */
  readonly takeovers: Counter<'outcome'>;
  /** Rooms that another focus has taken over, dropped here. */
  readonly roomsLost: Counter;
  readonly snapshots: Counter<'result'>;
  /** Parts of snapshots that are not kept, because they are too long. */
  readonly snapshotsTooLong: Gauge;
}

/** `tooLong`: parts of snapshots that are not kept, because they are too long. */
export function createPeerMetrics(registry: Registry, tooLong: () => number = () => 0): PeerMetrics {
  const registers = [registry];
  const named = <L extends string>(name: string, help: string, labelNames: L[] = []) => ({
    name: `causeway_focus_${name}`,
    help,
    labelNames,
    registers,
  });
  return {
    links: new Gauge(named('peer_links', 'Links between this focus and others', ['direction'])),
    relayed: new Gauge(named('relayed_sessions', 'Sessions relayed between this focus and others', ['direction'])),
    calls: new Counter(named('peer_calls_total', 'Calls between focuses', ['direction', 'method', 'result'])),
    framesRefused: new Counter(named('peer_frames_refused_total', 'Malformed frames of other focuses', ['reason'])),
    roundTrip: new Histogram({
      ...named('peer_round_trip_seconds', 'Round trip between this focus and others'),
      // From one machine to the far side of the world, and a link that is about to be given up.
      buckets: [0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 1, 3],
    }),
    takeovers: new Counter(named('takeovers_total', 'Conferences taken over from other focuses', ['outcome'])),
    roomsLost: new Counter(named('rooms_lost_total', 'Rooms that another focus has taken over')),
    snapshotsTooLong: new Gauge({
      ...named(
        'snapshot_fields_too_long',
        'Rooms and participants too large for a snapshot: they start anew elsewhere',
      ),
      collect() {
        this.set(tooLong());
      },
    }),
    snapshots: new Counter(named('snapshots_total', 'Parts of snapshots written to the store', ['result'])),
  };
}

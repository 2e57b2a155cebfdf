import type { Bridge } from '../bridge.ts';
import type { MediaCounts } from '../media-counts.ts';
import type { MetricFamilies } from './metric-families.ts';

type Name = Exclude<keyof MediaCounts, `add${string}`>;

/** Name on `/metrics`, without `_total`, and help of everything that streams and subscriptions count. */
const COUNTERS: Readonly<Record<Name, readonly [name: string, help: string]>> = {
  nackRequests: ['nack_requests', 'Retransmissions asked of clients, repeats included'],
  nackAbandoned: ['nack_abandoned_packets', 'Packets of clients that were asked for and never came'],
  recovered: ['recovered_packets', 'Packets of clients that came as retransmissions (RTX)'],
  duplicates: ['duplicate_packets', 'Packets of clients that came twice'],
  transportFeedbacks: ['transport_feedback_packets', 'Transport-wide congestion feedback sent to clients'],
  resendsSuppressed: [
    'retransmissions_suppressed_packets',
    'Packets asked for by clients while an earlier copy may have been under way',
  ],
  resendsMissed: ['retransmissions_missed_packets', 'Packets asked for by clients and not here any more'],
  droppedTemporal: ['projection_dropped_temporal_packets', 'Packets of temporal layers that a subscriber does not get'],
  droppedLate: ['projection_dropped_late_packets', 'Packets that came too late for a subscriber'],
  droppedCodec: ['projection_dropped_codec_packets', 'Packets of a codec that a subscriber does not have'],
  layerSwitches: ['layer_switches', 'Changes of the layer that a subscriber gets'],
  neededLayersUpdates: ['needed_layers_updates', 'Times a focus was told anew which layers a source is to send'],
  layersPaused: ['layer_pauses', 'Layers that a publisher was told to stop, because nobody watches them'],
  layersRestarted: ['layer_restarts', 'Layers that a publisher has begun again when somebody came to watch them'],
  layerRestartSeconds: ['layer_restart_seconds', 'From the need of such a layer to its first key frame, all together'],
};

/** Totals over all streams and subscriptions that there have been: they never fall when one ends. */
export function mediaMetrics(families: MetricFamilies, bridge: Pick<Bridge, 'countMedia'>): void {
  let counts: MediaCounts | undefined;
  // All metrics of a scrape are read in one turn of the event loop: the first one goes through all streams, the others take what it found.
  const read = (field: Name) => {
    if (counts === undefined) {
      counts = bridge.countMedia();
      queueMicrotask(() => {
        counts = undefined;
      });
    }
    return counts[field];
  };
  for (const [field, [name, help]] of Object.entries(COUNTERS) as [Name, readonly [string, string]][]) {
    families.counter(name, help, () => read(field));
  }
}

import type { Bridge } from '../bridge.ts';
import type { Endpoint } from '../endpoint.ts';

/** What streams and subscriptions count, each its own. Names as on `/metrics`, without `_total`. */
export const MEDIA_TOTALS = {
  nack_requests: 'Retransmissions asked of clients, repeats included',
  nack_abandoned_packets: 'Packets of clients that were asked for and never came',
  recovered_packets: 'Packets of clients that came as retransmissions (RTX)',
  duplicate_packets: 'Packets of clients that came twice',
  transport_feedback_packets: 'Transport-wide congestion feedback sent to clients',
  retransmissions_suppressed_packets: 'Packets asked for by clients while an earlier copy may have been under way',
  retransmissions_missed_packets: 'Packets asked for by clients and not here any more',
  projection_dropped_temporal_packets: 'Packets of temporal layers that a subscriber does not get',
  projection_dropped_late_packets: 'Packets that came too late for a subscriber',
  projection_dropped_codec_packets: 'Packets of a codec that a subscriber does not have',
  layer_switches: 'Changes of the layer that a subscriber gets',
} as const satisfies Readonly<Record<string, string>>;

type Name = keyof typeof MEDIA_TOTALS;
type Numbers = { [name in Name]?: number };

/**
 * Totals over all streams and subscriptions that there have been. Each is added as far as it has come since the last scrape, so that totals never fall when one
 * ends; what it did after its last scrape is not in them.
 */
export class MediaTotals {
  readonly #bridge: Pick<Bridge, 'conferences'>;
  readonly #totals = new Map<Name, number>();
  readonly #seen = new WeakMap<object, Numbers>();
  #isFresh = false;

  constructor(bridge: Pick<Bridge, 'conferences'>) {
    this.#bridge = bridge;
  }

  /** All metrics of a scrape are read in one turn of the event loop: the first one goes through all streams, the others take what it found. */
  read(name: Name): number {
    if (!this.#isFresh) {
      this.#isFresh = true;
      queueMicrotask(() => {
        this.#isFresh = false;
      });
      for (const { endpoints } of this.#bridge.conferences.values()) {
        for (const endpoint of endpoints.values()) this.#addEndpoint(endpoint);
      }
    }
    return this.#totals.get(name) ?? 0;
  }

  #addEndpoint({ streams, subscriptions, feedback }: Endpoint): void {
    this.#add(feedback, { transport_feedback_packets: feedback.feedbacks });
    for (const { receiver, isRtx } of streams.all()) {
      if (isRtx) continue;
      this.#add(receiver, {
        nack_requests: receiver.nacks?.requests ?? 0,
        nack_abandoned_packets: receiver.nacks?.abandoned ?? 0,
        recovered_packets: receiver.recovered,
        duplicate_packets: receiver.duplicates,
      });
    }
    for (const { projection } of subscriptions.values()) {
      const { counters } = projection;
      this.#add(projection, {
        retransmissions_suppressed_packets: counters.retransmissionsSuppressed,
        retransmissions_missed_packets: counters.retransmissionsMissed,
        projection_dropped_temporal_packets: counters.droppedTemporal,
        projection_dropped_late_packets: counters.droppedLate,
        projection_dropped_codec_packets: counters.droppedCodec,
        layer_switches: counters.layerSwitches,
      });
    }
  }

  #add(counted: object, numbers: Numbers): void {
    const seen = this.#seen.get(counted) ?? {};
    for (const name of Object.keys(numbers) as Name[]) {
      const added = (numbers[name] ?? 0) - (seen[name] ?? 0);
      if (added > 0) this.#totals.set(name, (this.#totals.get(name) ?? 0) + added);
    }
    this.#seen.set(counted, numbers);
  }
}

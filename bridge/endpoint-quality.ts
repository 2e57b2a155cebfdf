import type { Quality } from '../protocol/control/events.ts';
import { codecOfPayloadType } from '../protocol/rtp/table.ts';
import type { Endpoint } from './endpoint.ts';
import { ConnectionQuality } from './receive/connection-quality.ts';

export interface MeasuredQuality {
  readonly quality: Quality;
  readonly score: number;
  /** Share of packets missing for good since the last measurement, 0 to 1: from the client, and to it. */
  readonly lossUp: number;
  readonly lossDown: number;
}

/** What has been expected and lost of one stream up to the last measurement. */
interface Seen {
  readonly expected: number;
  readonly lost: number;
}

const NOTHING: Seen = { expected: 0, lost: 0 };

/** The connection quality of one endpoint over all it sends and is sent, measured in windows between calls. */
export class EndpointQuality {
  readonly #endpoint: Endpoint;
  readonly #quality: ConnectionQuality;
  readonly #seen = new WeakMap<object, Seen>();

  constructor(nowMs: number, endpoint: Endpoint) {
    this.#endpoint = endpoint;
    this.#quality = new ConnectionQuality(nowMs);
  }

  /** Ends the window and answers for it. */
  measure(nowMs: number): MeasuredQuality {
    const { streams, subscriptions, transport } = this.#endpoint;
    const up = { expected: 0, lost: 0 };
    for (const { receiver, layer, isRtx } of streams.all()) {
      if (isRtx) continue;
      const lostSoFar = Math.max(0, receiver.expected - receiver.received - receiver.recovered);
      this.#add(nowMs, up, receiver, layer.source.payloadType, receiver.expected, lostSoFar, receiver.jitterMs);
    }
    const down = { expected: 0, lost: 0 };
    for (const { projection, source } of subscriptions.values()) {
      if (source === undefined) continue;
      const { packetsSent } = projection.counters;
      const before = this.#seen.get(projection) ?? NOTHING;
      // The subscriber tells the share it lost lately, not a count that could be followed over a window.
      const lost = before.lost + (packetsSent - before.expected) * projection.fractionLost;
      this.#add(nowMs, down, projection, source.payloadType, packetsSent, lost, 0);
    }
    this.#quality.update(nowMs, transport.heardMs);
    const { quality, score } = this.#quality;
    return {
      quality,
      score: Math.round(score * 100) / 100,
      lossUp: share(up),
      lossDown: share(down),
    };

    function share({ expected, lost }: Seen): number {
      return expected === 0 ? 0 : Math.round((lost / expected) * 10_000) / 10_000;
    }
  }

  #add(
    nowMs: number,
    sum: { expected: number; lost: number },
    key: object,
    payloadType: number,
    expected: number,
    lost: number,
    jitterMs: number,
  ): void {
    const before = this.#seen.get(key) ?? NOTHING;
    this.#seen.set(key, { expected, lost });
    const codec = codecOfPayloadType(payloadType);
    if (codec === undefined) return;
    const expectedNow = expected - before.expected;
    const lostNow = Math.max(0, lost - before.lost);
    sum.expected += expectedNow;
    sum.lost += lostNow;
    this.#quality.handleStream(nowMs, codec.name, expectedNow, lostNow, jitterMs, this.#endpoint.roundTrip.smoothedMs);
  }
}

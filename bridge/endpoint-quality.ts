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

/** One stream, either way: what had been expected of it and lost when it was measured last. */
export class MeasuredStream {
  expected = 0;
  lost = 0;
}

/** The connection quality of one endpoint over all it sends and is sent, measured in windows between calls. */
export class EndpointQuality {
  readonly #endpoint: Endpoint;
  readonly #quality: ConnectionQuality;
  /** Of the window being ended, in the direction that is being summed. */
  #expected = 0;
  #lost = 0;

  constructor(nowMs: number, endpoint: Endpoint) {
    this.#endpoint = endpoint;
    this.#quality = new ConnectionQuality(nowMs);
  }

  /** Ends the window and answers for it. */
  measure(nowMs: number): MeasuredQuality {
    const { streams, subscriptions, transport } = this.#endpoint;
    for (const { receiver, layer, isRtx, measured } of streams.all()) {
      if (isRtx) continue;
      const lostSoFar = Math.max(0, receiver.expected - receiver.received - receiver.recovered);
      this.#add(nowMs, measured, layer.source.payloadType, receiver.expected, lostSoFar, receiver.jitterMs);
    }
    const lossUp = this.#takeLoss();
    for (const { projection, source, measured } of subscriptions.values()) {
      if (source === undefined) continue;
      const { packetsSent } = projection.counters;
      // The subscriber tells the share it lost lately, not a count that could be followed over a window.
      const lost = measured.lost + (packetsSent - measured.expected) * projection.fractionLost;
      this.#add(nowMs, measured, source.payloadType, packetsSent, lost, 0);
    }
    const lossDown = this.#takeLoss();
    this.#quality.update(nowMs, transport.heardMs);
    const { quality, score } = this.#quality;
    return { quality, score: Math.round(score * 100) / 100, lossUp, lossDown };
  }

  #add(
    nowMs: number,
    measured: MeasuredStream,
    payloadType: number,
    expected: number,
    lost: number,
    jitterMs: number,
  ): void {
    const expectedNow = expected - measured.expected;
    const lostNow = Math.max(0, lost - measured.lost);
    measured.expected = expected;
    measured.lost = lost;
    const codec = codecOfPayloadType(payloadType);
    if (codec === undefined) return;
    this.#expected += expectedNow;
    this.#lost += lostNow;
    this.#quality.handleStream(nowMs, codec.name, expectedNow, lostNow, jitterMs, this.#endpoint.roundTrip.smoothedMs);
  }

  /** The share lost of what was summed; begins a new sum. */
  #takeLoss(): number {
    const share = this.#expected === 0 ? 0 : Math.round((this.#lost / this.#expected) * 10_000) / 10_000;
    this.#expected = 0;
    this.#lost = 0;
    return share;
  }
}

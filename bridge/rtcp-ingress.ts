/**
 * RTCP from clients. Sender reports set the clock of a layer and go on over links; receiver reports, NACK and key-frame requests are answered here and
 * end here (protocol/rtcp/README.md has a row per type).
 */
import { firCount, firSsrc, readNack } from '../protocol/rtcp/feedback.ts';
import {
  PSFB_FIR,
  PSFB_PLI,
  RTCP_PSFB,
  RTCP_RR,
  RTCP_RTPFB,
  RTCP_SR,
  RTPFB_NACK,
  RtcpPacket,
  SENDER_INFO_BYTES,
} from '../protocol/rtcp/packet.ts';
import { ReportBlock, SenderInfo } from '../protocol/rtcp/report.ts';
import type { BridgeCounters } from './counters.ts';
import type { Egress } from './egress.ts';
import type { Endpoint } from './endpoint.ts';
import type { Layer } from './source.ts';

/** Sequence numbers taken from one NACK packet; more than a whole history would be asking for everything. */
const NACKED_MAX = 512;

const SENDER_REPORT_BYTES = 8 + SENDER_INFO_BYTES;

export class RtcpIngress {
  readonly #egress: Egress;
  readonly #counters: BridgeCounters;
  readonly #packet = new RtcpPacket();
  readonly #block = new ReportBlock();
  readonly #sender = new SenderInfo();
  readonly #nacked = new Uint16Array(NACKED_MAX);
  readonly #relayed = Buffer.alloc(SENDER_REPORT_BYTES);

  constructor(egress: Egress, counters: BridgeCounters) {
    this.#egress = egress;
    this.#counters = counters;
  }

  /** Takes one decrypted compound packet of `endpoint`. Throws DecodeError where it is damaged; what came before counts. */
  handleCompound(nowMs: number, endpoint: Endpoint, bytes: Uint8Array, offset: number, length: number): void {
    const packet = this.#packet;
    packet.begin(bytes, offset, length);
    while (packet.next()) {
      switch (packet.type) {
        case RTCP_SR:
          this.#handleSenderReport(nowMs, endpoint);
          this.#handleBlocks(nowMs, endpoint);
          break;
        case RTCP_RR:
          this.#handleBlocks(nowMs, endpoint);
          break;
        case RTCP_RTPFB:
          if (packet.count === RTPFB_NACK) this.#handleNack(nowMs, endpoint);
          break;
        case RTCP_PSFB:
          if (packet.count === PSFB_PLI) this.#handleKeyFrameRequest(nowMs, endpoint, packet.mediaSsrc);
          else if (packet.count === PSFB_FIR) {
            for (let index = 0; index < firCount(packet); index++) {
              this.#handleKeyFrameRequest(nowMs, endpoint, firSsrc(packet, index));
            }
          }
      }
    }
  }

  /** Takes the sender report that another bridge passed on for `layer`: 28 bytes, no blocks. Throws DecodeError. */
  handleRelayedReport(nowMs: number, layer: Layer, bytes: Uint8Array, offset: number, length: number): void {
    const packet = this.#packet;
    packet.begin(bytes, offset, length);
    if (!packet.next() || packet.type !== RTCP_SR) return;
    this.#sender.read(packet);
    this.#setClock(nowMs, layer);
  }

  #handleSenderReport(nowMs: number, endpoint: Endpoint): void {
    const packet = this.#packet;
    const stream = endpoint.streams.find(packet.ssrc);
    if (stream === undefined || stream.isRtx) return;
    const sender = this.#sender;
    sender.read(packet);
    stream.receiver.senderClock.handleReport(nowMs, sender.ntpSeconds, sender.ntpFraction, sender.rtpTimestamp);
    const { source, index } = stream.layer;
    this.#setClock(nowMs, stream.layer);
    this.#relayReport(stream.layer);
    for (const echo of source.echoes) {
      this.#setClock(nowMs, echo.layers[index]);
      this.#relayReport(echo.layers[index]);
    }
  }

  #relayReport(layer: Layer): void {
    if (layer.links.length === 0) return;
    const packet = this.#packet;
    // Only the sender's own part travels: report blocks end at this hop.
    const relayed = this.#relayed;
    (packet.bytes as Buffer).copy(relayed, 0, packet.offset, packet.offset + SENDER_REPORT_BYTES);
    relayed[0] = 0x80;
    relayed[2] = 0;
    relayed[3] = SENDER_REPORT_BYTES / 4 - 1;
    this.#egress.relaySenderReport(layer.source.conference.id, layer, relayed, 0, SENDER_REPORT_BYTES);
  }

  #setClock(nowMs: number, layer: Layer): void {
    const { ntpSeconds, ntpFraction, rtpTimestamp } = this.#sender;
    layer.setSenderReport(nowMs, ntpSeconds, ntpFraction, rtpTimestamp);
  }

  #handleBlocks(nowMs: number, endpoint: Endpoint): void {
    const packet = this.#packet;
    const block = this.#block;
    for (let index = 0; index < packet.count; index++) {
      block.read(packet, index);
      const projection = endpoint.subscriptionBySsrc.get(block.ssrc)?.projection;
      if (projection === undefined) continue;
      const sampleMs = projection.handleReceiverReport(nowMs, block);
      if (sampleMs >= 0) endpoint.roundTrip.handleSample(sampleMs);
    }
  }

  #handleNack(nowMs: number, endpoint: Endpoint): void {
    const count = readNack(this.#packet, this.#nacked);
    const rttMs = endpoint.roundTrip.smoothedMs;
    for (let index = 0; index < count; index++) {
      this.#egress.retransmit(nowMs, endpoint, this.#packet.mediaSsrc, this.#nacked[index], rttMs);
    }
  }

  #handleKeyFrameRequest(nowMs: number, endpoint: Endpoint, ssrc: number): void {
    const subscription = endpoint.subscriptionBySsrc.get(ssrc);
    if (subscription?.source === undefined) return this.#counters.drop('key-frame-request-unknown');
    const { projection, source } = subscription;
    if (projection.holdsRun(source.layers) && this.#egress.replayRun(nowMs, subscription)) return;
    const layer = projection.waitingForLayer >= 0 ? projection.waitingForLayer : projection.currentLayer;
    if (layer >= 0) source.layers[layer].keyFrames.request(nowMs, subscription.requester);
  }
}

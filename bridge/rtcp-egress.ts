/** RTCP that the bridge itself makes for its clients. Reduced-size packets (RFC 5506) are negotiated, so each is sent as soon as it is due. */
import { writeNack, writePli } from '../protocol/rtcp/feedback.ts';
import { REPORT_BLOCKS_MAX, writeReceiverReport } from '../protocol/rtcp/report.ts';
import { writeSdesCname } from '../protocol/rtcp/sdes.ts';
import type { BridgeCounters } from './counters.ts';
import type { Endpoint } from './endpoint.ts';
import type { DatagramPort } from './io/datagram-port.ts';
import type { StreamReceiver } from './receive/stream-receiver.ts';

/** Compound packets stay well inside a datagram, with room for the SRTCP index and tag. */
const COMPOUND_BYTES_MAX = 1_150;
const SENDER_REPORT_BYTES = 28;
/** Header and sender of a receiver report, before its blocks. */
const RECEIVER_REPORT_BYTES = 8;
/** NACKs in one packet: with PID and mask at worst one item of 4 bytes each. */
const NACKS_MAX = 128;
const CNAME = 'causeway';

export class RtcpEgress {
  readonly #port: DatagramPort<Endpoint>;
  readonly #counters: BridgeCounters;
  /** The bridge's own SSRC, as sender of reports and feedback. */
  readonly #ssrc: number;
  readonly #nacks = new Uint16Array(NACKS_MAX);

  constructor(port: DatagramPort<Endpoint>, ssrc: number, counters: BridgeCounters) {
    this.#port = port;
    this.#ssrc = ssrc;
    this.#counters = counters;
  }

  /** Asks for what `receiver` is missing, as far as it is due. */
  sendNacks(nowMs: number, endpoint: Endpoint, receiver: StreamReceiver): void {
    const count = receiver.pollNacks(nowMs, endpoint.roundTrip.smoothedMs, this.#nacks);
    if (count === 0) return;
    const slot = this.#reserve();
    if (slot < 0) return;
    this.#commit(endpoint, slot, writeNack(this.#port.outgoing, slot, this.#ssrc, receiver.ssrc, this.#nacks, count));
  }

  /** Asks the publisher for a key frame of the encoding `mediaSsrc`. */
  sendPli(endpoint: Endpoint, mediaSsrc: number): void {
    this.#counters.keyFramesRequested++;
    const slot = this.#reserve();
    if (slot >= 0) this.#commit(endpoint, slot, writePli(this.#port.outgoing, slot, this.#ssrc, mediaSsrc));
  }

  /** Transport-wide feedback, as many packets as it takes. False when there was no room for all. */
  sendTransportFeedback(nowMs: number, endpoint: Endpoint): boolean {
    const { feedback, feedbackSsrc } = endpoint;
    while (feedback.isDue(nowMs)) {
      const slot = this.#reserve();
      if (slot < 0) return false;
      this.#commit(endpoint, slot, feedback.poll(nowMs, this.#ssrc, feedbackSsrc, this.#port.outgoing, slot));
    }
    return true;
  }

  /** Receiver reports for all that the endpoint sends, sender reports for all that it is sent. */
  sendReports(nowMs: number, endpoint: Endpoint): void {
    this.#sendReceiverReports(nowMs, endpoint);
    this.#sendSenderReports(nowMs, endpoint);
  }

  #sendReceiverReports(nowMs: number, endpoint: Endpoint): void {
    let slot = -1;
    let blocks = 0;
    let position = 0;
    for (const { receiver, isRtx } of endpoint.streams.all()) {
      if (isRtx || receiver.highest < 0) continue;
      if (slot < 0) {
        slot = this.#reserve();
        if (slot < 0) return;
        blocks = 0;
        position = slot + RECEIVER_REPORT_BYTES;
      }
      position = receiver.writeReportBlock(nowMs, this.#port.outgoing, position);
      if (++blocks < REPORT_BLOCKS_MAX) continue;
      this.#endReceiverReport(endpoint, slot, blocks, position);
      slot = -1;
    }
    if (slot >= 0) this.#endReceiverReport(endpoint, slot, blocks, position);
  }

  /** The blocks stand behind the place of the header, which has to know how many they are. */
  #endReceiverReport(endpoint: Endpoint, slot: number, blocks: number, end: number): void {
    const { outgoing } = this.#port;
    writeReceiverReport(outgoing, slot, this.#ssrc, blocks);
    this.#commit(endpoint, slot, writeSdesCname(outgoing, end, this.#ssrc, CNAME));
  }

  #sendSenderReports(nowMs: number, endpoint: Endpoint): void {
    let slot = -1;
    let position = 0;
    for (const { projection, source } of endpoint.subscriptions.values()) {
      if (source === undefined) continue;
      if (slot < 0) {
        slot = this.#reserve();
        if (slot < 0) return;
        position = slot;
      }
      position += projection.writeSenderReport(nowMs, source.layers, this.#port.outgoing, position);
      if (position - slot + SENDER_REPORT_BYTES <= COMPOUND_BYTES_MAX) continue;
      this.#commit(endpoint, slot, position);
      slot = -1;
    }
    if (slot >= 0) this.#commit(endpoint, slot, position);
  }

  /** A slot of the port; -1, counted, when there is none. */
  #reserve(): number {
    const slot = this.#port.reserve();
    if (slot < 0) this.#counters.drop('egress-full');
    return slot;
  }

  #commit(endpoint: Endpoint, slot: number, end: number): void {
    if (end === slot) return this.#port.cancel(slot);
    endpoint.transport.sendRtcp(slot, end - slot);
    this.#counters.rtcpOut++;
  }
}

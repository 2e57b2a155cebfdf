/** RTCP that the bridge itself makes for its clients. Reduced-size packets (RFC 5506) are negotiated, so each is sent as soon as it is due. */
import { writeNack, writePli } from '../protocol/rtcp/feedback.ts';
import { REPORT_BLOCKS_MAX, writeReceiverReport } from '../protocol/rtcp/report.ts';
import { writeSdesCname } from '../protocol/rtcp/sdes.ts';
import type { BridgeCounters } from './counters.ts';
import type { Endpoint } from './endpoint.ts';
import type { DatagramPort } from './io/datagram-port.ts';
import type { Stream } from './streams.ts';

/** Compound packets stay well inside a datagram, with room for the SRTCP index and tag. */
const COMPOUND_BYTES_MAX = 1_150;
const SENDER_REPORT_BYTES = 28;
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

  /** Asks for what `stream` is missing, as far as it is due. */
  sendNacks(nowMs: number, endpoint: Endpoint, stream: Stream): void {
    const count = stream.receiver.pollNacks(nowMs, endpoint.roundTrip.smoothedMs, this.#nacks);
    if (count === 0) return;
    this.#send(endpoint, (bytes, offset) => writeNack(bytes, offset, this.#ssrc, stream.ssrc, this.#nacks, count));
  }

  /** Asks the publisher for a key frame of the encoding `mediaSsrc`. */
  sendPli(endpoint: Endpoint, mediaSsrc: number): void {
    this.#counters.keyFramesRequested++;
    this.#send(endpoint, (bytes, offset) => writePli(bytes, offset, this.#ssrc, mediaSsrc));
  }

  /** Transport-wide feedback, as many packets as it takes. */
  sendTransportFeedback(nowMs: number, endpoint: Endpoint): void {
    const ssrc = this.#ssrc;
    for (;;) {
      const slot = this.#port.reserve();
      if (slot < 0) return this.#counters.drop('egress-full');
      const end = endpoint.feedback.poll(nowMs, ssrc, endpoint.feedbackSsrc, this.#port.outgoing, slot);
      if (end === slot) return this.#port.cancel(slot);
      endpoint.transport.sendRtcp(slot, end - slot);
      this.#counters.rtcpOut++;
    }
  }

  /** Receiver reports for all that the endpoint sends, sender reports for all that it is sent. */
  sendReports(nowMs: number, endpoint: Endpoint): void {
    this.#sendReceiverReports(nowMs, endpoint);
    this.#sendSenderReports(nowMs, endpoint);
  }

  #sendReceiverReports(nowMs: number, endpoint: Endpoint): void {
    const streams: Stream[] = [];
    for (const stream of endpoint.streams.all())
      if (!stream.isRtx && stream.receiver.highest >= 0) streams.push(stream);
    for (let start = 0; start < streams.length; start += REPORT_BLOCKS_MAX) {
      const part = streams.slice(start, start + REPORT_BLOCKS_MAX);
      this.#send(endpoint, (bytes, offset) => {
        let position = writeReceiverReport(bytes, offset, this.#ssrc, part.length);
        for (const { receiver } of part) position = receiver.writeReportBlock(nowMs, bytes, position);
        return writeSdesCname(bytes, position, this.#ssrc, CNAME);
      });
    }
  }

  #sendSenderReports(nowMs: number, endpoint: Endpoint): void {
    let slot = -1;
    let position = 0;
    for (const { projection, source } of endpoint.subscriptions.values()) {
      if (source === undefined) continue;
      if (slot < 0) {
        slot = this.#port.reserve();
        if (slot < 0) return this.#counters.drop('egress-full');
        position = slot;
      }
      position += projection.writeSenderReport(nowMs, source.layers, this.#port.outgoing, position);
      if (position - slot + SENDER_REPORT_BYTES <= COMPOUND_BYTES_MAX) continue;
      this.#commit(endpoint, slot, position);
      slot = -1;
    }
    if (slot >= 0) this.#commit(endpoint, slot, position);
  }

  #send(endpoint: Endpoint, write: (bytes: Buffer, offset: number) => number): void {
    const slot = this.#port.reserve();
    if (slot < 0) return this.#counters.drop('egress-full');
    this.#commit(endpoint, slot, write(this.#port.outgoing, slot));
  }

  #commit(endpoint: Endpoint, slot: number, end: number): void {
    if (end === slot) return this.#port.cancel(slot);
    endpoint.transport.sendRtcp(slot, end - slot);
    this.#counters.rtcpOut++;
  }
}

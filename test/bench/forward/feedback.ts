/** RTCP of the endpoints that a load generator plays: what bridges tell them, and the NACKs and receiver reports that they send. */
import { readNack, writeNack, writePli } from '../../../protocol/rtcp/feedback.ts';
import { PSFB_PLI, RTCP_PSFB, RTCP_RTPFB, RTCP_SR, RTPFB_NACK, RtcpPacket } from '../../../protocol/rtcp/packet.ts';
import {
  ntpMiddle,
  REPORT_BLOCKS_MAX,
  SenderInfo,
  writeReceiverReport,
  writeReportBlock,
} from '../../../protocol/rtcp/report.ts';
import type { GeneratorEndpoint } from './generator-endpoint.ts';
import { type GeneratorSocket, OUTGOING_BYTES } from './io/generator-socket.ts';
import type { PublishedStream } from './published-stream.ts';
import type { ReceivedStream } from './received-stream.ts';

/** A gap is no loss while the packet may still be on its way; libwebrtc waits as long for the retransmission it asked for. */
const NACK_DELAY_MS = 10;
const NACK_INTERVAL_MS = 60;
const NACK_TRIES_MAX = 5;
const NACKED_MAX = 200;
/** A decoder that has waited so long asks for a key frame, and again after as long. Longer than a repair takes over any link that is measured. */
const STUCK_MS_MAX = 500;
/** Endpoints that only receive have no SSRC of their own. */
const SENDER_SSRC = 1;

export interface FeedbackOptions {
  readonly socket: GeneratorSocket;
  readonly published: (ssrc: number) => PublishedStream | undefined;
  readonly received: (ssrc: number) => ReceivedStream | undefined;
}

export class Feedback {
  readonly #options: FeedbackOptions;
  readonly #packet = new RtcpPacket();
  readonly #sender = new SenderInfo();
  readonly #plain = Buffer.alloc(OUTGOING_BYTES);
  readonly #nacked = new Uint16Array(NACKED_MAX);

  constructor(options: FeedbackOptions) {
    this.#options = options;
  }

  /** One SRTCP datagram for `endpoint`. False when it is not authentic. Throws DecodeError for one that is damaged. */
  receive(endpoint: GeneratorEndpoint, bytes: Buffer, offset: number, length: number, nowMs: number): boolean {
    if (endpoint.srtp === undefined || length > OUTGOING_BYTES) return false;
    bytes.copy(this.#plain, 0, offset, offset + length);
    const plainLength = endpoint.srtp.unprotectRtcp(this.#plain, 0, length);
    if (plainLength < 0) return false;
    const packet = this.#packet;
    packet.begin(this.#plain, 0, plainLength);
    while (packet.next()) this.#handle(packet, nowMs);
    return true;
  }

  /** Asks for what is missing of a stream of video; audio has no retransmission. */
  sendNack({ count, kind, endpoint, ssrc }: ReceivedStream, nowMs: number): void {
    if (kind === 'audio') return;
    const asked = count.pollMissing(nowMs, NACK_DELAY_MS, NACK_INTERVAL_MS, NACK_TRIES_MAX, this.#nacked);
    if (asked === 0) return;
    const { socket } = this.#options;
    const offset = socket.reserve();
    const end = writeNack(socket.outgoing, offset, SENDER_SSRC, ssrc, this.#nacked, asked);
    this.#send(endpoint, offset, end - offset);
  }

  /** Asks for a key frame as a decoder does that cannot go on. */
  askKeyFrame(stream: ReceivedStream, nowMs: number): void {
    const { endpoint, ssrc, askedKeyFrameMs, stuckSinceMs } = stream;
    if (stuckSinceMs === undefined || nowMs - Math.max(stuckSinceMs, askedKeyFrameMs) < STUCK_MS_MAX) return;
    stream.askedKeyFrameMs = nowMs;
    const { socket } = this.#options;
    const offset = socket.reserve();
    const end = writePli(socket.outgoing, offset, SENDER_SSRC, ssrc);
    this.#send(endpoint, offset, end - offset);
  }

  /** Reports on an endpoint's streams, as many as one report holds. */
  sendReceiverReport(streams: readonly ReceivedStream[], nowMs: number): void {
    const { socket } = this.#options;
    const offset = socket.reserve();
    let blocks = 0;
    let position = offset + 8;
    for (const { count, ssrc, lastReport, lastReportMs } of streams) {
      if (count.highest < 0 || blocks === REPORT_BLOCKS_MAX) continue;
      const lost = count.missing.size;
      const delay = lastReport === 0 ? 0 : Math.round((nowMs - lastReportMs) * 65.536);
      position = writeReportBlock(socket.outgoing, position, ssrc, 0, lost, count.highest, 0, lastReport, delay);
      blocks++;
    }
    writeReceiverReport(socket.outgoing, offset, SENDER_SSRC, blocks);
    this.#send(streams[0].endpoint, offset, position - offset);
  }

  #handle(packet: RtcpPacket, nowMs: number): void {
    const { published, received, socket } = this.#options;
    if (packet.type === RTCP_SR) {
      const stream = received(packet.ssrc);
      if (stream === undefined) return;
      this.#sender.read(packet);
      stream.lastReport = ntpMiddle(this.#sender.ntpSeconds, this.#sender.ntpFraction);
      stream.lastReportMs = nowMs;
    } else if (packet.type === RTCP_PSFB && packet.count === PSFB_PLI) {
      const stream = published(packet.mediaSsrc);
      if (stream !== undefined) stream.wantsKeyFrame = true;
    } else if (packet.type === RTCP_RTPFB && packet.count === RTPFB_NACK) {
      const stream = published(packet.mediaSsrc);
      const count = readNack(packet, this.#nacked);
      for (let index = 0; index < count; index++) stream?.resend(this.#nacked[index]);
      socket.flush();
    }
  }

  #send(endpoint: GeneratorEndpoint, offset: number, length: number): void {
    const { socket } = this.#options;
    const protectedLength = endpoint.srtp?.protectRtcp(socket.outgoing, offset, length) ?? -1;
    if (protectedLength > 0) socket.send(endpoint.index, endpoint.port, offset, protectedLength);
  }
}

import { type RtpPacket, writeUint16 } from '../../protocol/rtp/packet.ts';
import { primaryOf, rewriteRedPayloadTypes } from '../../protocol/rtp/red.ts';
import { PT_OPUS, PT_RED, PT_VP8 } from '../../protocol/rtp/table.ts';
import { Vp8Descriptor } from '../../protocol/rtp/vp8.ts';
import { copyBytes } from './copy-bytes.ts';
import { HeaderWriter } from './header-writer.ts';
import type { ProjectionCounters, ProjectionOptions } from './projection-options.ts';
import type { Segment } from './segment.ts';
import type { SubscriberFormat } from './subscriber-format.ts';

/** Refilled for each packet that is written again. */
const again = new Vp8Descriptor();

/** Writes packets in a subscriber's format, at places that others decided. Written again, a packet has the same bytes, RTX aside. */
export class PacketWriter {
  /** The mid is on all packets up to this extended sequence number: set when the subscriber has proved that it knows the SSRC. */
  midUntil = Number.MAX_SAFE_INTEGER;

  /** Signed: see Timeline. */
  private readonly ssrc: number;
  private readonly rtxSsrc: number | null;
  private readonly header: HeaderWriter;
  private readonly counters: ProjectionCounters;
  private rtxSequence: number;
  private format: SubscriberFormat;

  constructor(options: ProjectionOptions, rtxSequence: number, counters: ProjectionCounters) {
    this.ssrc = options.ssrc | 0;
    this.rtxSsrc = options.rtxSsrc;
    this.header = new HeaderWriter(options.format, options.mid);
    this.format = options.format;
    this.rtxSequence = rtxSequence;
    this.counters = counters;
  }

  setFormat(format: SubscriberFormat): void {
    this.format = format;
    this.header.setFormat(format);
  }

  /** The table's payload type that the subscriber gets for one of the source; -1 when it has none. RED shrinks to its primary. */
  sentPayloadType(payloadType: number): number {
    const payloadTypes = this.format.payloadTypes;
    if (payloadTypes[payloadType] >= 0) return payloadType;
    return payloadType === PT_RED && payloadTypes[PT_OPUS] >= 0 ? PT_OPUS : -1;
  }

  /** True when retransmissions of this payload type can go by RTX. */
  canRtx(payloadType: number): boolean {
    const sent = this.sentPayloadType(payloadType);
    return this.rtxSsrc !== null && sent >= 0 && this.format.rtxPayloadTypes[sent] >= 0;
  }

  /**
   * Writes `rtp` with this sequence number (extended) and timestamp; returns the packet's length. For VP8, `descriptor` is its own and `picture`
   * the id it gets.
   */
  write(
    segment: Segment,
    rtp: RtpPacket,
    sequenceOut: number,
    timestampOut: number,
    descriptor: Vp8Descriptor,
    picture: number,
    isRtx: boolean,
    out: Uint8Array,
    outOffset: number,
  ): number {
    const sent = this.sentPayloadType(rtp.payloadType);
    const payload = this.writeHeader(rtp, sent, rtp.marker, sequenceOut, timestampOut, isRtx, out, outOffset);
    let from = rtp.payloadOffset;
    let length = rtp.payloadLength;
    if (sent !== rtp.payloadType) {
      from = primaryOf(rtp.bytes, rtp.payloadOffset, rtp.payloadLength);
      length -= from - rtp.payloadOffset;
    }
    copyBytes(rtp.bytes, from, out, payload, length);
    if (sent === PT_VP8) {
      segment.vp8.rewrite(descriptor, picture, out, payload);
    } else if (sent === PT_RED && this.format.payloadTypes[PT_OPUS] !== PT_OPUS) {
      rewriteRedPayloadTypes(out, payload, length, this.format.payloadTypes[PT_OPUS] & 0x7f);
    }
    if (!isRtx) this.count(length);
    return payload + length - outOffset;
  }

  /**
   * Writes a packet of a run whose place, `sequenceOut`, was decided before. What remains of a frame whose other packets were dropped becomes an
   * empty packet: it has a number, so it must not look lost.
   */
  writeAgain(
    segment: Segment,
    rtp: RtpPacket,
    sequence: number,
    sequenceOut: number,
    isRtx: boolean,
    out: Uint8Array,
    outOffset: number,
  ): number {
    const timestampOut = segment.timestampOf(sequence, rtp.timestamp);
    let picture = -1;
    let isEmpty = rtp.payloadLength === 0;
    if (!isEmpty && rtp.payloadType === PT_VP8) {
      again.decode(rtp.bytes, rtp.payloadOffset, rtp.payloadLength);
      picture = segment.vp8.pictureOf(again);
      isEmpty = picture < 0 && again.pictureIdBits !== 0;
    }
    if (!isEmpty) return this.write(segment, rtp, sequenceOut, timestampOut, again, picture, isRtx, out, outOffset);
    const sent = this.sentPayloadType(rtp.payloadType);
    if (!isRtx) this.count(0);
    return this.writeHeader(rtp, sent, false, sequenceOut, timestampOut, isRtx, out, outOffset) - outOffset;
  }

  /** Header, and for RTX the original sequence number (RFC 4588 section 4); returns where the payload belongs. */
  private writeHeader(
    rtp: RtpPacket,
    sent: number,
    marker: boolean,
    sequenceOut: number,
    timestampOut: number,
    isRtx: boolean,
    out: Uint8Array,
    outOffset: number,
  ): number {
    const { header, format } = this;
    const withMid = sequenceOut <= this.midUntil;
    if (!isRtx || this.rtxSsrc === null) {
      const payloadType = format.payloadTypes[sent];
      return header.write(out, outOffset, rtp, this.ssrc, payloadType, marker, sequenceOut, timestampOut, withMid);
    }
    const payloadType = format.rtxPayloadTypes[sent];
    const sequence = this.rtxSequence++;
    const at = header.write(out, outOffset, rtp, this.rtxSsrc, payloadType, marker, sequence, timestampOut, withMid);
    writeUint16(out, at, sequenceOut & 0xffff);
    return at + 2;
  }

  private count(octets: number): void {
    this.counters.packetsSent++;
    this.counters.octetsSent += octets;
  }
}

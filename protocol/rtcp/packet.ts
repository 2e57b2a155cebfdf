/**
 * RTCP compound packets (RFC 3550 section 6.1; reduced size, RFC 5506), decoded to offsets one packet at a time.
 *
 *  0                   1                   2                   3
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 * |V=2|P|count/FMT|  packet type  |     length in words - 1       |
 * |                     SSRC of the sender                        |
 * |          SSRC of the media (feedback, RFC 4585 6.1)           |
 */
import { DecodeError } from '../errors.ts';
import { readUint16, readUint32, writeUint16 } from '../rtp/packet.ts';

export const RTCP_SR = 200;
export const RTCP_RR = 201;
export const RTCP_SDES = 202;
export const RTCP_BYE = 203;
/** Transport-layer feedback: {@link RtcpPacket.count} is one of RTPFB_*. */
export const RTCP_RTPFB = 205;
/** Payload-specific feedback: {@link RtcpPacket.count} is one of PSFB_*. */
export const RTCP_PSFB = 206;

/** RFC 4585 section 6.2.1. */
export const RTPFB_NACK = 1;
/** draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1. */
export const RTPFB_TRANSPORT_CC = 15;
/** RFC 4585 section 6.3.1. */
export const PSFB_PLI = 1;
/** RFC 5104 section 4.3.1. */
export const PSFB_FIR = 4;
/** Application layer feedback; REMB when it carries that name. */
export const PSFB_ALFB = 15;

export const RTCP_HEADER_BYTES = 4;
export const FEEDBACK_HEADER_BYTES = 12;
export const SENDER_INFO_BYTES = 20;
export const REPORT_BLOCK_BYTES = 24;

/**
 * A cursor over a compound packet in somebody else's bytes: `begin`, then `next` until it answers false. Nothing is copied
 * or allocated. Packet types it does not know are passed over whole.
 */
export class RtcpPacket {
  bytes: Uint8Array = new Uint8Array(0);
  type = 0;
  /** The five bits that are a count of blocks, or the format of a feedback packet. */
  count = 0;
  /** First byte of the current packet in `bytes`; other offsets are absolute in `bytes` too. */
  offset = 0;
  /** First byte after the fixed four. */
  bodyOffset = 0;
  /** First byte after the current packet's content; its padding, if any, lies behind. */
  end = 0;
  /** SSRC of the sender; 0 when the packet names nobody. */
  ssrc = 0;
  /** SSRC of the media that feedback is about; 0 in other types. */
  mediaSsrc = 0;
  #nextOffset = 0;
  #compoundEnd = 0;

  /** Starts over at a compound packet of `length` bytes. */
  begin(bytes: Uint8Array, offset: number, length: number): void {
    this.bytes = bytes;
    this.#nextOffset = offset;
    this.#compoundEnd = offset + length;
  }

  /**
   * Moves to the next packet; false after the last. Throws DecodeError when a length does not hold; afterwards the content
   * of SR, RR and feedback packets is at least as long as their counts say.
   */
  next(): boolean {
    const offset = this.#nextOffset;
    if (offset === this.#compoundEnd) return false;
    if (offset + RTCP_HEADER_BYTES > this.#compoundEnd) throw new DecodeError('rtcp-short');
    const bytes = this.bytes;
    const first = bytes[offset];
    if (first >> 6 !== 2) throw new DecodeError('rtcp-version');
    const packetEnd = offset + (readUint16(bytes, offset + 2) + 1) * 4;
    if (packetEnd > this.#compoundEnd) throw new DecodeError('rtcp-length');
    let end = packetEnd;
    if ((first & 0x20) !== 0) {
      // Not held to a multiple of four, nor to the last packet: libwebrtc pads transport feedback by single bytes.
      const padding = packetEnd > offset + RTCP_HEADER_BYTES ? bytes[packetEnd - 1] : 0;
      if (padding === 0 || padding > packetEnd - offset - RTCP_HEADER_BYTES) throw new DecodeError('rtcp-padding');
      end -= padding;
    }
    this.offset = offset;
    this.type = bytes[offset + 1];
    this.count = first & 0x1f;
    this.bodyOffset = offset + RTCP_HEADER_BYTES;
    this.end = end;
    if (end - offset < contentBytesMin(this.type, this.count)) throw new DecodeError('rtcp-content');
    this.ssrc = end >= offset + 8 ? readUint32(bytes, offset + 4) : 0;
    this.mediaSsrc = this.type === RTCP_RTPFB || this.type === RTCP_PSFB ? readUint32(bytes, offset + 8) : 0;
    this.#nextOffset = packetEnd;
    return true;
  }
}

function contentBytesMin(type: number, count: number): number {
  switch (type) {
    case RTCP_SR:
      return 8 + SENDER_INFO_BYTES + count * REPORT_BLOCK_BYTES;
    case RTCP_RR:
      return 8 + count * REPORT_BLOCK_BYTES;
    case RTCP_RTPFB:
    case RTCP_PSFB:
      return FEEDBACK_HEADER_BYTES;
    case RTCP_BYE:
      return RTCP_HEADER_BYTES + count * 4;
    default:
      return RTCP_HEADER_BYTES;
  }
}

/** Writes the fixed four bytes of a packet without padding; `length` is the whole packet's, a multiple of four. */
export function writeRtcpHeader(bytes: Uint8Array, offset: number, type: number, count: number, length: number): void {
  bytes[offset] = 0x80 | count;
  bytes[offset + 1] = type;
  writeUint16(bytes, offset + 2, length / 4 - 1);
}

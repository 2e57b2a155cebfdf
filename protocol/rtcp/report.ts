/**
 * Sender and receiver reports (RFC 3550 sections 6.4.1 and 6.4.2).
 *
 * |               NTP timestamp, seconds (SR only)                |
 * |               NTP timestamp, fraction                         |
 * |               RTP timestamp                                   |
 * |               packets sent                                    |
 * |               octets sent, without headers and padding        |
 *
 * |                 SSRC that the block is about                  |   0 to 31 blocks, each 24 bytes
 * | fraction lost |       cumulative packets lost (signed)        |
 * |           extended highest sequence number received           |
 * |               jitter, timestamp units                         |
 * |               last SR: middle 32 bits of its NTP timestamp    |
 * |               delay since last SR, 1/65536 s                  |
 */
import { readUint32, writeUint32 } from '../rtp/packet.ts';
import { REPORT_BLOCK_BYTES, RTCP_RR, RTCP_SR, type RtcpPacket, SENDER_INFO_BYTES, writeRtcpHeader } from './packet.ts';

/** Report blocks that one SR or RR can carry. */
export const REPORT_BLOCKS_MAX = 31;

/** What an SR says of its sender. Reused: holds until `read` is called again. */
export class SenderInfo {
  ntpSeconds = 0;
  /** 1/2^32 s. */
  ntpFraction = 0;
  rtpTimestamp = 0;
  packets = 0;
  octets = 0;

  /** `packet` must stand on an SR. */
  read(packet: RtcpPacket): void {
    const { bytes, bodyOffset } = packet;
    this.ntpSeconds = readUint32(bytes, bodyOffset + 4);
    this.ntpFraction = readUint32(bytes, bodyOffset + 8);
    this.rtpTimestamp = readUint32(bytes, bodyOffset + 12);
    this.packets = readUint32(bytes, bodyOffset + 16);
    this.octets = readUint32(bytes, bodyOffset + 20);
  }
}

/** One reception report. Reused: holds until `read` is called again. */
export class ReportBlock {
  ssrc = 0;
  /** Of 256. */
  fractionLost = 0;
  /** Signed 24 bits: duplicates make it negative with some receivers. */
  cumulativeLost = 0;
  highestSequence = 0;
  /** Timestamp units. */
  jitter = 0;
  /** 0: no SR had arrived. */
  lastSr = 0;
  /** 1/65536 s. */
  delaySinceLastSr = 0;

  /** `packet` must stand on an SR or RR; `index` is below its `count`. */
  read(packet: RtcpPacket, index: number): void {
    const bytes = packet.bytes;
    const first = packet.bodyOffset + 4 + (packet.type === RTCP_SR ? SENDER_INFO_BYTES : 0);
    const offset = first + index * REPORT_BLOCK_BYTES;
    const lost = readUint32(bytes, offset + 4);
    this.ssrc = readUint32(bytes, offset);
    this.fractionLost = lost >>> 24;
    this.cumulativeLost = (lost << 8) >> 8;
    this.highestSequence = readUint32(bytes, offset + 8);
    this.jitter = readUint32(bytes, offset + 12);
    this.lastSr = readUint32(bytes, offset + 16);
    this.delaySinceLastSr = readUint32(bytes, offset + 20);
  }
}

/** The middle 32 bits of an NTP timestamp, as `lastSr` carries them. */
export function ntpMiddle(ntpSeconds: number, ntpFraction: number): number {
  return ((ntpSeconds << 16) | (ntpFraction >>> 16)) >>> 0;
}

/** Writes an SR up to its blocks: 28 bytes. `blocks` report blocks (0-31) must follow at the returned offset. */
export function writeSenderReport(
  bytes: Uint8Array,
  offset: number,
  ssrc: number,
  ntpSeconds: number,
  ntpFraction: number,
  rtpTimestamp: number,
  packets: number,
  octets: number,
  blocks = 0,
): number {
  writeRtcpHeader(bytes, offset, RTCP_SR, blocks, 8 + SENDER_INFO_BYTES + blocks * REPORT_BLOCK_BYTES);
  writeUint32(bytes, offset + 4, ssrc);
  writeUint32(bytes, offset + 8, ntpSeconds);
  writeUint32(bytes, offset + 12, ntpFraction);
  writeUint32(bytes, offset + 16, rtpTimestamp);
  writeUint32(bytes, offset + 20, packets);
  writeUint32(bytes, offset + 24, octets);
  return offset + 8 + SENDER_INFO_BYTES;
}

/**
 * Writes an RR up to its blocks: 8 bytes. `blocks` report blocks (0-31) belong at the returned offset; they may be written
 * there first and the header last, when the number is not known before.
 */
export function writeReceiverReport(bytes: Uint8Array, offset: number, ssrc: number, blocks: number): number {
  writeRtcpHeader(bytes, offset, RTCP_RR, blocks, 8 + blocks * REPORT_BLOCK_BYTES);
  writeUint32(bytes, offset + 4, ssrc);
  return offset + 8;
}

/** Writes one report block, 24 bytes. `cumulativeLost` is held to what signed 24 bits can say. */
export function writeReportBlock(
  bytes: Uint8Array,
  offset: number,
  ssrc: number,
  fractionLost: number,
  cumulativeLost: number,
  highestSequence: number,
  jitter: number,
  lastSr: number,
  delaySinceLastSr: number,
): number {
  const lost = Math.max(-0x800000, Math.min(0x7fffff, cumulativeLost));
  writeUint32(bytes, offset, ssrc);
  writeUint32(bytes, offset + 4, (fractionLost << 24) | (lost & 0xffffff));
  writeUint32(bytes, offset + 8, highestSequence);
  writeUint32(bytes, offset + 12, jitter);
  writeUint32(bytes, offset + 16, lastSr);
  writeUint32(bytes, offset + 20, delaySinceLastSr);
  return offset + REPORT_BLOCK_BYTES;
}

/**
 * Packets whose content follows from their header: whoever has the packet can tell whether it is the one that was sent.
 *
 *   RTP:  header of 12 bytes (the timestamp is a count of the sender's packets), then bytes of a table from a place that SSRC and timestamp give
 *   RTCP: a sender report's header (8 bytes), 4 bytes of count, then bytes of the table in the same way
 */
import { readUint32, writeUint32 } from '../../protocol/rtp/packet.ts';
import { Chance } from './chance.ts';

export const RTP_HEADER_BYTES = 12;
const PAYLOAD_TYPE = 96;
const SENDER_REPORT = 200;
const TABLE_BYTES = 65_536;
const TABLE = Buffer.concat([new Chance(1).bytes(TABLE_BYTES), Buffer.alloc(2048)]);

/** Writes packet number `count` of `ssrc`, `length` bytes long, at least RTP_HEADER_BYTES. */
export function writeMedia(bytes: Buffer, offset: number, length: number, ssrc: number, count: number): void {
  bytes[offset] = 0x80;
  bytes[offset + 1] = PAYLOAD_TYPE;
  bytes[offset + 2] = (count >>> 8) & 0xff;
  bytes[offset + 3] = count & 0xff;
  writeUint32(bytes, offset + 4, count);
  writeUint32(bytes, offset + 8, ssrc);
  const start = placeOf(ssrc, count);
  TABLE.copy(bytes, offset + RTP_HEADER_BYTES, start, start + length - RTP_HEADER_BYTES);
}

export function isMedia(bytes: Buffer, offset: number, length: number): boolean {
  if (length < RTP_HEADER_BYTES || bytes[offset] !== 0x80 || bytes[offset + 1] !== PAYLOAD_TYPE) return false;
  const start = placeOf(readUint32(bytes, offset + 8), readUint32(bytes, offset + 4));
  const size = length - RTP_HEADER_BYTES;
  return bytes.compare(TABLE, start, start + size, offset + RTP_HEADER_BYTES, offset + length) === 0;
}

/** Writes a report of `length` bytes: a multiple of 4, at least 12. */
export function writeReport(bytes: Buffer, offset: number, length: number, ssrc: number, count: number): void {
  bytes[offset] = 0x80;
  bytes[offset + 1] = SENDER_REPORT;
  bytes[offset + 2] = 0;
  bytes[offset + 3] = length / 4 - 1;
  writeUint32(bytes, offset + 4, ssrc);
  writeUint32(bytes, offset + 8, count);
  const start = placeOf(ssrc, count);
  TABLE.copy(bytes, offset + 12, start, start + length - 12);
}

export function isReport(bytes: Buffer, offset: number, length: number): boolean {
  if (length < 12 || !isReportLike(bytes, offset) || (bytes[offset + 3] + 1) * 4 !== length) return false;
  const start = placeOf(readUint32(bytes, offset + 4), readUint32(bytes, offset + 8));
  return bytes.compare(TABLE, start, start + length - 12, offset + 12, offset + length) === 0;
}

/** Told from media by the second byte (RFC 5761). */
export function isReportLike(bytes: Buffer, offset: number): boolean {
  return bytes[offset + 1] >= 192 && bytes[offset + 1] < 224;
}

function placeOf(ssrc: number, count: number): number {
  return (Math.imul(ssrc ^ Math.imul(count, 0x9e3779b1), 0x85ebca6b) >>> 16) % TABLE_BYTES;
}

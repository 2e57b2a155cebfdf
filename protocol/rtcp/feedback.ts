/**
 * Feedback about media: Generic NACK (RFC 4585 section 6.2.1), PLI (6.3.1), FIR (RFC 5104 section 4.3.1) and REMB
 * (draft-alvestrand-rmcat-remb-03 section 2.2), each behind the 12 bytes of a feedback header (packet.ts).
 *
 * NACK |        packet ID              | bitmask of the 16 following   |   one or more
 * FIR  |                      SSRC of the encoder                      |   one or more
 *      | command sequence |                  reserved                  |
 * REMB |       'R'     |      'E'      |      'M'      |      'B'      |
 *      |   SSRC count  | exponent  |             mantissa              |
 *      |                     SSRCs that it is about                    |
 */
import { DecodeError } from '../errors.ts';
import { readUint16, readUint32, writeUint16, writeUint32 } from '../rtp/packet.ts';
import {
  FEEDBACK_HEADER_BYTES,
  PSFB_ALFB,
  PSFB_FIR,
  PSFB_PLI,
  RTCP_PSFB,
  RTCP_RTPFB,
  RTPFB_NACK,
  type RtcpPacket,
  writeRtcpHeader,
} from './packet.ts';

const NACK_ITEM_BYTES = 4;
const FIR_ITEM_BYTES = 8;
const REMB_NAME = 0x52454d42;

/**
 * Lists the sequence numbers a NACK asks for, in its order. Returns how many were put into `out`; what does not fit is left
 * out, which bounds the answer to a hostile request. Throws DecodeError when its length is not a whole number of items.
 */
export function readNack(packet: RtcpPacket, out: Uint16Array): number {
  const start = packet.offset + FEEDBACK_HEADER_BYTES;
  if (start === packet.end || (packet.end - start) % NACK_ITEM_BYTES !== 0) throw new DecodeError('rtcp-nack');
  let found = 0;
  for (let offset = start; offset < packet.end; offset += NACK_ITEM_BYTES) {
    const packetId = readUint16(packet.bytes, offset);
    let mask = (readUint16(packet.bytes, offset + 2) << 1) | 1;
    for (let distance = 0; mask !== 0; distance++, mask >>>= 1) {
      if ((mask & 1) === 0) continue;
      if (found === out.length) return found;
      out[found++] = packetId + distance;
    }
  }
  return found;
}

/** Writes a NACK for the first `count` (at least 1) of `sequences`, which are in their stream's order. At most 12 + 4 * count bytes. */
export function writeNack(
  bytes: Uint8Array,
  offset: number,
  senderSsrc: number,
  mediaSsrc: number,
  sequences: Uint16Array,
  count: number,
): number {
  let position = offset + FEEDBACK_HEADER_BYTES;
  let index = 0;
  while (index < count) {
    const packetId = sequences[index++];
    let mask = 0;
    while (index < count) {
      const distance = (sequences[index] - packetId) & 0xffff;
      if (distance === 0 || distance > 16) break;
      mask |= 1 << (distance - 1);
      index++;
    }
    writeUint16(bytes, position, packetId);
    writeUint16(bytes, position + 2, mask);
    position += NACK_ITEM_BYTES;
  }
  writeFeedbackHeader(bytes, offset, RTCP_RTPFB, RTPFB_NACK, position - offset, senderSsrc, mediaSsrc);
  return position;
}

/** Writes a PLI, 12 bytes. */
export function writePli(bytes: Uint8Array, offset: number, senderSsrc: number, mediaSsrc: number): number {
  writeFeedbackHeader(bytes, offset, RTCP_PSFB, PSFB_PLI, FEEDBACK_HEADER_BYTES, senderSsrc, mediaSsrc);
  return offset + FEEDBACK_HEADER_BYTES;
}

/** Writes a FIR for one encoder, 20 bytes. `commandSequence` (0-255) changes with each new command and stays for its repeats. */
export function writeFir(
  bytes: Uint8Array,
  offset: number,
  senderSsrc: number,
  mediaSsrc: number,
  commandSequence: number,
): number {
  const length = FEEDBACK_HEADER_BYTES + FIR_ITEM_BYTES;
  writeFeedbackHeader(bytes, offset, RTCP_PSFB, PSFB_FIR, length, senderSsrc, 0);
  writeUint32(bytes, offset + FEEDBACK_HEADER_BYTES, mediaSsrc);
  writeUint32(bytes, offset + FEEDBACK_HEADER_BYTES + 4, (commandSequence & 0xff) << 24);
  return offset + length;
}

/** How many encoders a FIR addresses. Throws DecodeError when its length is not a whole number of items. */
export function firCount(packet: RtcpPacket): number {
  const length = packet.end - packet.offset - FEEDBACK_HEADER_BYTES;
  if (length === 0 || length % FIR_ITEM_BYTES !== 0) throw new DecodeError('rtcp-fir');
  return length / FIR_ITEM_BYTES;
}

/** SSRC of the encoder that item `index`, below {@link firCount}, of a FIR addresses. */
export function firSsrc(packet: RtcpPacket, index: number): number {
  return readUint32(packet.bytes, packet.offset + FEEDBACK_HEADER_BYTES + index * FIR_ITEM_BYTES);
}

/** Command sequence, 0-255, of item `index` of a FIR. */
export function firCommandSequence(packet: RtcpPacket, index: number): number {
  return packet.bytes[packet.offset + FEEDBACK_HEADER_BYTES + index * FIR_ITEM_BYTES + 4];
}

/** The bit rate of a REMB in bit/s, or -1 when this application feedback is something else. Throws DecodeError on a damaged one. */
export function rembBitrateBps(packet: RtcpPacket): number {
  if (packet.count !== PSFB_ALFB) return -1;
  const offset = packet.offset + FEEDBACK_HEADER_BYTES;
  if (packet.end < offset + 4 || readUint32(packet.bytes, offset) !== REMB_NAME) return -1;
  if (packet.end < offset + 8) throw new DecodeError('rtcp-remb');
  const word = readUint32(packet.bytes, offset + 4);
  if (packet.end !== offset + 8 + (word >>> 24) * 4) throw new DecodeError('rtcp-remb');
  return (word & 0x3ffff) * 2 ** ((word >>> 18) & 0x3f);
}

/** Writes the 12 bytes that open every feedback packet; `length` is the whole packet's. */
export function writeFeedbackHeader(
  bytes: Uint8Array,
  offset: number,
  type: number,
  format: number,
  length: number,
  senderSsrc: number,
  mediaSsrc: number,
): void {
  writeRtcpHeader(bytes, offset, type, format, length);
  writeUint32(bytes, offset + 4, senderSsrc);
  writeUint32(bytes, offset + 8, mediaSsrc);
}

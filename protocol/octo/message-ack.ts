/**
 * What has arrived of the peer's reliable fragments (frame type 3).
 *
 * |                 incarnation of the one who acks               |
 * |            lowest fragment number not yet received            |
 * |  bitmap, 0 to 64 bytes: bit i (from the first byte's most significant) says that number lowest + 1 + i has arrived
 */
import { DecodeError } from '../errors.ts';
import { readUint32, writeUint32 } from '../rtp/packet.ts';

/** Reliable fragments of one direction that may be under way at a time. */
export const FRAGMENT_WINDOW = 512;
export const ACK_HEADER_BYTES = 8;
export const ACK_BITMAP_BYTES_MAX = FRAGMENT_WINDOW / 8;

export interface MessageAck {
  readonly incarnation: number;
  /** Every fragment number below it has arrived. */
  readonly lowest: number;
  /** A view of the frame's payload. */
  readonly bitmap: Uint8Array;
}

/** Throws DecodeError. */
export function decodeMessageAck(bytes: Uint8Array, offset: number, length: number): MessageAck {
  if (length < ACK_HEADER_BYTES || length > ACK_HEADER_BYTES + ACK_BITMAP_BYTES_MAX) {
    throw new DecodeError('octo-ack-length');
  }
  const lowest = readUint32(bytes, offset + 4);
  if (lowest === 0) throw new DecodeError('octo-ack-number');
  return {
    incarnation: readUint32(bytes, offset),
    lowest,
    bitmap: bytes.subarray(offset + ACK_HEADER_BYTES, offset + length),
  };
}

/** Writes the payload at `offset`; returns its length. */
export function writeMessageAck(bytes: Uint8Array, offset: number, ack: MessageAck): number {
  writeUint32(bytes, offset, ack.incarnation);
  writeUint32(bytes, offset + 4, ack.lowest);
  bytes.set(ack.bitmap, offset + ACK_HEADER_BYTES);
  return ACK_HEADER_BYTES + ack.bitmap.length;
}

/** Whether the ack says that `number` has arrived. */
export function isAcked(ack: MessageAck, number: number): boolean {
  if (number < ack.lowest) return true;
  const bit = number - ack.lowest - 1;
  if (bit < 0 || bit >= ack.bitmap.length * 8) return false;
  return (ack.bitmap[bit >> 3] & (0x80 >> (bit & 7))) !== 0;
}

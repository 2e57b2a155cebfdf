/**
 * What has arrived of the peer's reliable fragments (frame type 3), and whose messages it is to hold back.
 *
 * |                 incarnation of the one who acks               |
 * |            lowest fragment number not yet received            |
 * |        bytes of bitmap        |         held senders          |
 * |  bitmap, 0 to 64 bytes: bit i (from the first byte's most significant) says that number lowest + 1 + i has arrived
 * |  held senders, 0 to 64: conference ID, endpoint ID
 */
import { DecodeError } from '../errors.ts';
import { readUint16, readUint32, writeUint16, writeUint32 } from '../rtp/packet.ts';

/** Reliable fragments of one direction that may be under way at a time. */
export const FRAGMENT_WINDOW = 512;
export const ACK_HEADER_BYTES = 12;
export const ACK_BITMAP_BYTES_MAX = FRAGMENT_WINDOW / 8;
/** Senders that one acknowledgement can hold back. */
export const HELD_SENDERS_MAX = 64;
const HELD_SENDER_BYTES = 8;

/** A sender as links know one. */
export interface HeldSender {
  readonly conferenceId: number;
  readonly endpointId: number;
}

export interface MessageAck {
  readonly incarnation: number;
  /** Every fragment number below it has arrived. */
  readonly lowest: number;
  /** A view of the frame's payload. */
  readonly bitmap: Uint8Array;
  /** All senders whose next messages are to wait, for a second unless it is said again. */
  readonly held: readonly HeldSender[];
}

/** Throws DecodeError. */
export function decodeMessageAck(bytes: Uint8Array, offset: number, length: number): MessageAck {
  if (length < ACK_HEADER_BYTES) throw new DecodeError('octo-ack-length');
  const lowest = readUint32(bytes, offset + 4);
  const bitmapBytes = readUint16(bytes, offset + 8);
  const senders = readUint16(bytes, offset + 10);
  if (bitmapBytes > ACK_BITMAP_BYTES_MAX || senders > HELD_SENDERS_MAX) throw new DecodeError('octo-ack-length');
  if (length !== ACK_HEADER_BYTES + bitmapBytes + senders * HELD_SENDER_BYTES) throw new DecodeError('octo-ack-length');
  if (lowest === 0) throw new DecodeError('octo-ack-number');
  const bitmap = offset + ACK_HEADER_BYTES;
  return {
    incarnation: readUint32(bytes, offset),
    lowest,
    bitmap: bytes.subarray(bitmap, bitmap + bitmapBytes),
    held: senders === 0 ? NONE : readHeld(bytes, bitmap + bitmapBytes, senders),
  };
}

/** Writes the payload at `offset`; returns its length. */
export function writeMessageAck(bytes: Uint8Array, offset: number, ack: MessageAck): number {
  writeUint32(bytes, offset, ack.incarnation);
  writeUint32(bytes, offset + 4, ack.lowest);
  writeUint16(bytes, offset + 8, ack.bitmap.length);
  writeUint16(bytes, offset + 10, ack.held.length);
  bytes.set(ack.bitmap, offset + ACK_HEADER_BYTES);
  let position = offset + ACK_HEADER_BYTES + ack.bitmap.length;
  for (const { conferenceId, endpointId } of ack.held) {
    writeUint32(bytes, position, conferenceId);
    writeUint32(bytes, position + 4, endpointId);
    position += HELD_SENDER_BYTES;
  }
  return position - offset;
}

/** Whether the ack says that `number` has arrived. */
export function isAcked(ack: MessageAck, number: number): boolean {
  if (number < ack.lowest) return true;
  const bit = number - ack.lowest - 1;
  if (bit < 0 || bit >= ack.bitmap.length * 8) return false;
  return (ack.bitmap[bit >> 3] & (0x80 >> (bit & 7))) !== 0;
}

const NONE: readonly HeldSender[] = [];

function readHeld(bytes: Uint8Array, offset: number, senders: number): readonly HeldSender[] {
  const held: HeldSender[] = [];
  for (let index = 0; index < senders; index++) {
    const position = offset + index * HELD_SENDER_BYTES;
    held.push({ conferenceId: readUint32(bytes, position), endpointId: readUint32(bytes, position + 4) });
  }
  return held;
}

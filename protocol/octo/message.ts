/**
 * Fragments of data messages. Conference and sender are in the frame header.
 *
 * Reliable (frame type 1):
 * |                  incarnation of the sender                    |
 * |                    fragment number (FSN)                      |
 * |            FSN of the message's first fragment                |  which names the message: fragments of several take turns
 * |     FSN of the last fragment of the sender's previous message |  0: none that is not delivered already
 * |        index in message       |     fragments of message      |  then the bytes
 *
 * Lossy (frame type 2):
 * |                          message number                       |
 * |        index in message       |     fragments of message      |  then the bytes
 */
import { DecodeError } from '../errors.ts';
import { readUint16, readUint32, writeUint16, writeUint32 } from '../rtp/packet.ts';
import { PAYLOAD_BYTES_MAX } from './header.ts';

/** The largest message a link carries: LiveKit's data packets (64 KiB and envelope) and the server's own (300 KB) fit. */
export const MESSAGE_BYTES_MAX = 300_000;
export const RELIABLE_HEADER_BYTES = 20;
export const LOSSY_HEADER_BYTES = 8;
export const RELIABLE_FRAGMENT_BYTES_MAX = PAYLOAD_BYTES_MAX - RELIABLE_HEADER_BYTES;
export const LOSSY_FRAGMENT_BYTES_MAX = PAYLOAD_BYTES_MAX - LOSSY_HEADER_BYTES;
/** Fragments of the largest message. */
export const FRAGMENTS_MAX = Math.ceil(MESSAGE_BYTES_MAX / RELIABLE_FRAGMENT_BYTES_MAX);
/** Messages of several fragments that may take turns: what bounds the memory of the receiver, and how long a small message waits. */
export const OPEN_MESSAGES_MAX = 16;

export interface ReliableFragment {
  readonly incarnation: number;
  readonly fsn: number;
  readonly first: number;
  readonly previous: number;
  readonly index: number;
  readonly count: number;
  /** A view of the frame's payload. */
  readonly bytes: Uint8Array;
}

export interface LossyFragment {
  readonly message: number;
  readonly index: number;
  readonly count: number;
  /** A view of the frame's payload. */
  readonly bytes: Uint8Array;
}

/** Throws DecodeError. FSNs start at 1; those of one message ascend with the index, and lie above that of the message before it. */
export function decodeReliable(bytes: Uint8Array, offset: number, length: number): ReliableFragment {
  if (length < RELIABLE_HEADER_BYTES) throw new DecodeError('octo-message-short');
  const fsn = readUint32(bytes, offset + 4);
  const first = readUint32(bytes, offset + 8);
  const previous = readUint32(bytes, offset + 12);
  const index = readUint16(bytes, offset + 16);
  const count = readUint16(bytes, offset + 18);
  checkFragment(index, count, length - RELIABLE_HEADER_BYTES);
  const isNumbered = index === 0 ? fsn === first : fsn >= first + index;
  if (first === 0 || !isNumbered || previous >= first) throw new DecodeError('octo-message-number');
  return {
    incarnation: readUint32(bytes, offset),
    fsn,
    first,
    previous,
    index,
    count,
    bytes: bytes.subarray(offset + RELIABLE_HEADER_BYTES, offset + length),
  };
}

/** Writes the payload of a reliable frame at `offset`; returns its length. */
export function writeReliable(bytes: Uint8Array, offset: number, fragment: ReliableFragment): number {
  writeUint32(bytes, offset, fragment.incarnation);
  writeUint32(bytes, offset + 4, fragment.fsn);
  writeUint32(bytes, offset + 8, fragment.first);
  writeUint32(bytes, offset + 12, fragment.previous);
  writeUint16(bytes, offset + 16, fragment.index);
  writeUint16(bytes, offset + 18, fragment.count);
  bytes.set(fragment.bytes, offset + RELIABLE_HEADER_BYTES);
  return RELIABLE_HEADER_BYTES + fragment.bytes.length;
}

/** Throws DecodeError. */
export function decodeLossy(bytes: Uint8Array, offset: number, length: number): LossyFragment {
  if (length < LOSSY_HEADER_BYTES) throw new DecodeError('octo-message-short');
  const index = readUint16(bytes, offset + 4);
  const count = readUint16(bytes, offset + 6);
  checkFragment(index, count, length - LOSSY_HEADER_BYTES);
  return {
    message: readUint32(bytes, offset),
    index,
    count,
    bytes: bytes.subarray(offset + LOSSY_HEADER_BYTES, offset + length),
  };
}

/** Writes the payload of a lossy frame at `offset`; returns its length. */
export function writeLossy(bytes: Uint8Array, offset: number, fragment: LossyFragment): number {
  writeUint32(bytes, offset, fragment.message);
  writeUint16(bytes, offset + 4, fragment.index);
  writeUint16(bytes, offset + 6, fragment.count);
  bytes.set(fragment.bytes, offset + LOSSY_HEADER_BYTES);
  return LOSSY_HEADER_BYTES + fragment.bytes.length;
}

function checkFragment(index: number, count: number, bytes: number): void {
  if (index >= count || count > FRAGMENTS_MAX) throw new DecodeError('octo-message-fragment');
  if (bytes === 0 && count !== 1) throw new DecodeError('octo-message-empty');
}

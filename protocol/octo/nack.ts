/**
 * Link sequence numbers that did not arrive (frame type 7), of the session the NACK is sealed with. The header's layer says which way round: asked for, or
 * not to be expected. 1 to 128 blocks of
 *
 * |       first missing sequence number, low 32 of 48 bits        |
 * |   bit i (0 is the least significant): first + 1 + i is missing too
 */
import { DecodeError } from '../errors.ts';
import { readUint32, writeUint32 } from '../rtp/packet.ts';

const BLOCK_BYTES = 8;
export const NACK_BLOCKS_MAX = 128;
/** Numbers that one block names at most. */
export const NACK_BLOCK_NUMBERS = 33;

/** The header's layer of a NACK: these are missing, and asked for. */
export const NACK_ASKS = 0;
/** These are of types that are never repeated. */
export const NACK_NEVER_REPEATED = 1;
/** These were media or state, and are not kept any more. */
export const NACK_GONE = 2;

/** How many blocks a payload of `length` bytes has. Throws DecodeError when that is no whole number from 1 to 128. */
export function countNackBlocks(length: number): number {
  if (length === 0 || length % BLOCK_BYTES !== 0 || length > NACK_BLOCKS_MAX * BLOCK_BYTES) {
    throw new DecodeError('octo-nack-length');
  }
  return length / BLOCK_BYTES;
}

/** First missing sequence number of block `index` of the payload at `offset`. */
export function readNackFirst(bytes: Uint8Array, offset: number, index: number): number {
  return readUint32(bytes, offset + index * BLOCK_BYTES);
}

/** Bit mask of the 32 sequence numbers after the first. */
export function readNackMask(bytes: Uint8Array, offset: number, index: number): number {
  return readUint32(bytes, offset + index * BLOCK_BYTES + 4);
}

/** Writes `count` numbers, ascending (full 48 bits), as blocks at `offset`; returns the payload's length. Stops at 128 blocks. */
export function writeNack(bytes: Uint8Array, offset: number, missing: Float64Array, count: number): number {
  let blocks = 0;
  let index = 0;
  while (index < count && blocks < NACK_BLOCKS_MAX) {
    const first = missing[index++];
    let mask = 0;
    while (index < count && missing[index] - first <= 32) {
      mask |= 1 << (missing[index] - first - 1);
      index++;
    }
    writeUint32(bytes, offset + blocks * BLOCK_BYTES, first % 0x100000000);
    writeUint32(bytes, offset + blocks * BLOCK_BYTES + 4, mask);
    blocks++;
  }
  return blocks * BLOCK_BYTES;
}

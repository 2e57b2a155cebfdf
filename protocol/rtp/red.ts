/**
 * Redundant audio (RFC 2198 section 3): older Opus frames travel with the newest, the primary, which is last.
 *
 *  0                   1                   2                   3
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 * |1|  block PT   |  timestamp offset (14)    | block length (10) |   one per redundant block
 * |0|  block PT   |                                                 the primary's, then all data in the same order
 */
import { DecodeError } from '../errors.ts';

/** Redundant blocks of one packet. Senders use one or two; more than this is refused. */
export const RED_REDUNDANT_MAX = 8;

const REDUNDANT_HEADER_BYTES = 4;

/** The blocks of one RED payload, oldest first. `decode` fills it without allocating. */
export class RedBlocks {
  /** With the primary, which is the last. */
  count = 0;
  readonly payloadTypes = new Uint8Array(RED_REDUNDANT_MAX + 1);
  /** How much older than the packet's timestamp; 0 for the primary. */
  readonly timestampOffsets = new Uint16Array(RED_REDUNDANT_MAX + 1);
  /** Absolute in the bytes given to `decode`. */
  readonly offsets = new Uint32Array(RED_REDUNDANT_MAX + 1);
  readonly lengths = new Uint32Array(RED_REDUNDANT_MAX + 1);

  /** Throws DecodeError when headers or blocks do not fit, or there are more than {@link RED_REDUNDANT_MAX}. */
  decode(bytes: Uint8Array, offset: number, length: number): void {
    const end = offset + length;
    let data = dataOffset(bytes, offset, length);
    let count = 0;
    let position = offset;
    for (; bytes[position] >= 0x80; position += REDUNDANT_HEADER_BYTES) {
      this.payloadTypes[count] = bytes[position] & 0x7f;
      this.timestampOffsets[count] = (bytes[position + 1] << 6) | (bytes[position + 2] >> 2);
      this.offsets[count] = data;
      this.lengths[count] = blockLength(bytes, position);
      data += this.lengths[count++];
    }
    if (data > end) throw new DecodeError('red-blocks');
    this.payloadTypes[count] = bytes[position] & 0x7f;
    this.timestampOffsets[count] = 0;
    this.offsets[count] = data;
    this.lengths[count++] = end - data;
    this.count = count;
  }
}

/** Absolute offset of the primary block's data, which runs to the end of the payload (and may be empty). Throws DecodeError as {@link RedBlocks}. */
export function primaryOf(bytes: Uint8Array, offset: number, length: number): number {
  let data = dataOffset(bytes, offset, length);
  for (let position = offset; bytes[position] >= 0x80; position += REDUNDANT_HEADER_BYTES) {
    data += blockLength(bytes, position);
  }
  if (data > offset + length) throw new DecodeError('red-blocks');
  return data;
}

/** Gives every block the payload type `payloadType` (0-127), in place. Throws DecodeError, having changed nothing, when the block headers do not fit. */
export function rewriteRedPayloadTypes(bytes: Uint8Array, offset: number, length: number, payloadType: number): void {
  dataOffset(bytes, offset, length);
  let position = offset;
  for (; bytes[position] >= 0x80; position += REDUNDANT_HEADER_BYTES) bytes[position] = 0x80 | payloadType;
  bytes[position] = payloadType;
}

/** Where the headers end. After it returns, every header lies inside the payload. */
function dataOffset(bytes: Uint8Array, offset: number, length: number): number {
  const end = offset + length;
  let position = offset;
  let redundant = 0;
  while (true) {
    if (position >= end) throw new DecodeError('red-short');
    if (bytes[position] < 0x80) return position + 1;
    if (++redundant > RED_REDUNDANT_MAX) throw new DecodeError('red-count');
    position += REDUNDANT_HEADER_BYTES;
  }
}

function blockLength(bytes: Uint8Array, position: number): number {
  return ((bytes[position + 2] & 0x03) << 8) | bytes[position + 3];
}

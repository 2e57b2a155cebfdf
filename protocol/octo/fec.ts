/**
 * Forward error correction (frame type 11): one parity symbol of a group of media frames of the session that the frame is sealed with.
 *
 * |   sequence number of the group's first frame, low 32 of 48    |
 * |      row      |   previous    |    length     |  bitmap ...
 * |  parity symbol, to the end of the payload
 *
 * `row`: which parity symbol, 0 to 7 (reed-solomon.ts). `previous`: how many sequence numbers before this frame the last FEC frame was; 0: none, or
 * more than 255. `length`: bytes of the bitmap, 0 to 32. Bit i of the bitmap, from the first byte's most significant: frame first + 1 + i is in the group.
 * The last byte is not 0. A group has 1 to 24 frames; a frame's index in it is its place in the order of sequence numbers.
 *
 * The symbol of a media frame, filled up with zeros to the length of the longest of its group:
 *
 * |     bytes of the payload      |    source     |     layer     |
 * |                         conference ID                         |
 * |                       origin endpoint ID                      |
 * |                           send time                           |
 * |  payload
 */
import { DecodeError } from '../errors.ts';
import { readUint32, writeUint32 } from '../rtp/packet.ts';
import { FRAME_MEDIA, type FrameHeader, HEADER_BYTES } from './header.ts';
import { DATA_SYMBOLS_MAX, PARITY_SYMBOLS_MAX } from './reed-solomon.ts';

const FIXED_BYTES = 7;
export const FEC_BITMAP_BYTES_MAX = 32;
/** A group's sequence numbers lie within so many. */
export const FEC_SPAN_MAX = 1 + 8 * FEC_BITMAP_BYTES_MAX;
/** What a symbol has before the payload. */
export const SYMBOL_PREFIX_BYTES = 16;
/** Symbols are no longer than this, so that an FEC frame fits into an Ethernet datagram (1483 bytes with IPv6 and UDP). */
export const SYMBOL_BYTES_MAX = 1360;
/** Longer media payloads are left unprotected. */
export const PROTECTED_PAYLOAD_BYTES_MAX = SYMBOL_BYTES_MAX - SYMBOL_PREFIX_BYTES;

/** A cursor over one FEC payload; `decode` fills it and allocates nothing. */
export class FecPayload {
  /** Low 32 bits. */
  first = 0;
  row = 0;
  previous = 0;
  /** Distances of the group's frames from `first`, ascending, the first of them 0; `count` of them. */
  readonly distances = new Uint16Array(DATA_SYMBOLS_MAX);
  count = 0;
  symbolOffset = 0;
  symbolBytes = 0;

  /** Throws DecodeError. */
  decode(bytes: Uint8Array, offset: number, length: number): void {
    if (length < FIXED_BYTES) throw new DecodeError('octo-fec-length');
    const bitmapBytes = bytes[offset + 6];
    const symbolBytes = length - FIXED_BYTES - bitmapBytes;
    this.row = bytes[offset + 4];
    if (this.row >= PARITY_SYMBOLS_MAX) throw new DecodeError('octo-fec-row');
    if (bitmapBytes > FEC_BITMAP_BYTES_MAX) throw new DecodeError('octo-fec-bitmap');
    if (symbolBytes <= SYMBOL_PREFIX_BYTES || symbolBytes > SYMBOL_BYTES_MAX) throw new DecodeError('octo-fec-length');
    this.first = readUint32(bytes, offset);
    this.previous = bytes[offset + 5];
    this.symbolOffset = offset + FIXED_BYTES + bitmapBytes;
    this.symbolBytes = symbolBytes;
    this.#readBitmap(bytes, offset + FIXED_BYTES, bitmapBytes);
  }

  #readBitmap(bytes: Uint8Array, offset: number, length: number): void {
    if (length > 0 && bytes[offset + length - 1] === 0) throw new DecodeError('octo-fec-bitmap');
    this.distances[0] = 0;
    let count = 1;
    for (let index = 0; index < length; index++) {
      const byte = bytes[offset + index];
      for (let bit = 0; bit < 8 && byte !== 0; bit++) {
        if ((byte & (0x80 >> bit)) === 0) continue;
        if (count === DATA_SYMBOLS_MAX) throw new DecodeError('octo-fec-count');
        this.distances[count++] = index * 8 + bit + 1;
      }
    }
    this.count = count;
  }
}

/** Length of what precedes the symbol when the group's last frame is `lastDistance` sequence numbers behind its first. */
export function fecPrefixBytes(lastDistance: number): number {
  return FIXED_BYTES + ((lastDistance + 7) >> 3);
}

/**
 * Writes what precedes the symbol of row `row`: the group of `count` frames at `distances` (ascending, from 0) from `first` (full 48 bits). Returns
 * its length.
 */
export function writeFecPrefix(
  bytes: Uint8Array,
  offset: number,
  first: number,
  row: number,
  previous: number,
  distances: Uint16Array,
  count: number,
): number {
  const length = fecPrefixBytes(distances[count - 1]);
  writeUint32(bytes, offset, first % 0x100000000);
  bytes[offset + 4] = row;
  bytes[offset + 5] = previous;
  bytes[offset + 6] = length - FIXED_BYTES;
  const bitmap = offset + FIXED_BYTES;
  bytes.fill(0, bitmap, offset + length);
  for (let index = 1; index < count; index++) {
    const bit = distances[index] - 1;
    bytes[bitmap + (bit >> 3)] |= 0x80 >> (bit & 7);
  }
  return length;
}

/**
 * Writes the symbol of the media frame at `frame` (its header in place, sequence number and label of no account) with `payloadLength` bytes of payload; returns its
 * length. The bytes up to the next multiple of four become 0.
 */
export function writeSymbol(
  bytes: Uint8Array,
  offset: number,
  frame: Uint8Array,
  frameOffset: number,
  payloadLength: number,
): number {
  bytes[offset] = payloadLength >> 8;
  bytes[offset + 1] = payloadLength;
  bytes[offset + 2] = frame[frameOffset + 2];
  bytes[offset + 3] = frame[frameOffset + 3];
  Buffer.prototype.copy.call(frame, bytes, offset + 4, frameOffset + 8, frameOffset + HEADER_BYTES + payloadLength);
  const length = SYMBOL_PREFIX_BYTES + payloadLength;
  for (let pad = length; (pad & 3) !== 0; pad++) bytes[offset + pad] = 0;
  return length;
}

/**
 * Reads a recovered symbol of `length` bytes: fills `header` but for label and sequence, and returns the length of the payload, which lies
 * {@link SYMBOL_PREFIX_BYTES} behind `offset`. Throws DecodeError for what cannot be a media frame's symbol.
 */
export function readSymbol(
  bytes: Uint8Array,
  offset: number,
  length: number,
  hops: number,
  header: FrameHeader,
): number {
  const payloadLength = (bytes[offset] << 8) | bytes[offset + 1];
  if (payloadLength === 0 || payloadLength > length - SYMBOL_PREFIX_BYTES) throw new DecodeError('octo-fec-symbol');
  for (let index = SYMBOL_PREFIX_BYTES + payloadLength; index < length; index++) {
    if (bytes[offset + index] !== 0) throw new DecodeError('octo-fec-symbol');
  }
  header.type = FRAME_MEDIA;
  header.hops = hops;
  header.source = bytes[offset + 2];
  header.layer = bytes[offset + 3];
  header.conferenceId = readUint32(bytes, offset + 4);
  header.endpointId = readUint32(bytes, offset + 8);
  header.sendTime = readUint32(bytes, offset + 12);
  return payloadLength;
}

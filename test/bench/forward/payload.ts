/**
 * What the load generator's packets carry, so that a receiver can tell by content alone whether it got the right bytes: everything follows from
 * (stream, packet number), but for the send time, which has the header's checksum over it.
 *
 * | codec byte | stream tag (4) | packet number (4) | send time, µs (6) | checksum (4) | pattern, begun where tag and number say |
 */
import { readUint32, writeUint32 } from '../../../protocol/rtp/packet.ts';

/** Bytes before the pattern: no payload is shorter. */
export const PAYLOAD_BYTES_MIN = 19;
/** Longest pattern that can be written or checked. */
export const PATTERN_BYTES_MAX = 2048;

const STARTS = 0x4000;
const PATTERN = createPattern(STARTS + PATTERN_BYTES_MAX);

/** Why a payload is not what was sent. */
export type PayloadFault = 'short' | 'checksum' | 'pattern';

/** Writes a payload of `length` bytes (at least {@link PAYLOAD_BYTES_MIN}). `sentUs` is a whole number below 2^48. */
export function writePayload(
  bytes: Uint8Array,
  offset: number,
  length: number,
  codecByte: number,
  tag: number,
  number: number,
  sentUs: number,
): void {
  bytes[offset] = codecByte;
  writeUint32(bytes, offset + 1, tag);
  writeUint32(bytes, offset + 5, number);
  writeUint48(bytes, offset + 9, sentUs);
  writeUint32(bytes, offset + 15, checksum(bytes, offset + 1));
  const start = patternStart(tag, number);
  PATTERN.copy(bytes, offset + PAYLOAD_BYTES_MIN, start, start + length - PAYLOAD_BYTES_MIN);
}

/** Reads a payload back. One per process is enough: `read` fills it. */
export class PayloadReader {
  tag = 0;
  number = 0;
  sentUs = 0;

  /** Undefined when the payload is whole; then the fields say whose it is. The codec byte is the projection's to change. */
  read(bytes: Buffer, offset: number, length: number): PayloadFault | undefined {
    if (length < PAYLOAD_BYTES_MIN) return 'short';
    if (readUint32(bytes, offset + 15) !== checksum(bytes, offset + 1)) return 'checksum';
    this.tag = readUint32(bytes, offset + 1);
    this.number = readUint32(bytes, offset + 5);
    this.sentUs = readUint48(bytes, offset + 9);
    const start = patternStart(this.tag, this.number);
    const end = start + length - PAYLOAD_BYTES_MIN;
    const isSame = PATTERN.compare(bytes, offset + PAYLOAD_BYTES_MIN, offset + length, start, end) === 0;
    return isSame ? undefined : 'pattern';
  }
}

/** Which stream a payload belongs to: the publisher's number in its generator, its source and the layer of that. */
export function streamTag(publisher: number, sourceId: number, layer: number): number {
  return ((publisher << 10) | (sourceId << 2) | layer) >>> 0;
}

/** The tag without its layer: what a subscriber knows of a source whose layers the bridge chooses. */
export function sourceOfTag(tag: number): number {
  return tag >>> 2;
}

function patternStart(tag: number, number: number): number {
  return (Math.imul(tag ^ 0x9e3779b1, 0x85ebca6b) + Math.imul(number, 0x27d4eb2f)) & (STARTS - 1);
}

/** FNV-1a over tag, number and time. */
function checksum(bytes: Uint8Array, offset: number): number {
  let hash = 0x811c9dc5;
  for (let index = offset; index < offset + 14; index++) hash = Math.imul(hash ^ bytes[index], 0x01000193);
  return hash >>> 0;
}

function createPattern(length: number): Buffer {
  const pattern = Buffer.alloc(length);
  let state = 0x2545f491;
  for (let index = 0; index < length; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    pattern[index] = state & 0xff;
  }
  return pattern;
}

function writeUint48(bytes: Uint8Array, offset: number, value: number): void {
  const high = Math.floor(value / 0x1_0000_0000);
  bytes[offset] = (high >>> 8) & 0xff;
  bytes[offset + 1] = high & 0xff;
  writeUint32(bytes, offset + 2, value >>> 0);
}

function readUint48(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset] << 8) | bytes[offset + 1]) * 0x1_0000_0000 + readUint32(bytes, offset + 2);
}

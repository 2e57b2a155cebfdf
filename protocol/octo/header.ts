/**
 * The Octo 2 frame header: the same 20 bytes for every frame type (README.md beside this file is the specification).
 *
 *  0                   1                   2                   3
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 * |1 1|ver|  type | hops  |0 0|lab|    source     |     layer     |
 * |            link sequence number, low 32 of 48 bits            |
 * |                         conference ID                         |
 * |                       origin endpoint ID                      |
 * |       send time, microseconds of the sender's clock, low 32   |
 */
import { DecodeError } from '../errors.ts';
import { readUint32, writeUint32 } from '../rtp/packet.ts';

export const HEADER_BYTES = 20;
export const TAG_BYTES = 16;
export const OCTO_VERSION = 2;
/** The header and tag around every payload. */
export const FRAME_OVERHEAD_BYTES = HEADER_BYTES + TAG_BYTES;
/** Datagrams made by the link itself (messages, wants, NACKs) stay within this, so that no path fragments them. */
export const DATAGRAM_BYTES_MAX = 1200;
export const PAYLOAD_BYTES_MAX = DATAGRAM_BYTES_MAX - FRAME_OVERHEAD_BYTES;

export const FRAME_MEDIA = 0x0;
export const FRAME_RELIABLE = 0x1;
export const FRAME_LOSSY = 0x2;
export const FRAME_MESSAGE_ACK = 0x3;
export const FRAME_WANTS = 0x4;
export const FRAME_WANTS_ACK = 0x5;
export const FRAME_KEY_FRAME_REQUEST = 0x6;
export const FRAME_NACK = 0x7;
export const FRAME_PING = 0x8;
export const FRAME_PONG = 0x9;
export const FRAME_CLOSE = 0xa;
export const FRAME_FEC = 0xb;
export const FRAME_REPORT = 0xc;
export const FRAME_WITHHELD = 0xd;
export const FRAME_WITHHELD_ACK = 0xe;
export const FRAME_PROBE = 0xf;

/**
 * Whether a datagram of `length` bytes can be an Octo 2 frame: long enough, of this version, with a hop left. Does not throw: what strangers send is told
 * apart by this, at the least cost.
 */
export function isFrame(bytes: Uint8Array, offset: number, length: number): boolean {
  return length >= FRAME_OVERHEAD_BYTES && bytes[offset] >> 4 === (0xc | OCTO_VERSION) && bytes[offset + 1] >= 0x10;
}

/** A cursor over one frame header; `decode` fills it and allocates nothing. */
export class FrameHeader {
  type = 0;
  /** Links the frame may still cross, this one included: 0 is invalid, 1 must not be forwarded. */
  hops = 0;
  /** Two bits that tell a link's sessions apart: which keys to try first. */
  label = 0;
  source = 0;
  layer = 0;
  /** Low 32 bits; the session extends them. */
  sequence = 0;
  conferenceId = 0;
  endpointId = 0;
  /** Microseconds of the sender's clock, low 32 bits. */
  sendTime = 0;

  /** Reads a datagram's header: `length` is the whole datagram. Throws DecodeError unless it can be an Octo 2 frame. */
  decode(bytes: Uint8Array, offset: number, length: number): void {
    if (length < FRAME_OVERHEAD_BYTES) throw new DecodeError('octo-short');
    const first = bytes[offset];
    if (first >> 4 !== (0xc | OCTO_VERSION)) throw new DecodeError('octo-version');
    const second = bytes[offset + 1];
    this.type = first & 0x0f;
    this.hops = second >> 4;
    this.label = second & 0x03;
    this.source = bytes[offset + 2];
    this.layer = bytes[offset + 3];
    this.sequence = readUint32(bytes, offset + 4);
    this.conferenceId = readUint32(bytes, offset + 8);
    this.endpointId = readUint32(bytes, offset + 12);
    this.sendTime = readUint32(bytes, offset + 16);
    if (this.hops === 0) throw new DecodeError('octo-hops');
  }
}

/**
 * Writes a header for a frame that crosses one link (hops 1). Label and link sequence number are left for the session that
 * seals the frame: {@link writeSequence}.
 */
export function writeHeader(
  bytes: Uint8Array,
  offset: number,
  type: number,
  source: number,
  layer: number,
  conferenceId: number,
  endpointId: number,
  sendTime: number,
): void {
  bytes[offset] = 0xc0 | (OCTO_VERSION << 4) | type;
  bytes[offset + 1] = 0x10;
  bytes[offset + 2] = source;
  bytes[offset + 3] = layer;
  writeUint32(bytes, offset + 8, conferenceId);
  writeUint32(bytes, offset + 12, endpointId);
  writeUint32(bytes, offset + 16, sendTime);
}

/** True for the first byte of a frame that says it carries media. Nothing is authenticated by that. */
export function isMediaFrame(firstByte: number): boolean {
  return firstByte === (0xc0 | (OCTO_VERSION << 4) | FRAME_MEDIA);
}

/** Completes a header: the session's label and the low 32 bits of its sequence number (below 2^48). */
export function writeSequence(bytes: Uint8Array, offset: number, label: number, sequence: number): void {
  bytes[offset + 1] = (bytes[offset + 1] & 0xf0) | label;
  writeUint32(bytes, offset + 4, sequence >>> 0);
}

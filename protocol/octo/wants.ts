/**
 * Subscription state: all that one bridge wants from the other in one conference (the one in the frame header).
 *
 * Wants (frame type 4):
 * |                  incarnation of the sender                    |
 * |                            version                            |
 * |              part             |             parts             |
 * then entries of six bytes: | endpoint ID, 32 | source, 8 | layer mask, 8 |   bit n of the mask: layer n
 *
 * Acknowledgement (frame type 5); with a version that is not the newest it asks for the newest:
 * |                  incarnation of the sender                    |
 * |              the newest version received whole, or 0          |
 */
import { DecodeError } from '../errors.ts';
import { type EndpointId, LAYERS_MAX, type SourceId } from '../ids.ts';
import { readUint16, readUint32, writeUint16, writeUint32 } from '../rtp/packet.ts';
import { PAYLOAD_BYTES_MAX } from './header.ts';

/** One source, and the layers of it that are wanted: bit n is layer n. */
export interface Want {
  readonly endpointId: EndpointId;
  readonly sourceId: SourceId;
  readonly layerMask: number;
}

export const WANTS_HEADER_BYTES = 12;
export const WANTS_ACK_BYTES = 8;
const ENTRY_BYTES = 6;
export const WANTS_PER_PART = Math.floor((PAYLOAD_BYTES_MAX - WANTS_HEADER_BYTES) / ENTRY_BYTES);
/** Sources that one bridge can want from another in one conference. */
export const WANTS_MAX = 16_384;
const PARTS_MAX = Math.ceil(WANTS_MAX / WANTS_PER_PART);
const MASK_MAX = (1 << LAYERS_MAX) - 1;

export interface WantsPart {
  readonly incarnation: number;
  readonly version: number;
  readonly part: number;
  readonly parts: number;
  readonly wants: readonly Want[];
}

export interface WantsAck {
  readonly incarnation: number;
  readonly version: number;
}

/** How many parts `wants` entries take: at least one, so that "nothing" can be said. */
export function partsOf(wants: number): number {
  return Math.max(1, Math.ceil(wants / WANTS_PER_PART));
}

/** Throws DecodeError. Every part but the last is full. */
export function decodeWantsPart(bytes: Uint8Array, offset: number, length: number): WantsPart {
  if (length < WANTS_HEADER_BYTES || (length - WANTS_HEADER_BYTES) % ENTRY_BYTES !== 0) {
    throw new DecodeError('octo-wants-length');
  }
  const version = readUint32(bytes, offset + 4);
  const part = readUint16(bytes, offset + 8);
  const parts = readUint16(bytes, offset + 10);
  const count = (length - WANTS_HEADER_BYTES) / ENTRY_BYTES;
  if (version === 0) throw new DecodeError('octo-wants-version');
  if (part >= parts || parts > PARTS_MAX) throw new DecodeError('octo-wants-part');
  if (count > WANTS_PER_PART || (part < parts - 1 && count !== WANTS_PER_PART)) {
    throw new DecodeError('octo-wants-part');
  }
  const wants: Want[] = [];
  for (let position = offset + WANTS_HEADER_BYTES; position < offset + length; position += ENTRY_BYTES) {
    const endpointId = readUint32(bytes, position);
    const layerMask = bytes[position + 5];
    if (endpointId === 0 || layerMask === 0 || layerMask > MASK_MAX) throw new DecodeError('octo-wants-entry');
    wants.push({ endpointId: endpointId as EndpointId, sourceId: bytes[position + 4] as SourceId, layerMask });
  }
  return { incarnation: readUint32(bytes, offset), version, part, parts, wants };
}

/** Writes one part's payload at `offset`, with entries `[part * WANTS_PER_PART, …)` of the whole list; returns its length. */
export function writeWantsPart(
  bytes: Uint8Array,
  offset: number,
  incarnation: number,
  version: number,
  part: number,
  wants: readonly Want[],
): number {
  writeUint32(bytes, offset, incarnation);
  writeUint32(bytes, offset + 4, version);
  writeUint16(bytes, offset + 8, part);
  writeUint16(bytes, offset + 10, partsOf(wants.length));
  const end = Math.min(wants.length, (part + 1) * WANTS_PER_PART);
  let position = offset + WANTS_HEADER_BYTES;
  for (let index = part * WANTS_PER_PART; index < end; index++) {
    writeUint32(bytes, position, wants[index].endpointId);
    bytes[position + 4] = wants[index].sourceId;
    bytes[position + 5] = wants[index].layerMask;
    position += ENTRY_BYTES;
  }
  return position - offset;
}

/** Throws DecodeError. */
export function decodeWantsAck(bytes: Uint8Array, offset: number, length: number): WantsAck {
  if (length !== WANTS_ACK_BYTES) throw new DecodeError('octo-wants-ack-length');
  return { incarnation: readUint32(bytes, offset), version: readUint32(bytes, offset + 4) };
}

/** Writes the payload at `offset`; returns its length. */
export function writeWantsAck(bytes: Uint8Array, offset: number, ack: WantsAck): number {
  writeUint32(bytes, offset, ack.incarnation);
  writeUint32(bytes, offset + 4, ack.version);
  return WANTS_ACK_BYTES;
}

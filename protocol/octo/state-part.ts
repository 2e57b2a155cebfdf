/**
 * How state of a conference travels (wants, withheld layers): the whole of it under a version, in parts that fit a datagram.
 *
 * |                  incarnation of the sender                    |
 * |                            version                            |
 * |              part             |             parts             |
 * then entries, all of one size; every part but the last is full.
 *
 * Acknowledgement; with a version that is not the newest it asks for the newest:
 * |                  incarnation of the sender                    |
 * |              the newest version received whole, or 0          |
 */
import { DecodeError } from '../errors.ts';
import { readUint16, readUint32, writeUint16, writeUint32 } from '../rtp/packet.ts';
import { PAYLOAD_BYTES_MAX } from './header.ts';

const PART_HEADER_BYTES = 12;
const ACK_BYTES = 8;
/** Sources that one state may name. */
export const ENTRIES_MAX = 16_384;

export interface StatePart<Entry> {
  readonly incarnation: number;
  readonly version: number;
  readonly part: number;
  readonly parts: number;
  readonly entries: readonly Entry[];
}

export interface StateAck {
  readonly incarnation: number;
  readonly version: number;
}

/** How one kind of entry is written. `read` throws DecodeError; both stay within `bytes` of `offset`. */
export interface EntryFormat<Entry> {
  readonly bytes: number;
  read(bytes: Uint8Array, offset: number): Entry;
  write(bytes: Uint8Array, offset: number, entry: Entry): void;
}

/** Reads and writes the parts of one kind of state. */
export class StateFormat<Entry> {
  readonly entriesPerPart: number;
  readonly #format: EntryFormat<Entry>;
  readonly #name: string;
  readonly #partsMax: number;

  /** `name` begins the reasons of what is refused. */
  constructor(name: string, format: EntryFormat<Entry>) {
    this.#name = name;
    this.#format = format;
    this.entriesPerPart = Math.floor((PAYLOAD_BYTES_MAX - PART_HEADER_BYTES) / format.bytes);
    this.#partsMax = Math.ceil(ENTRIES_MAX / this.entriesPerPart);
  }

  /** How many parts this many entries take: at least one, so that "nothing" can be said. */
  partsOf(entries: number): number {
    return Math.max(1, Math.ceil(entries / this.entriesPerPart));
  }

  /** Throws DecodeError. */
  decodePart(bytes: Uint8Array, offset: number, length: number): StatePart<Entry> {
    const entryBytes = this.#format.bytes;
    if (length < PART_HEADER_BYTES || (length - PART_HEADER_BYTES) % entryBytes !== 0) {
      throw new DecodeError(`${this.#name}-length`);
    }
    const version = readUint32(bytes, offset + 4);
    const part = readUint16(bytes, offset + 8);
    const parts = readUint16(bytes, offset + 10);
    const count = (length - PART_HEADER_BYTES) / entryBytes;
    if (version === 0) throw new DecodeError(`${this.#name}-version`);
    if (part >= parts || parts > this.#partsMax) throw new DecodeError(`${this.#name}-part`);
    if (count > this.entriesPerPart || (part < parts - 1 && count !== this.entriesPerPart)) {
      throw new DecodeError(`${this.#name}-part`);
    }
    const entries: Entry[] = [];
    for (let position = offset + PART_HEADER_BYTES; position < offset + length; position += entryBytes) {
      entries.push(this.#format.read(bytes, position));
    }
    return { incarnation: readUint32(bytes, offset), version, part, parts, entries };
  }

  /** Writes one part's payload at `offset`, with entries `[part * entriesPerPart, …)` of the whole list; returns its length. */
  writePart(
    bytes: Uint8Array,
    offset: number,
    incarnation: number,
    version: number,
    part: number,
    entries: readonly Entry[],
  ): number {
    writeUint32(bytes, offset, incarnation);
    writeUint32(bytes, offset + 4, version);
    writeUint16(bytes, offset + 8, part);
    writeUint16(bytes, offset + 10, this.partsOf(entries.length));
    const end = Math.min(entries.length, (part + 1) * this.entriesPerPart);
    let position = offset + PART_HEADER_BYTES;
    for (let index = part * this.entriesPerPart; index < end; index++) {
      this.#format.write(bytes, position, entries[index]);
      position += this.#format.bytes;
    }
    return position - offset;
  }
}

/** Throws DecodeError. */
export function decodeStateAck(bytes: Uint8Array, offset: number, length: number): StateAck {
  if (length !== ACK_BYTES) throw new DecodeError('octo-state-ack-length');
  return { incarnation: readUint32(bytes, offset), version: readUint32(bytes, offset + 4) };
}

/** Writes the payload at `offset`; returns its length. */
export function writeStateAck(bytes: Uint8Array, offset: number, ack: StateAck): number {
  writeUint32(bytes, offset, ack.incarnation);
  writeUint32(bytes, offset + 4, ack.version);
  return ACK_BYTES;
}

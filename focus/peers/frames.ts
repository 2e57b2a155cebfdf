/**
 * What goes over the link between two focuses, in binary WebSocket messages. Whoever opened the link asks (sessions, calls), the other end
 * answers. A payload longer than one message goes in parts, so that a long answer does not hold up the signalling beside it.
 *
 *      0                   1
 *      0 1 2 3 4 5 6 7 8 9 0 ...
 *     +-+-------------+-----------------------------+------------+
 *     |M|    kind     |        id (32 bits)         | payload ...|
 *     +-+-------------+-----------------------------+------------+
 *
 * M: more parts of the same kind and id follow. `id` names a session or a call, chosen by the opener, used once; 0 for what is about the link.
 */
import { DecodeError } from '../../protocol/errors.ts';

/** By kind of frame: its number on the wire, who sends it, and what its payload is. */
const KINDS = {
  /** Answerer, first of all: JSON, see peer-messages.ts. */
  hello: 0x01,
  /** Opener: 8 bytes, the opener's clock. */
  ping: 0x02,
  /** Answerer: the payload of the ping. */
  pong: 0x03,
  /** Opener: a session begins; JSON. */
  open: 0x10,
  /** Answerer: it is taken; empty. What the client is told follows. */
  opened: 0x11,
  /** Answerer: it is not; a reason in UTF-8. The session has ended. */
  refused: 0x12,
  /** Opener: a SignalRequest. */
  up: 0x13,
  /** Answerer: a SignalResponse. */
  down: 0x14,
  /** Either: the session has ended; a reason in UTF-8. */
  end: 0x15,
  /** Opener: JSON. */
  call: 0x20,
  /** Answerer: JSON. */
  answer: 0x21,
} as const;

export type FrameKind = keyof typeof KINDS;

export interface Frame {
  readonly kind: FrameKind;
  readonly id: number;
  readonly payload: Uint8Array;
}

/** Of one WebSocket message, header included. */
export const MESSAGE_BYTES_MAX = 65_536;
/** Of a payload in all its parts: a list of every room of a large focus, or the largest body of an API request in base64. */
export const PAYLOAD_BYTES_MAX = 64 << 20;

const HEADER_BYTES = 5;
const PART_BYTES = MESSAGE_BYTES_MAX - HEADER_BYTES;
const MORE = 0x80;
/** Payloads that have begun and not ended, over all sessions and calls of a link. */
const UNFINISHED_BYTES_MAX = 2 * PAYLOAD_BYTES_MAX;

const NAMES: ReadonlyMap<number, FrameKind> = new Map(
  Object.entries(KINDS).map(([name, number]) => [number, name as FrameKind]),
);

/** The WebSocket messages of one frame, in order: one unless the payload is long. Throws RangeError for a payload over {@link PAYLOAD_BYTES_MAX}. */
export function encodeFrame({ kind, id, payload }: Frame): Uint8Array[] {
  if (payload.byteLength > PAYLOAD_BYTES_MAX) throw new RangeError(`a payload of ${payload.byteLength} bytes`);
  const messages: Uint8Array[] = [];
  let offset = 0;
  do {
    const part = payload.subarray(offset, offset + PART_BYTES);
    offset += part.byteLength;
    const message = Buffer.allocUnsafe(HEADER_BYTES + part.byteLength);
    message.writeUInt8(KINDS[kind] | (offset < payload.byteLength ? MORE : 0), 0);
    message.writeUInt32BE(id, 1);
    message.set(part, HEADER_BYTES);
    messages.push(message);
  } while (offset < payload.byteLength);
  return messages;
}

interface Unfinished {
  readonly kind: FrameKind;
  readonly parts: Uint8Array[];
  bytes: number;
}

/** Puts the frames of one direction of a link together. */
export class FrameReader {
  readonly #allowed: ReadonlySet<FrameKind>;
  readonly #unfinished = new Map<number, Unfinished>();
  #unfinishedBytes = 0;

  /** `allowed`: what the other end may send. */
  constructor(allowed: ReadonlySet<FrameKind>) {
    this.#allowed = allowed;
  }

  /** The frame that this message completes, if it does. Throws DecodeError for what no focus sends; the link is of no use after that. */
  read(message: Uint8Array): Frame | undefined {
    if (message.byteLength < HEADER_BYTES) throw new DecodeError('peer-frame-short');
    if (message.byteLength > MESSAGE_BYTES_MAX) throw new DecodeError('peer-frame-long');
    const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
    const first = view.getUint8(0);
    const kind = NAMES.get(first & ~MORE);
    if (kind === undefined || !this.#allowed.has(kind)) throw new DecodeError('peer-frame-kind');
    const id = view.getUint32(1);
    const part = message.subarray(HEADER_BYTES);
    const begun = this.#unfinished.get(id);
    if (begun !== undefined && begun.kind !== kind) throw new DecodeError('peer-frame-parts');
    if ((first & MORE) !== 0) {
      if (part.byteLength === 0) throw new DecodeError('peer-frame-parts');
      this.#keep(id, kind, part, begun);
      return undefined;
    }
    if (begun === undefined) return { kind, id, payload: part };
    this.#unfinished.delete(id);
    this.#unfinishedBytes -= begun.bytes;
    if (begun.bytes + part.byteLength > PAYLOAD_BYTES_MAX) throw new DecodeError('peer-payload-long');
    return { kind, id, payload: Buffer.concat([...begun.parts, part]) };
  }

  #keep(id: number, kind: FrameKind, part: Uint8Array, begun: Unfinished | undefined): void {
    const entry = begun ?? { kind, parts: [], bytes: 0 };
    if (begun === undefined) this.#unfinished.set(id, entry);
    // A copy: what a socket hands out may be a view of its larger buffer.
    entry.parts.push(Uint8Array.from(part));
    entry.bytes += part.byteLength;
    this.#unfinishedBytes += part.byteLength;
    if (entry.bytes > PAYLOAD_BYTES_MAX) throw new DecodeError('peer-payload-long');
    if (this.#unfinishedBytes > UNFINISHED_BYTES_MAX) throw new DecodeError('peer-payloads-unfinished');
  }
}

/** What the end that opened a link may send. */
export const FROM_OPENER: ReadonlySet<FrameKind> = new Set(['ping', 'open', 'up', 'end', 'call']);
/** What the other end may send. */
export const FROM_ANSWERER: ReadonlySet<FrameKind> = new Set([
  'hello',
  'pong',
  'opened',
  'refused',
  'down',
  'end',
  'answer',
]);

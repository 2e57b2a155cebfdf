import { DecodeError } from '../../protocol/errors.ts';

/** Reads the fields of one handshake message; every read is checked. Throws DecodeError `dtls-handshake`. */
export class MessageReader {
  readonly #bytes: Buffer;
  #position = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#position === this.#bytes.length;
  }

  get position(): number {
    return this.#position;
  }

  /** An unsigned number of 1 to 3 bytes. */
  number(bytes: 1 | 2 | 3): number {
    return this.take(bytes).readUIntBE(0, bytes);
  }

  /** A view of the next `length` bytes. */
  take(length: number): Buffer {
    const end = this.#position + length;
    if (end > this.#bytes.length) throw new DecodeError('dtls-handshake');
    const taken = this.#bytes.subarray(this.#position, end);
    this.#position = end;
    return taken;
  }

  /** A view of a vector whose length comes first, in 1 to 3 bytes. */
  vector(lengthBytes: 1 | 2 | 3): Buffer {
    return this.take(this.number(lengthBytes));
  }

  /** Nothing may be left. */
  end(): void {
    if (!this.isAtEnd) throw new DecodeError('dtls-handshake');
  }
}

/** `content` after its length in 1 to 3 bytes. */
export function vectorOf(lengthBytes: 1 | 2 | 3, content: Uint8Array): Buffer {
  const vector = Buffer.alloc(lengthBytes + content.length);
  vector.writeUIntBE(content.length, 0, lengthBytes);
  vector.set(content, lengthBytes);
  return vector;
}

/** 16-bit numbers, one after the other. */
export function uint16s(values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(2 * values.length);
  for (const [index, value] of values.entries()) bytes.writeUInt16BE(value, 2 * index);
  return bytes;
}

/** Throws DecodeError for an odd length. */
export function decodeUint16s(bytes: Buffer): number[] {
  if (bytes.length % 2 !== 0) throw new DecodeError('dtls-handshake');
  const values: number[] = [];
  for (let at = 0; at < bytes.length; at += 2) values.push(bytes.readUInt16BE(at));
  return values;
}

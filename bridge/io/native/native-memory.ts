import { markAsUntransferable } from 'node:worker_threads';
import { loadForeign } from './foreign.ts';

/**
 * Memory that native code reads and writes: one ArrayBuffer with a fixed address. Everything that becomes a pointer is made here, from an offset and
 * a length that were checked against the end. Addresses are also known as two 32-bit words, because the kernel's structures hold them and BigInt arithmetic
 * has no place on the packet path.
 *
 * The buffer can neither be transferred nor resized: it stays where it is until nobody refers to this object, to `bytes` or to `words`. Before and after
 * the memory there is a margin that nobody writes to (the fuzz test watches it).
 */
export class NativeMemory {
  readonly byteLength: number;
  readonly bytes: Buffer;
  /** Native byte order, as the kernel's structures have it. */
  readonly words: Uint32Array;
  readonly #address: bigint;
  /** The address as two integers of 32 bits; the upper one is the same for every byte. */
  readonly #low: number;
  readonly #high: number;

  /** `byteLength` is rounded up to a multiple of 64. Zeroed. */
  constructor(byteLength: number) {
    if (!Number.isSafeInteger(byteLength) || byteLength < 1 || byteLength > NATIVE_MEMORY_BYTES_MAX) {
      throw new RangeError(`native memory of ${byteLength} bytes; allowed: 1 to ${NATIVE_MEMORY_BYTES_MAX}`);
    }
    this.byteLength = Math.ceil(byteLength / 64) * 64;
    const { buffer, address } = allocate(NATIVE_MARGIN_BYTES + this.byteLength + NATIVE_MARGIN_BYTES);
    this.bytes = Buffer.from(buffer, NATIVE_MARGIN_BYTES, this.byteLength);
    this.words = new Uint32Array(buffer, NATIVE_MARGIN_BYTES, this.byteLength / 4);
    this.#address = address + BigInt(NATIVE_MARGIN_BYTES);
    this.#low = Number(BigInt.asIntN(32, this.#address));
    this.#high = Number(BigInt.asIntN(32, this.#address >> 32n));
  }

  /** Pointer to `length` bytes at `offset`. Throws RangeError when they are not inside. Allocates: for set-up, and kept. */
  pointer(offset: number, length: number): bigint {
    this.#check(offset, length);
    return this.#address + BigInt(offset);
  }

  /** Writes the address of the `length` bytes at `offset` as the 64-bit word at `words[at]` of another memory, whose owner keeps this one. */
  writeAddress(offset: number, length: number, words: Uint32Array, at: number): void {
    this.#check(offset, length);
    // A write past the end would be ignored, and the address of before be used.
    if ((at | 0) !== at || at < 0 || at + 2 > words.length) throw new RangeError(`word ${at} of ${words.length}`);
    words[at] = this.#low + offset;
    words[at + 1] = this.#high;
  }

  #check(offset: number, length: number): void {
    // Strings, NaN, fractions and numbers beyond 31 bits are not what `| 0` makes of them.
    if (
      (offset | 0) === offset &&
      (length | 0) === length &&
      offset >= 0 &&
      length >= 0 &&
      offset + length <= this.byteLength
    )
      return;
    throw new RangeError(`${length} bytes at ${offset} of ${this.byteLength}`);
  }
}

/** A buffer that does not cross a multiple of 4 GiB, and its address. One that does is given back when another has been found. */
function allocate(byteLength: number): { buffer: ArrayBuffer; address: bigint } {
  const crossing: ArrayBuffer[] = [];
  for (;;) {
    const buffer = new ArrayBuffer(byteLength);
    const address = loadForeign().addressOf(buffer);
    if (address >> 32n === (address + BigInt(byteLength)) >> 32n) {
      markAsUntransferable(buffer);
      return { buffer, address };
    }
    crossing.push(buffer);
  }
}

/** A cache line: what follows it is as well aligned as the buffer. */
export const NATIVE_MARGIN_BYTES = 64;

/** Far above any arena, and an offset fits in 31 bits. */
export const NATIVE_MEMORY_BYTES_MAX = 1 << 30;

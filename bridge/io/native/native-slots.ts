import { SLOT_BYTES } from '../../arena.ts';
import { NativeMemory } from './native-memory.ts';

/** How far behind a slot's start pointers are kept ready: an RTP header with all its extensions, an Octo header. */
const HEAD_BYTES = 128;
const HEADS = HEAD_BYTES / 4;

/**
 * Slots of SLOT_BYTES in native memory, with pointers into their beginnings, so that a packet in a slot reaches native code without a BigInt being made for it. A
 * pointer is made when it is first asked for, and kept: most slots are used with two or three of 32. Closed slots are not found any more by {@link NativeSlots.of}; their memory goes when nobody refers to it.
 */
export class NativeSlots {
  readonly count: number;
  readonly memory: NativeMemory;
  /** The whole memory: what identifies it. */
  readonly bytes: Buffer;
  /** By slot and offset in it, in steps of 4 bytes; undefined until asked for. */
  readonly #pointers: (bigint | undefined)[];

  private static readonly open: NativeSlots[] = [];

  constructor(count: number) {
    if (!Number.isSafeInteger(count) || count < 1) throw new RangeError(`${count} slots; allowed: 1 or more`);
    this.count = count;
    this.memory = new NativeMemory(count * SLOT_BYTES);
    this.bytes = this.memory.bytes;
    this.#pointers = new Array<bigint | undefined>(count * HEADS).fill(undefined);
    NativeSlots.open.push(this);
  }

  /** The slots whose `bytes` these are; undefined for any other buffer. A process has a handful of them. */
  static of(bytes: Uint8Array): NativeSlots | undefined {
    const { open } = NativeSlots;
    for (let index = 0; index < open.length; index++) if (open[index].bytes === bytes) return open[index];
    return undefined;
  }

  /**
   * Pointer to `length` bytes at `offset`, when they may have one: the offset is in the first 128 bytes of a slot and divisible by 4, and the bytes end in the same
   * slot. Undefined otherwise; then the bytes have to be copied to where a pointer is.
   */
  readyPointer(offset: number, length: number): bigint | undefined {
    if ((offset | 0) !== offset || (length | 0) !== length || offset < 0 || length < 0) return undefined;
    const inSlot = offset & (SLOT_BYTES - 1);
    if (inSlot >= HEAD_BYTES || (inSlot & 3) !== 0 || inSlot + length > SLOT_BYTES) return undefined;
    const index = ((offset - inSlot) / SLOT_BYTES) * HEADS + inSlot / 4;
    return this.#pointers[index] ?? this.#makePointer(index, offset);
  }

  /** Undefined for a slot beyond the last. */
  #makePointer(index: number, offset: number): bigint | undefined {
    if (index >= this.#pointers.length) return undefined;
    const pointer = this.memory.pointer(offset, 4);
    this.#pointers[index] = pointer;
    return pointer;
  }

  close(): void {
    const index = NativeSlots.open.indexOf(this);
    if (index >= 0) NativeSlots.open.splice(index, 1);
  }
}

import { Arena, SLOT_BYTES } from '../arena.ts';

/**
 * The send side of a datagram port: an arena, which of its slots are free, and the queue of those that wait for the next flush. A slot is
 * free, reserved, queued or in flight; whoever holds it gives it back with {@link free}. Nothing here allocates after construction.
 */
export class OutgoingSlots {
  readonly count: number;
  /** Slots queued since the last {@link clearQueue}. */
  queued = 0;
  readonly #arena: Arena;
  /** A stack: the slot used last is still in the processor's cache. */
  readonly #free: Uint32Array;
  #freeCount: number;
  readonly #queue: Uint32Array;
  readonly #lengths: Uint16Array;
  readonly #ports: Uint16Array;
  /** Addresses are copied at commit: the peer may be the shared cursor of strangers. */
  readonly #addresses: string[];

  constructor(count: number) {
    this.count = count;
    this.#arena = new Arena(count);
    this.#free = Uint32Array.from({ length: count }, (_, index) => count - 1 - index);
    this.#freeCount = count;
    this.#queue = new Uint32Array(count);
    this.#lengths = new Uint16Array(count);
    this.#ports = new Uint16Array(count);
    this.#addresses = new Array<string>(count).fill('');
  }

  get bytes(): Buffer {
    return this.#arena.bytes;
  }

  /** Offset of a free slot, now reserved; -1 when there is none. */
  reserve(): number {
    return this.#freeCount === 0 ? -1 : this.#free[--this.#freeCount] * SLOT_BYTES;
  }

  free(slot: number): void {
    this.#free[this.#freeCount++] = slot;
  }

  queue(offset: number, length: number, address: string, port: number): void {
    const slot = offset / SLOT_BYTES;
    this.#lengths[slot] = length;
    this.#ports[slot] = port;
    this.#addresses[slot] = address;
    this.#queue[this.queued++] = slot;
  }

  queuedSlot(index: number): number {
    return this.#queue[index];
  }

  clearQueue(): void {
    this.queued = 0;
  }

  lengthOf(slot: number): number {
    return this.#lengths[slot];
  }

  portOf(slot: number): number {
    return this.#ports[slot];
  }

  addressOf(slot: number): string {
    return this.#addresses[slot];
  }
}

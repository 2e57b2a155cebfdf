/** Things with a time, earliest first, those of one time in the order they came: a binary heap. Bounded by number and by bytes. Pure. */
interface Entry<Item> {
  readonly dueMs: number;
  readonly order: number;
  readonly bytes: number;
  readonly item: Item;
}

export class DueQueue<Item> {
  readonly itemsMax: number;
  readonly bytesMax: number;
  readonly #heap: Entry<Item>[] = [];
  #order = 0;
  #bytes = 0;

  constructor(itemsMax: number, bytesMax: number) {
    this.itemsMax = itemsMax;
    this.bytesMax = bytesMax;
  }

  get size(): number {
    return this.#heap.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Infinity: nothing waits. */
  get nextDueMs(): number {
    return this.#heap[0]?.dueMs ?? Number.POSITIVE_INFINITY;
  }

  /** False, and not taken, when the queue is full. */
  push(dueMs: number, item: Item, bytes: number): boolean {
    const heap = this.#heap;
    if (heap.length >= this.itemsMax || this.#bytes + bytes > this.bytesMax) return false;
    this.#bytes += bytes;
    const entry = { dueMs, order: this.#order++, bytes, item };
    let at = heap.length;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (isBefore(heap[above], entry)) break;
      heap[at] = heap[above];
      at = above;
    }
    heap[at] = entry;
    return true;
  }

  /** The earliest that is due by `nowMs`. */
  shift(nowMs: number): Item | undefined {
    const first = this.#heap[0];
    if (first === undefined || first.dueMs > nowMs) return undefined;
    const last = this.#heap.pop()!;
    if (this.#heap.length > 0) this.#sink(last);
    this.#bytes -= first.bytes;
    return first.item;
  }

  clear(): void {
    this.#heap.length = 0;
    this.#bytes = 0;
  }

  /** From the top down to where nothing below is earlier. */
  #sink(entry: Entry<Item>): void {
    const heap = this.#heap;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && isBefore(heap[below + 1], heap[below])) below++;
      if (isBefore(entry, heap[below])) break;
      heap[at] = heap[below];
      at = below;
    }
    heap[at] = entry;
  }
}

function isBefore<Item>(a: Entry<Item>, b: Entry<Item>): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);
}

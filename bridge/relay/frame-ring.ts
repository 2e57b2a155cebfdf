/** One piece of the ring. Frames do not cross from one into the next: on average half a frame of it stays empty. */
export const RING_CHUNK_BYTES = 65_536;
const CHUNKS_MAX = 128;
/** Most that one ring holds: 70 ms at 1 Gbit/s, a second at 60 Mbit/s. Beyond that the oldest frames are overwritten. */
export const RING_BYTES_MAX = CHUNKS_MAX * RING_CHUNK_BYTES;

/**
 * Bytes kept for a while, packed, in the order they came. Grows a chunk at a time and gives chunks back as what is in them grows old, so it is as large as
 * what was written in that time; nothing is ever copied but in and out. A position is a number that grows and never repeats.
 */
export class FrameRing {
  /** By serial number, modulo their number. */
  readonly #chunks: (Buffer | undefined)[] = new Array(CHUNKS_MAX);
  /** When the last frame of a chunk was written. */
  readonly #endedMs = new Float64Array(CHUNKS_MAX);
  readonly #spare: Buffer[] = [];
  /** Serial numbers of the oldest chunk held, and of the one being written. */
  #oldest = 0;
  #newest = 0;
  /** Bytes written into the newest; as many as it has while there is none. */
  #used = RING_CHUNK_BYTES;
  #current: Buffer | undefined;

  /** Memory held, bytes. */
  get capacityBytes(): number {
    return (this.#held + this.#spare.length) * RING_CHUNK_BYTES;
  }

  /** Keeps a copy of `length` bytes, at most a chunk's; returns their position. */
  append(nowMs: number, bytes: Uint8Array, offset: number, length: number): number {
    if (this.#used + length > RING_CHUNK_BYTES) this.#begin();
    const start = this.#used;
    Buffer.prototype.copy.call(bytes, this.#current as Buffer, start, offset, offset + length);
    this.#used = start + length;
    this.#endedMs[this.#newest % CHUNKS_MAX] = nowMs;
    return this.#newest * RING_CHUNK_BYTES + start;
  }

  isHeld(position: number): boolean {
    return position >= this.#oldest * RING_CHUNK_BYTES;
  }

  /** Copies bytes that are still held to `target`. */
  copyTo(position: number, length: number, target: Buffer, targetOffset: number): void {
    const start = position % RING_CHUNK_BYTES;
    const serial = (position - start) / RING_CHUNK_BYTES;
    this.#chunks[serial % CHUNKS_MAX]?.copy(target, targetOffset, start, start + length);
  }

  /** Gives up chunks with nothing younger than `keepMs` in them. Some stay at hand: a steady stream takes no new memory. */
  handleTimeout(nowMs: number, keepMs: number): void {
    while (this.#oldest < this.#newest && nowMs - this.#endedMs[this.#oldest % CHUNKS_MAX] > keepMs) this.#release();
    const spares = 1 + (this.#held >>> 2);
    if (this.#spare.length > spares) this.#spare.length = spares;
  }

  get #held(): number {
    return this.#current === undefined ? 0 : this.#newest - this.#oldest + 1;
  }

  #begin(): void {
    if (this.#current !== undefined) this.#newest++;
    if (this.#newest - this.#oldest === CHUNKS_MAX) this.#release();
    this.#current = this.#spare.pop() ?? Buffer.allocUnsafeSlow(RING_CHUNK_BYTES);
    this.#chunks[this.#newest % CHUNKS_MAX] = this.#current;
    this.#used = 0;
  }

  #release(): void {
    const index = this.#oldest % CHUNKS_MAX;
    const chunk = this.#chunks[index];
    if (chunk !== undefined) this.#spare.push(chunk);
    this.#chunks[index] = undefined;
    this.#oldest++;
  }
}

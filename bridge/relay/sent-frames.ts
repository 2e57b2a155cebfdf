/** Frames larger than this are not kept: no media packet of ours is, and no frame of the link's own. */
export const SENT_FRAME_BYTES_MAX = 1536;
const SLOTS_MIN = 256;
const SLOTS_MAX = 8192;
/** How long a frame is worth repeating: the other side gives up asking before that. */
export const SENT_FRAME_AGE_MS_MAX = 1000;

/**
 * The last frames sealed on a session, as datagrams: a NACK is answered with the same bytes, so no nonce is used twice and
 * nothing is encrypted again. 256 slots at first; doubled (from `handleTimeout`, never while sending) up to 8192 while frames
 * are overwritten before they are a second old. When full, the oldest is overwritten.
 */
export class SentFrames {
  bytes = Buffer.alloc(SLOTS_MIN * SENT_FRAME_BYTES_MAX);
  #slots = SLOTS_MIN;
  #sequences = new Float64Array(SLOTS_MIN).fill(-1);
  #lengths = new Uint16Array(SLOTS_MIN);
  #sentMs = new Float64Array(SLOTS_MIN);
  #repeatedMs = new Float64Array(SLOTS_MIN);
  #isTooSmall = false;

  /** Keeps a copy of a sealed datagram. One that is too large is not kept. */
  store(nowMs: number, sequence: number, bytes: Uint8Array, offset: number, length: number): void {
    if (length > SENT_FRAME_BYTES_MAX) return;
    const slot = sequence & (this.#slots - 1);
    if (this.#sequences[slot] >= 0 && nowMs - this.#sentMs[slot] < SENT_FRAME_AGE_MS_MAX) this.#isTooSmall = true;
    Buffer.prototype.copy.call(bytes, this.bytes, slot * SENT_FRAME_BYTES_MAX, offset, offset + length);
    this.#sequences[slot] = sequence;
    this.#lengths[slot] = length;
    this.#sentMs[slot] = nowMs;
    this.#repeatedMs[slot] = Number.NEGATIVE_INFINITY;
  }

  /** The offset of the datagram in `bytes`, or -1 when it is not there any more, is too old, or was repeated within `quietMs`. */
  takeForRepeat(nowMs: number, sequence: number, quietMs: number): number {
    const slot = sequence & (this.#slots - 1);
    if (this.#sequences[slot] !== sequence) return -1;
    if (nowMs - this.#sentMs[slot] > SENT_FRAME_AGE_MS_MAX) return -1;
    if (nowMs - this.#repeatedMs[slot] < quietMs) return -1;
    this.#repeatedMs[slot] = nowMs;
    return slot * SENT_FRAME_BYTES_MAX;
  }

  /** Length of the datagram at an offset that {@link takeForRepeat} gave. */
  lengthAt(offset: number): number {
    return this.#lengths[offset / SENT_FRAME_BYTES_MAX];
  }

  /** Grows the ring if it has proved too small. */
  handleTimeout(): void {
    if (!this.#isTooSmall || this.#slots === SLOTS_MAX) return;
    this.#isTooSmall = false;
    this.#grow(this.#slots * 2);
  }

  #grow(slots: number): void {
    const bytes = Buffer.alloc(slots * SENT_FRAME_BYTES_MAX);
    const sequences = new Float64Array(slots).fill(-1);
    const lengths = new Uint16Array(slots);
    const sentMs = new Float64Array(slots);
    const repeatedMs = new Float64Array(slots);
    for (let from = 0; from < this.#slots; from++) {
      const sequence = this.#sequences[from];
      if (sequence < 0) continue;
      const to = sequence & (slots - 1);
      const start = from * SENT_FRAME_BYTES_MAX;
      this.bytes.copy(bytes, to * SENT_FRAME_BYTES_MAX, start, start + this.#lengths[from]);
      sequences[to] = sequence;
      lengths[to] = this.#lengths[from];
      sentMs[to] = this.#sentMs[from];
      repeatedMs[to] = this.#repeatedMs[from];
    }
    this.bytes = bytes;
    this.#slots = slots;
    this.#sequences = sequences;
    this.#lengths = lengths;
    this.#sentMs = sentMs;
    this.#repeatedMs = repeatedMs;
  }
}

/** Lost packets that are still worth asking for, of one stream (RFC 4585 section 6.2.1). README.md tells the rules. */

/** Packets under request at once; a further one pushes out the oldest, which is the least likely to come in time. */
export const OUTSTANDING_MAX = 256;
/** A gap of this many packets is not asked for: a key frame repairs it sooner than so many retransmissions. */
export const GAP_RESET = 100;
export const TRIES_MAX = 10;
const REPEAT_MS_MIN = 20;
/** Over one RTT, because an answer also waits for the sender's pacer. */
const REPEAT_RTTS = 1.2;
/** Each repeat waits longer than the one before: a path that loses requests is a path that is full. */
const REPEAT_GROWTH = 1.25;
const RTT_MS_UNKNOWN = 100;
/** What is waited after each try, in times of the first wait. */
const GROWTHS = Array.from({ length: TRIES_MAX + 1 }, (_, tries) => REPEAT_GROWTH ** Math.max(0, tries - 1));
/** Room at first. */
const OUTSTANDING_ROOM = 32;
const NO_TIMES = new Float64Array(0);
const NO_TRIES = new Uint8Array(0);

export class NackGenerator {
  /** Packets asked for at least once, requests sent, and packets given up (ten tries, pushed out, or too old). */
  packetsRequested = 0;
  requests = 0;
  abandoned = 0;
  /** Ascending; -1 marks one that arrived and is removed at the next poll. */
  #sequences = NO_TIMES;
  #askedAtMs = NO_TIMES;
  #tries = NO_TRIES;
  #length = 0;

  /** Packets under request, those that arrived since the last poll included. At most {@link OUTSTANDING_MAX}. */
  get outstanding(): number {
    return this.#length;
  }

  /**
   * The extended sequences `from` to `to - 1` are missing; all lie above any told before. False when the gap is too large: then
   * nothing older is asked for either, and the stream needs a key frame.
   */
  handleGap(from: number, to: number): boolean {
    if (to - from >= GAP_RESET) {
      this.clear();
      return false;
    }
    const excess = this.#length + (to - from) - OUTSTANDING_MAX;
    if (excess > 0) this.#dropOldest(excess);
    this.#makeRoom(this.#length + (to - from));
    for (let sequence = from; sequence < to; sequence++) {
      this.#sequences[this.#length] = sequence;
      this.#tries[this.#length] = 0;
      this.#length++;
    }
    return true;
  }

  /** A packet below the highest has arrived, late or recovered: it is not asked for again. */
  handleArrival(sequence: number): void {
    for (let index = this.#length - 1; index >= 0; index--) {
      if (this.#sequences[index] !== sequence) continue;
      this.#sequences[index] = -1;
      return;
    }
  }

  /**
   * Fills `out` with the low 16 bits of what is to be asked for now, ascending, and returns how many. What does not fit waits for
   * the next poll; what lies below `oldestUseful` is given up. `rttMs` of 0 or less means unknown.
   */
  poll(nowMs: number, rttMs: number, oldestUseful: number, out: Uint16Array): number {
    if (this.#length === 0) return 0;
    const repeatMs = Math.max(REPEAT_MS_MIN, (rttMs > 0 ? rttMs : RTT_MS_UNKNOWN) * REPEAT_RTTS);
    let found = 0;
    let kept = 0;
    for (let index = 0; index < this.#length; index++) {
      const sequence = this.#sequences[index];
      if (sequence < 0) continue;
      let tries = this.#tries[index];
      let askedAtMs = this.#askedAtMs[index];
      const isDue = tries === 0 || nowMs - askedAtMs >= repeatMs * GROWTHS[tries];
      if (sequence < oldestUseful || (isDue && tries === TRIES_MAX)) {
        this.abandoned++;
        continue;
      }
      if (isDue && found < out.length) {
        out[found++] = sequence % 0x10000;
        if (tries === 0) this.packetsRequested++;
        this.requests++;
        tries++;
        askedAtMs = nowMs;
      }
      this.#sequences[kept] = sequence;
      this.#tries[kept] = tries;
      this.#askedAtMs[kept] = askedAtMs;
      kept++;
    }
    this.#length = kept;
    return found;
  }

  /** Gives up everything. */
  clear(): void {
    for (let index = 0; index < this.#length; index++) if (this.#sequences[index] >= 0) this.abandoned++;
    this.#length = 0;
  }

  /** Memory is taken with the first gap, and doubled as there are more: most streams lose little. */
  #makeRoom(packets: number): void {
    let room = Math.max(OUTSTANDING_ROOM, this.#sequences.length);
    while (room < packets) room *= 2;
    if (room === this.#sequences.length) return;
    const sequences = this.#sequences;
    const askedAtMs = this.#askedAtMs;
    const tries = this.#tries;
    this.#sequences = new Float64Array(room);
    this.#askedAtMs = new Float64Array(room);
    this.#tries = new Uint8Array(room);
    this.#sequences.set(sequences);
    this.#askedAtMs.set(askedAtMs);
    this.#tries.set(tries);
  }

  #dropOldest(count: number): void {
    for (let index = 0; index < count; index++) if (this.#sequences[index] >= 0) this.abandoned++;
    this.#sequences.copyWithin(0, count, this.#length);
    this.#askedAtMs.copyWithin(0, count, this.#length);
    this.#tries.copyWithin(0, count, this.#length);
    this.#length -= count;
  }
}

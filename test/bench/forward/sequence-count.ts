/** What one received RTP stream says of itself by its sequence numbers alone: nothing needs decrypting. A gap is missing until it is filled. */

/** Further behind than this is not reordering but another stream under the same name. */
const WINDOW = 1024;
/** Gaps that are longer are taken as one jump of the sender (a bridge switching layers leaves none). */
const GAP_MAX = 4096;

/** A packet that has not come: when its gap was seen, and how often it was asked for. */
interface Missing {
  readonly sinceMs: number;
  asked: number;
  askedMs: number;
}

export class SequenceCount {
  /** Extended by wraps, -1 before the first packet. */
  highest = -1;
  /** Packets under the stream's own SSRC, each counted once. */
  received = 0;
  duplicates = 0;
  /** Filled after a gap by a late packet. */
  reordered = 0;
  /** Filled by a retransmission. */
  recovered = 0;
  readonly missing = new Map<number, Missing>();
  #isResuming = false;

  /** One packet's sequence number, 16 bits. */
  handle(sequence16: number, nowMs: number): void {
    if (this.highest < 0) {
      this.highest = sequence16;
      this.received = 1;
      return;
    }
    const step = ((sequence16 - this.highest) << 16) >> 16;
    if (this.#isResuming && step > 0) {
      this.#isResuming = false;
      this.highest += step;
      this.received++;
    } else if (step === 1) {
      this.highest++;
      this.received++;
    } else if (step > 1) this.#skip(step, nowMs);
    else this.#late(this.highest + step);
  }

  /** A retransmission of `sequence16` has come. True when it was missing. */
  recover(sequence16: number): boolean {
    if (!this.missing.delete(this.extend(sequence16))) return false;
    this.recovered++;
    return true;
  }

  /**
   * Lists what to ask for again now: missing for `delayMs`, not asked within `intervalMs`, at most `triesMax` times. Returns how many were put into
   * `out`, in order.
   */
  pollMissing(nowMs: number, delayMs: number, intervalMs: number, triesMax: number, out: Uint16Array): number {
    let found = 0;
    for (const [sequence, missing] of this.missing) {
      if (found === out.length) break;
      if (nowMs - missing.sinceMs < delayMs || missing.asked >= triesMax) continue;
      if (nowMs - missing.askedMs < intervalMs) continue;
      missing.asked++;
      missing.askedMs = nowMs;
      out[found++] = sequence & 0xffff;
    }
    return found;
  }

  /** The packet with this sequence number (16 bits), extended as {@link highest} is. */
  extend(sequence16: number): number {
    return this.highest + (((sequence16 - this.highest) << 16) >> 16);
  }

  /** When the first gap after packet `after` (extended) was seen. Undefined: nothing after it is missing. */
  missingSinceMs(after: number): number | undefined {
    for (const [sequence, { sinceMs }] of this.missing) if (sequence > after) return sinceMs;
    return undefined;
  }

  /** Starts counting anew; what was missing is forgotten, the place in the stream is not. A gap before the next packet belongs to what was counted before. */
  reset(): void {
    this.received = 0;
    this.duplicates = 0;
    this.reordered = 0;
    this.recovered = 0;
    this.missing.clear();
    this.#isResuming = this.highest >= 0;
  }

  #skip(step: number, nowMs: number): void {
    if (step <= GAP_MAX) {
      for (let gap = 1; gap < step; gap++) {
        this.missing.set(this.highest + gap, { sinceMs: nowMs, asked: 0, askedMs: Number.NEGATIVE_INFINITY });
      }
    }
    this.highest += step;
    this.received++;
  }

  #late(sequence: number): void {
    if (this.missing.delete(sequence)) {
      this.received++;
      this.reordered++;
    } else if (this.highest - sequence < WINDOW) this.duplicates++;
  }
}

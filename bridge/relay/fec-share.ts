const BUCKET_MS = 50;
/** The current one, the nineteen that lie within the last second, and the one that lies in it in part. */
const BUCKETS = 21;
/** Parity by `MediaClass`, then media by `MediaClass`, then everything. */
const KINDS = 7;
const MEDIA = 3;
const ALL = 6;

/** What of a link's bytes was parity over the last second, and how much more may be. */
export class FecShare {
  readonly #bytes = new Float64Array(KINDS * BUCKETS);
  readonly #sums = new Float64Array(KINDS);
  #bucket = 0;
  #bytesOut = 0;

  /** `bytesOut`: all bytes that the link has sent so far, parity included. Called before any other method of the same moment. */
  update(nowMs: number, bytesOut: number): void {
    const bucket = Math.floor(nowMs / BUCKET_MS);
    for (let passed = this.#bucket + 1; passed <= Math.min(bucket, this.#bucket + BUCKETS); passed++) {
      for (let kind = 0; kind < KINDS; kind++) {
        const index = kind * BUCKETS + (passed % BUCKETS);
        this.#sums[kind] -= this.#bytes[index];
        this.#bytes[index] = 0;
      }
    }
    this.#bucket = Math.max(bucket, this.#bucket);
    this.#add(ALL, bytesOut - this.#bytesOut);
    this.#bytesOut = bytesOut;
  }

  /** A parity frame that has been sent. */
  addParity(mediaClass: number, bytes: number): void {
    this.#add(mediaClass, bytes);
  }

  /** A media frame that has been sent. */
  addMedia(mediaClass: number, bytes: number): void {
    this.#add(MEDIA + mediaClass, bytes);
  }

  /** Bytes of parity that may be sent now without exceeding the share (below 1), nor `budgetBps` with everything else. */
  room(shareMax: number, budgetBps: number): number {
    const sums = this.#sums;
    // What is partly older than a second counts as parity, not as what parity may be a share of: so the limit holds for any second.
    const all = sums[ALL] - this.#bytes[ALL * BUCKETS + ((this.#bucket + 1) % BUCKETS)];
    // x more bytes make the share (parity + x) / (all + x).
    const byShare = (shareMax * all - sums[0] - sums[1] - sums[2]) / (1 - shareMax);
    return Math.min(byShare, budgetBps / 8 - all);
  }

  /** Bytes of a class's parity for each byte of its media that stay within the share when all other classes have none. */
  parityPerMedia(mediaClass: number, shareMax: number): number {
    const media = this.#sums[MEDIA + mediaClass];
    const others = this.#sums[ALL] - this.#sums[0] - this.#sums[1] - this.#sums[2] - media;
    return media > 0 ? (shareMax / (1 - shareMax)) * (1 + Math.max(0, others) / media) : Number.POSITIVE_INFINITY;
  }

  /** Share of the link's bytes that is parity of one class, 0 to 1. */
  shareOf(mediaClass: number): number {
    return this.#sums[ALL] > 0 ? this.#sums[mediaClass] / this.#sums[ALL] : 0;
  }

  #add(kind: number, bytes: number): void {
    this.#bytes[kind * BUCKETS + (this.#bucket % BUCKETS)] += bytes;
    this.#sums[kind] += bytes;
  }
}

/** Sender reports remembered for their answers: some seconds of one stream, or one round of an endpoint's streams. */
export const SENT_REPORTS_MAX = 64;
const RTT_MS_MAX = 10_000;
/** RFC 6298 section 2: an eighth of each new sample. */
const SMOOTHING = 1 / 8;
const DELAY_UNITS_PER_MS = 65.536;

/**
 * Round trip to one endpoint, from its report blocks about what we send (RFC 3550 section 6.4.1, figure 2). The LSR in a block is matched
 * with the reports really sent, so reports may carry the clock of an origin far away, and an invented LSR measures nothing.
 */
export class RoundTrip {
  /** Smoothed, ms; -1 before the first measurement. */
  smoothedMs = -1;
  /** The last one, ms; -1 before it. */
  latestMs = -1;
  readonly #ntpMiddles = new Uint32Array(SENT_REPORTS_MAX);
  readonly #sentMs = new Float64Array(SENT_REPORTS_MAX).fill(-1);
  #cursor = 0;

  /** A sender report with these middle 32 bits of its NTP timestamp leaves now. The oldest of 64 is forgotten. */
  handleReportSent(nowMs: number, ntpMiddle: number): void {
    this.#ntpMiddles[this.#cursor] = ntpMiddle;
    this.#sentMs[this.#cursor] = nowMs;
    this.#cursor = (this.#cursor + 1) % SENT_REPORTS_MAX;
  }

  /** A report block with this LSR and DLSR (1/65536 s) has arrived. False when it answers no report of ours. */
  handleReportBlock(nowMs: number, lastSr: number, delaySinceLastSr: number): boolean {
    if (lastSr === 0) return false;
    for (let back = 1; back <= SENT_REPORTS_MAX; back++) {
      const index = (this.#cursor - back + SENT_REPORTS_MAX) % SENT_REPORTS_MAX;
      const sentMs = this.#sentMs[index];
      if (sentMs < 0) return false;
      if (this.#ntpMiddles[index] === lastSr) {
        return this.handleSample(nowMs - sentMs - delaySinceLastSr / DELAY_UNITS_PER_MS);
      }
    }
    return false;
  }

  /** A round trip measured in some other way, ms. Small negative ones are rounding and count as 0; false for what cannot be. */
  handleSample(rttMs: number): boolean {
    if (!(rttMs > -5 && rttMs < RTT_MS_MAX)) return false;
    this.latestMs = Math.max(0, rttMs);
    this.smoothedMs =
      this.smoothedMs < 0 ? this.latestMs : this.smoothedMs + (this.latestMs - this.smoothedMs) * SMOOTHING;
    return true;
  }
}

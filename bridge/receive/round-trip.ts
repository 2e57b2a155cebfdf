const RTT_MS_MAX = 10_000;
/** RFC 6298 section 2: an eighth of each new sample. */
const SMOOTHING = 1 / 8;

/** Round trip to one endpoint, smoothed over the samples of all its projections (RFC 3550 section 6.4.1, figure 2). */
export class RoundTrip {
  /** Smoothed, ms; -1 before the first measurement. */
  smoothedMs = -1;
  /** The last one, ms; -1 before it. */
  latestMs = -1;
  /** One measured round trip, ms. Small negative ones are rounding and count as 0; false for what cannot be. */
  handleSample(rttMs: number): boolean {
    if (!(rttMs > -5 && rttMs < RTT_MS_MAX)) return false;
    this.latestMs = Math.max(0, rttMs);
    this.smoothedMs =
      this.smoothedMs < 0 ? this.latestMs : this.smoothedMs + (this.latestMs - this.smoothedMs) * SMOOTHING;
    return true;
  }
}

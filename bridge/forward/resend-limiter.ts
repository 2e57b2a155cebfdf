/** Packets whose last resend is remembered. */
const REMEMBERED = 512;

/**
 * Keeps a packet from being resent while an earlier copy may still be under way: not within min(0.9 RTT, RTT - 5 ms) of the last resend (the
 * rule of jitsi-videobridge). Memory is taken with the first resend.
 */
export class ResendLimiter {
  private sequences = new Float64Array(0);
  private resentMs = new Float64Array(0);

  /** True when the packet with this outgoing sequence number (extended) may be resent now, which is then noted. */
  allows(nowMs: number, sequence: number, rttMs: number): boolean {
    if (this.sequences.length === 0) {
      this.sequences = new Float64Array(REMEMBERED);
      this.resentMs = new Float64Array(REMEMBERED);
    }
    const slot = sequence % REMEMBERED;
    const quietMs = Math.min(0.9 * rttMs, rttMs - 5);
    if (this.sequences[slot] === sequence && nowMs - this.resentMs[slot] < quietMs) return false;
    this.sequences[slot] = sequence;
    this.resentMs[slot] = nowMs;
    return true;
  }
}

/** Packets whose last resend is remembered. */
const REMEMBERED = 512;
/** Room for so many at first; for all, when they are asked for in so short a time that they would push each other out. */
const REMEMBERED_ROOM = 64;

const NO_SEQUENCES = new Uint32Array(0);
const NO_TIMES = new Float64Array(0);

/**
 * Keeps a packet from being resent while an earlier copy may still be under way: not within min(0.9 RTT, RTT - 5 ms) of the last resend (the
 * rule of jitsi-videobridge). Memory is taken with the first resend.
 */
export class ResendLimiter {
  /** Their low 32 bits; 0 for none, which is no extended number. */
  private sequences = NO_SEQUENCES;
  private resentMs = NO_TIMES;

  /** True when the packet with this outgoing sequence number (extended) may be resent now, which is then noted. */
  allows(nowMs: number, sequence: number, rttMs: number): boolean {
    if (this.sequences.length === 0) this.makeRoom(REMEMBERED_ROOM);
    const quietMs = Math.min(0.9 * rttMs, rttMs - 5);
    let slot = sequence % this.sequences.length;
    if (this.sequences[slot] === sequence) {
      if (nowMs - this.resentMs[slot] < quietMs) return false;
    } else if (
      this.sequences[slot] !== 0 &&
      nowMs - this.resentMs[slot] < quietMs &&
      this.sequences.length < REMEMBERED
    ) {
      this.makeRoom(REMEMBERED);
      slot = sequence % REMEMBERED;
    }
    this.sequences[slot] = sequence;
    this.resentMs[slot] = nowMs;
    return true;
  }

  private makeRoom(packets: number): void {
    const { sequences, resentMs } = this;
    this.sequences = new Uint32Array(packets);
    this.resentMs = new Float64Array(packets);
    for (let slot = 0; slot < sequences.length; slot++) {
      this.sequences[sequences[slot] % packets] = sequences[slot];
      this.resentMs[sequences[slot] % packets] = resentMs[slot];
    }
  }
}

/**
 * Serial number arithmetic (RFC 1982) for the counters of RTP and Octo. 16- and 32-bit counters are extended once, where
 * they enter; inside, sequences are ordinary growing numbers (below 2^53).
 */

/** `a - b` of two 16-bit counters as a signed distance, -32768 to 32767. */
export function distance16(a: number, b: number): number {
  return ((a - b) << 16) >> 16;
}

/** `a - b` of two 32-bit counters as a signed distance, -2^31 to 2^31-1. */
export function distance32(a: number, b: number): number {
  return (a - b) | 0;
}

/** The extended number nearest to `reference` whose low 16 bits are `value`. Never negative when `reference` is at least 2^16. */
export function extend16(value: number, reference: number): number {
  // Masks and `|` take any number modulo 2^16 and 2^32; `%` of a large one is a call into the C library.
  return reference + distance16(value, reference & 0xffff);
}

/** The extended number nearest to `reference` whose low 32 bits are `value`. */
export function extend32(value: number, reference: number): number {
  return reference + distance32(value, reference | 0);
}

/** Where extension starts, so that a packet from before the first one still has a positive number. */
export const EXTENDED_START = 0x10000;

/** Extends a 16-bit counter along its stream. One per stream; `extend` is called in arrival order. */
export class Extender16 {
  highest = -1;

  /** Extended value of `value`; moves the highest seen forward when it is newer. */
  extend(value: number): number {
    if (this.highest < 0) {
      this.highest = EXTENDED_START + value;
      return this.highest;
    }
    const extended = extend16(value, this.highest);
    if (extended > this.highest) this.highest = extended;
    return extended;
  }
}

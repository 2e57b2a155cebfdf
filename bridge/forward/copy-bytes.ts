const nativeCopy = Buffer.prototype.copy;

/** Below this a loop is faster than the way into native code. */
const LOOP_BYTES_MAX = 24;

/** Copies without a view on either side: `set(subarray())` would allocate one per packet. */
export function copyBytes(
  from: Uint8Array,
  fromOffset: number,
  to: Uint8Array,
  toOffset: number,
  length: number,
): void {
  if (length > LOOP_BYTES_MAX) {
    nativeCopy.call(from, to, toOffset, fromOffset, fromOffset + length);
    return;
  }
  for (let i = 0; i < length; i++) to[toOffset + i] = from[fromOffset + i];
}

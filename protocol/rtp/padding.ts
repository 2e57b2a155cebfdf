/** Padding at the end of an RTP packet (RFC 3550 section 5.1): bytes of any value, the last of which says how many they are. */

/**
 * Pads the packet at `bytes[offset, offset + length)`, which has no padding yet, so that its length becomes a multiple of `multiple` (2 to 256); returns the new
 * length. The same packet always gets the same padding. There must be room for `multiple - 1` bytes more.
 */
export function padRtp(bytes: Uint8Array, offset: number, length: number, multiple: number): number {
  const over = length % multiple;
  if (over === 0) return length;
  const padding = multiple - over;
  const end = offset + length + padding;
  for (let position = offset + length; position < end - 1; position++) bytes[position] = 0;
  bytes[end - 1] = padding;
  bytes[offset] |= 0x20;
  return length + padding;
}

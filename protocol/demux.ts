/**
 * Which protocol a datagram of the shared port speaks, from its first byte (RFC 7983 section 7), and RTP from RTCP (RFC 5761 section 4).
 *
 * |   0-3   STUN | 16-19 ZRTP | 20-63 DTLS | 64-79 TURN channel | 128-191 RTP/RTCP | 192-255 Octo 2 (unassigned by RFC 7983) |
 */

export const UNKNOWN = 0;
export const STUN = 1;
export const DTLS = 2;
export const RTP = 3;
export const OCTO = 4;
export type DatagramKind = typeof UNKNOWN | typeof STUN | typeof DTLS | typeof RTP | typeof OCTO;

/** The protocol of a datagram that begins with `byte` (0-255); {@link RTP} means RTP or RTCP. */
export function firstByteKind(byte: number): DatagramKind {
  if (byte >= 128) return byte < 192 ? RTP : OCTO;
  if (byte <= 3) return STUN;
  return byte >= 20 && byte <= 63 ? DTLS : UNKNOWN;
}

/** Tells RTCP from RTP by the second byte: packet types 192-223, which no RTP payload type with marker bit uses. Needs 2 bytes at `offset`. */
export function isRtcp(bytes: Uint8Array, offset: number): boolean {
  const type = bytes[offset + 1];
  return type >= 192 && type <= 223;
}

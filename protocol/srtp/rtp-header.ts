import { RTP_HEADER_BYTES } from '../rtp/packet.ts';

/** Fixed RTCP header and sender SSRC: sent in the clear (RFC 3711 section 3.4). */
export const RTCP_CLEAR_BYTES = 8;

/** Length of an RTP header with CSRCs and extension, what SRTP leaves in the clear; -1 when `length` bytes do not hold it. */
export function rtpHeaderLength(bytes: Uint8Array, offset: number, length: number): number {
  if (length < RTP_HEADER_BYTES || bytes[offset] >> 6 !== 2) return -1;
  let header = RTP_HEADER_BYTES + (bytes[offset] & 0x0f) * 4;
  if ((bytes[offset] & 0x10) !== 0) {
    if (header + 4 > length) return -1;
    header += 4 + ((bytes[offset + header + 2] << 8) | bytes[offset + header + 3]) * 4;
  }
  return header > length ? -1 : header;
}

/** True for what can be an RTCP packet: version 2, and long enough for header and SSRC. */
export function isRtcpLike(bytes: Uint8Array, offset: number, length: number): boolean {
  return length >= RTCP_CLEAR_BYTES && bytes[offset] >> 6 === 2;
}

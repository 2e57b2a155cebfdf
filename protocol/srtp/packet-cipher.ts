/**
 * One direction's keys at work on single packets: the part of SRTP in which the profiles differ. Which index a packet has, and whether it was
 * seen before, is decided outside. `index` of RTP is ROC x 2^16 + sequence (48 bits), of RTCP the SRTCP index (31 bits).
 */
export interface PacketCipher {
  /** What `sealRtp` adds. */
  readonly rtpTrailerBytes: number;
  /** What `sealRtcp` adds: the word with E flag and index, and the tag. */
  readonly rtcpTrailerBytes: number;
  /** Where that word begins, counted back from the end of the packet. */
  readonly rtcpIndexFromEnd: number;
  /** Encrypts in place and returns the new length. */
  sealRtp(bytes: Uint8Array, offset: number, headerLength: number, length: number, ssrc: number, index: number): number;
  sealRtcp(bytes: Uint8Array, offset: number, length: number, ssrc: number, index: number): number;
  /** Decrypts in place and returns the plain length, or -1 when the packet is not authentic; then the bytes have not changed. */
  openRtp(bytes: Uint8Array, offset: number, headerLength: number, length: number, ssrc: number, index: number): number;
  openRtcp(bytes: Uint8Array, offset: number, length: number, ssrc: number, index: number): number;
  /** Wipes the keys; nothing is called afterwards. */
  close(): void;
}

/** The E flag of an SRTCP packet (RFC 3711 section 3.4): its body is encrypted. */
export const SRTCP_ENCRYPTED = 0x80000000;

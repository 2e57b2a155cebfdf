/** Negative results of an SRTP session: why a packet is neither sent nor believed. */
export const SRTP_MALFORMED = -1;
/** Seen before, or older than the replay window. Outgoing: protected before, and a second time would reuse its nonce. */
export const SRTP_REPLAYED = -2;
export const SRTP_UNAUTHENTIC = -3;
/** An SRTCP packet without encryption (E = 0): WebRTC never sends one. */
export const SRTP_UNENCRYPTED = -4;
/** More SSRCs in this direction than a session keeps state for. */
export const SRTP_SSRC_LIMIT = -5;
/** No more packet indexes under this key: 2^48 RTP, 2^31 RTCP. */
export const SRTP_EXHAUSTED = -6;

/** There are no keys yet. */
export const SRTP_NO_KEYS = -7;

/** The metric label of a negative result. */
export function srtpReason(code: number): string {
  return REASONS[-code] ?? 'srtp-unknown';
}

const REASONS = [
  'srtp-unknown',
  'srtp-malformed',
  'srtp-replayed',
  'srtp-unauthentic',
  'srtp-unencrypted',
  'srtp-ssrc-limit',
  'srtp-exhausted',
  'srtp-no-keys',
];

/**
 * The project-wide table of payload types and header-extension ids. Everything behind a bridge's ingress, and every Octo
 * link, uses these numbers; a client's own are mapped to them where a packet enters and from them where it leaves. So no
 * per-source signalling crosses a link: the payload type says the codec.
 */

export const PT_OPUS = 111;
/** RFC 2198 redundancy over Opus. Block headers inside carry {@link PT_OPUS}. */
export const PT_RED = 63;
export const PT_VP8 = 96;
/** H.264 packetization-mode 1, constrained baseline (profile-level-id 42e01f). */
export const PT_H264 = 102;

export type CodecName = 'opus' | 'red' | 'vp8' | 'h264';

export interface CodecEntry {
  readonly name: CodecName;
  readonly kind: 'audio' | 'video';
  readonly payloadType: number;
  readonly clockRateHz: number;
}

export const CODECS: readonly CodecEntry[] = [
  { name: 'opus', kind: 'audio', payloadType: PT_OPUS, clockRateHz: 48_000 },
  { name: 'red', kind: 'audio', payloadType: PT_RED, clockRateHz: 48_000 },
  { name: 'vp8', kind: 'video', payloadType: PT_VP8, clockRateHz: 90_000 },
  { name: 'h264', kind: 'video', payloadType: PT_H264, clockRateHz: 90_000 },
];

export function codecOfPayloadType(payloadType: number): CodecEntry | undefined {
  for (const codec of CODECS) if (codec.payloadType === payloadType) return codec;
  return undefined;
}

/** Header-extension URIs (RFC 8285) that bridges understand. */
export const EXT_MID = 'urn:ietf:params:rtp-hdrext:sdes:mid';
export const EXT_RID = 'urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id';
export const EXT_REPAIRED_RID = 'urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id';
export const EXT_TRANSPORT_CC = 'http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01';
export const EXT_AUDIO_LEVEL = 'urn:ietf:params:rtp-hdrext:ssrc-audio-level';
export const EXT_VIDEO_ORIENTATION = 'urn:3gpp:video-orientation';

/** Extensions that travel with a packet over links, with their project-wide ids. All others belong to one hop and end there. */
export const EXT_ID_AUDIO_LEVEL = 1;
export const EXT_ID_VIDEO_ORIENTATION = 2;

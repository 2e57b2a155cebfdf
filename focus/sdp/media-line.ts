/** Parts of an m-line that we write alike whether we offer or answer. */
import type { MediaDescription } from 'sdp-transform';
import type { Transport } from '../../protocol/control/spec.ts';
import { DATA_PACKET_BYTES_MAX } from '../../protocol/datachannel/data-packet.ts';

export type MediaLine = MediaDescription & { type: string; port: number; protocol: string; payloads: string };

/** A track that the client is sent. */
export interface SectionTrack {
  readonly ssrc: number;
  readonly rtxSsrc: number | null;
  /** LiveKit: `<participant SID>|<track SID>`. What is before the bar is the RTCP CNAME too: one clock for all tracks of a participant. */
  readonly streamId: string;
  /** LiveKit: the track's SID. */
  readonly trackId: string;
}

/** Every bundled section runs on the transport's candidates; the m-line's own port means nothing but "not rejected" (RFC 9429 section 5.3.1). */
export const DISCARD_PORT = 9;
const SCTP_PORT = 5000;

export function base(type: string, port: number, protocol: string, payloads: string): MediaLine {
  return { type, port, protocol, payloads, rtp: [], fmtp: [], connection: { version: 4, ip: '0.0.0.0' } };
}

/** The bridge's side; `setup` is our part in DTLS, `actpass` in an offer (RFC 9429 section 5.2.1). */
export function transportAttributes(
  { ice, dtls }: Transport,
  setup: 'active' | 'passive' | 'actpass',
): Partial<MediaDescription> {
  return {
    iceUfrag: ice.ufrag,
    icePwd: ice.password,
    fingerprint: { type: dtls.fingerprint.algorithm, hash: dtls.fingerprint.value },
    setup,
  };
}

export function trackAttributes(track: SectionTrack, hasRtx: boolean): Partial<MediaDescription> {
  const ssrcs = track.rtxSsrc !== null && hasRtx ? [track.ssrc, track.rtxSsrc] : [track.ssrc];
  const cname = track.streamId.split('|')[0];
  return {
    msid: [{ id: track.streamId, appdata: track.trackId }],
    ssrcs: ssrcs.flatMap(id => [
      { id, attribute: 'cname', value: cname },
      { id, attribute: 'msid', value: `${track.streamId} ${track.trackId}` },
    ]),
    ...(ssrcs.length === 2 ? { ssrcGroups: [{ semantics: 'FID', ssrcs: ssrcs.join(' ') }] } : {}),
  };
}

export function dataLine(mid: string): MediaLine {
  return {
    ...base('application', DISCARD_PORT, 'UDP/DTLS/SCTP', 'webrtc-datachannel'),
    mid,
    sctpPort: SCTP_PORT,
    // A client's own stack refuses what is larger, and says so; a bridge could only drop it.
    maxMessageSize: DATA_PACKET_BYTES_MAX,
  };
}

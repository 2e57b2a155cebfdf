/**
 * Tracks to an SDP offer (RFC 8866, RFC 9429 section 5.2) of an ICE-lite agent: what a client with two PeerConnections is asked to receive. We only send in it, so
 * every codec is offered on every section of its kind, with the project's own payload types and extension ids.
 */
import { type MediaDescription, write } from 'sdp-transform';
import type { Transport } from '../../protocol/control/spec.ts';
import {
  EXT_AUDIO_LEVEL,
  EXT_ID_AUDIO_LEVEL,
  EXT_ID_VIDEO_ORIENTATION,
  EXT_MID,
  EXT_TRANSPORT_CC,
  EXT_VIDEO_ORIENTATION,
  PT_H264,
  PT_OPUS,
  PT_RED,
  PT_VP8,
} from '../../protocol/rtp/table.ts';
import { answerCandidates } from './candidates.ts';
import {
  base,
  DISCARD_PORT,
  dataLine,
  type MediaLine,
  type SectionTrack,
  trackAttributes,
  transportAttributes,
} from './media-line.ts';

/** An audio or video section. Its mid and kind never change; a track comes and goes. */
export interface OfferedSection {
  readonly mid: string;
  readonly kind: 'audio' | 'video';
  /** Null: nothing flows, and another track may come. */
  readonly track: SectionTrack | null;
  /** Of an audio track: two channels are sent. */
  readonly isStereo: boolean;
}

export interface OutgoingOffer {
  /** Digits; the same in all offers to one PeerConnection (RFC 8866 section 5.2). */
  readonly sessionId: string;
  /** Grows with each offer. */
  readonly sessionVersion: number;
  readonly transport: Transport;
  /** The section of data channels, which comes first; null without. */
  readonly dataMid: string | null;
  /** In the order in which they were first offered: none is ever left out again. Together with data at least one. */
  readonly sections: readonly OfferedSection[];
}

/** RTX of each video codec; the project's table has none, since nothing is repeated beyond one hop. */
const PT_VP8_RTX = 97;
const PT_H264_RTX = 103;
/** Ids beside those of the project's table. */
const EXT_ID_MID = 3;
const EXT_ID_TRANSPORT_CC = 4;
const PROTOCOL = 'UDP/TLS/RTP/SAVPF';

export function writeOffer(offer: OutgoingOffer): string {
  const { sessionId, sessionVersion, transport, dataMid } = offer;
  const media = [...(dataMid === null ? [] : [dataLine(dataMid)]), ...offer.sections.map(sectionLine)];
  for (const line of media) Object.assign(line, transportAttributes(transport, 'actpass'));
  // RFC 9143 section 7.2.1: the bundle's transport is that of its first section.
  Object.assign(media[0], answerCandidates(transport.candidates));
  return write({
    version: 0,
    origin: { username: '-', sessionId, sessionVersion, netType: 'IN', ipVer: 4, address: '127.0.0.1' },
    name: '-',
    timing: { start: 0, stop: 0 },
    groups: [{ type: 'BUNDLE', mids: media.map(({ mid }) => mid).join(' ') }],
    extmapAllowMixed: 'extmap-allow-mixed',
    msidSemantic: { semantic: 'WMS', token: '*' },
    icelite: 'ice-lite',
    media,
  });
}

function sectionLine({ mid, kind, track, isStereo }: OfferedSection): MediaLine {
  const codecs = kind === 'audio' ? audioCodecs(isStereo) : VIDEO_CODECS;
  return {
    ...base(kind, DISCARD_PORT, PROTOCOL, codecs.rtp.map(({ payload }) => payload).join(' ')),
    ...codecs,
    mid,
    direction: track === null ? 'inactive' : 'sendonly',
    rtcpMux: 'rtcp-mux',
    rtcpRsize: 'rtcp-rsize',
    ext: kind === 'audio' ? AUDIO_EXTENSIONS : VIDEO_EXTENSIONS,
    ...(track === null ? {} : trackAttributes(track, kind === 'video')),
  };
}

type Codecs = Pick<MediaDescription, 'rtp' | 'fmtp'> & { readonly rtcpFb: NonNullable<MediaDescription['rtcpFb']> };

/** `nack` of audio, and `sprop-stereo` (RFC 7587 section 6.1), are what LiveKit's clients look for to ask for the same in their answer. */
function audioCodecs(isStereo: boolean): Codecs {
  return {
    rtp: [
      { payload: PT_OPUS, codec: 'opus', rate: 48_000, encoding: 2 },
      { payload: PT_RED, codec: 'red', rate: 48_000, encoding: 2 },
    ],
    fmtp: [
      { payload: PT_OPUS, config: `minptime=10;useinbandfec=1${isStereo ? ';sprop-stereo=1' : ''}` },
      { payload: PT_RED, config: `${PT_OPUS}/${PT_OPUS}` },
    ],
    rtcpFb: [
      { payload: PT_OPUS, type: 'transport-cc' },
      { payload: PT_OPUS, type: 'nack' },
    ],
  };
}

const VIDEO_CODECS: Codecs = {
  rtp: [
    { payload: PT_VP8, codec: 'VP8', rate: 90_000 },
    { payload: PT_VP8_RTX, codec: 'rtx', rate: 90_000 },
    { payload: PT_H264, codec: 'H264', rate: 90_000 },
    { payload: PT_H264_RTX, codec: 'rtx', rate: 90_000 },
  ],
  fmtp: [
    { payload: PT_VP8_RTX, config: `apt=${PT_VP8}` },
    { payload: PT_H264, config: 'level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f' },
    { payload: PT_H264_RTX, config: `apt=${PT_H264}` },
  ],
  rtcpFb: [PT_VP8, PT_H264].flatMap(payload => [
    { payload, type: 'transport-cc' },
    { payload, type: 'ccm', subtype: 'fir' },
    { payload, type: 'nack' },
    { payload, type: 'nack', subtype: 'pli' },
  ]),
};

const COMMON_EXTENSIONS = [
  { value: EXT_ID_MID, uri: EXT_MID },
  { value: EXT_ID_TRANSPORT_CC, uri: EXT_TRANSPORT_CC },
];
const AUDIO_EXTENSIONS = [{ value: EXT_ID_AUDIO_LEVEL, uri: EXT_AUDIO_LEVEL }, ...COMMON_EXTENSIONS];
const VIDEO_EXTENSIONS = [{ value: EXT_ID_VIDEO_ORIENTATION, uri: EXT_VIDEO_ORIENTATION }, ...COMMON_EXTENSIONS];

/** One track that a participant publishes: from its AddTrackRequest over the section that carries it to what others are told. */
import {
  type AddTrackRequest,
  AudioTrackFeature,
  BackupCodecPolicy,
  SimulcastCodecInfo,
  TrackInfo,
  TrackSource,
  TrackType,
  VideoLayer,
  VideoLayer_Mode,
} from '@livekit/protocol';
import type { SourceSpec, StreamSpec } from '../../protocol/control/spec.ts';
import type { SourceId } from '../../protocol/ids.ts';
import type { CodecName } from '../../protocol/rtp/table.ts';
import type { OfferSection } from '../sdp/offer.ts';

export interface Track {
  readonly sid: string;
  /** The client's own id of the track: what its offer calls it. */
  readonly cid: string;
  readonly kind: 'audio' | 'video';
  readonly sourceId: SourceId;
  /** Kept complete: it is what clients are sent. */
  readonly info: TrackInfo;
  /** In the order the client prefers; empty leaves the offer's order. */
  readonly codecs: readonly CodecName[];
  /** The section that carries it; null while it is only announced. */
  section: TrackSection | null;
  /** SSRCs that the offer does not name, as its bridge has learned them. */
  streams: readonly StreamSpec[];
  /** Its cid is that of a track still published: its turn comes when that one ends. */
  isQueued: boolean;
  /** The publisher was told that somebody subscribed. */
  wasSubscribed: boolean;
  /** Layers that anybody in the mesh needs, as its bridge said last (bit n: layer n); null before it has. */
  neededLayers: number | null;
}

export interface TrackSection {
  readonly mid: string;
  /** The track id in its msid; when it changes, the section carries another track. */
  readonly trackId: string | null;
  readonly rids: readonly string[];
  readonly ssrcs: readonly number[];
  readonly rtxSsrcs: readonly number[];
}

/** Layers that can be told apart; more are LiveKit's SVC modes, which bridges do not know. */
const LAYERS_MAX = 3;
const CODEC_MIMES: Readonly<Record<CodecName, string>> = {
  opus: 'audio/opus',
  red: 'audio/red',
  vp8: 'video/VP8',
  h264: 'video/H264',
};

/** The track that `request` announces. Its type is audio or video: the caller has refused others. */
export function newTrack(request: AddTrackRequest, sid: string, sourceId: SourceId): Track {
  const kind = request.type === TrackType.AUDIO ? 'audio' : 'video';
  const codecs = codecsOf(request, kind);
  return {
    sid,
    cid: request.cid,
    kind,
    sourceId,
    info: trackInfo(request, sid, codecs),
    codecs,
    section: null,
    streams: [],
    isQueued: false,
    wasSubscribed: false,
    neededLayers: null,
  };
}

/** `TR_`, what kind it is and where from in LiveKit's letters: the SID's prefix. */
export function trackSidPrefix(request: AddTrackRequest): string {
  const kind = request.type === TrackType.AUDIO ? 'A' : 'V';
  if (request.source === TrackSource.CAMERA) return `TR_${kind}C`;
  if (request.source === TrackSource.MICROPHONE) return `TR_${kind}M`;
  if (request.source === TrackSource.SCREEN_SHARE) return `TR_${kind}S`;
  if (request.source === TrackSource.SCREEN_SHARE_AUDIO) return `TR_${kind}s`;
  return `TR_${kind}`;
}

/** Takes over where the offer carries the track. */
export function negotiate(track: Track, section: OfferSection): void {
  track.section = {
    mid: section.mid,
    trackId: section.trackId,
    rids: lowToHigh(section.rids),
    ssrcs: section.ssrcs,
    rtxSsrcs: section.rtxSsrcs,
  };
  track.info.mid = section.mid;
  for (const codec of track.info.codecs) codec.mid = section.mid;
}

/** The source as its bridge is to know it. Null until it is negotiated. */
export function sourceSpec(track: Track): SourceSpec | null {
  if (track.section === null) return null;
  return {
    sourceId: track.sourceId,
    kind: track.kind,
    mid: track.section.mid,
    rids: [...track.section.rids],
    ssrcs: [...track.section.ssrcs],
    rtxSsrcs: [...track.section.rtxSsrcs],
    muted: track.info.muted,
    ...(track.streams.length === 0 ? {} : { streams: [...track.streams] }),
  };
}

/** What really flows, once the bridge has seen it. True when that is news. */
export function setCodec(track: Track, codec: string): boolean {
  const mime = mimeOf(codec);
  if (mime === undefined || track.info.mimeType === mime) return false;
  track.info.mimeType = mime;
  if (track.info.codecs.length > 0) track.info.codecs[0].mimeType = mime;
  return true;
}

function mimeOf(codec: string): string | undefined {
  return Object.entries(CODEC_MIMES).find(([name]) => name === codec)?.[1];
}

/** The codecs the client names, as far as we have them, RED before Opus unless it declines. */
function codecsOf(request: AddTrackRequest, kind: 'audio' | 'video'): CodecName[] {
  if (kind === 'audio') return request.disableRed ? ['opus'] : ['red', 'opus'];
  return request.simulcastCodecs.flatMap(({ codec }): CodecName[] => {
    const name = codec.toLowerCase().replace(/^video\//, '');
    return name === 'vp8' || name === 'h264' ? [name] : [];
  });
}

function trackInfo(request: AddTrackRequest, sid: string, codecs: readonly CodecName[]): TrackInfo {
  const mimeType = CODEC_MIMES[codecs[0] ?? 'vp8'];
  const layers =
    (request.simulcastCodecs[0]?.layers ?? []).length > 0 ? request.simulcastCodecs[0].layers : request.layers;
  const features = new Set(request.audioFeatures);
  if (request.stereo) features.add(AudioTrackFeature.TF_STEREO);
  if (request.disableDtx) features.add(AudioTrackFeature.TF_NO_DTX);
  const sorted = sortedLayers(layers);
  return new TrackInfo({
    sid,
    type: request.type,
    source: request.source,
    name: request.name,
    muted: request.muted,
    width: request.width,
    height: request.height,
    simulcast: sorted.length > 1,
    layers: sorted,
    mimeType,
    codecs: [
      new SimulcastCodecInfo({
        mimeType,
        cid: request.cid,
        layers: sorted,
        videoLayerMode:
          request.type === TrackType.VIDEO ? VideoLayer_Mode.ONE_SPATIAL_LAYER_PER_STREAM : VideoLayer_Mode.MODE_UNUSED,
      }),
    ],
    disableDtx: request.disableDtx,
    disableRed: request.disableRed,
    stereo: request.stereo,
    encryption: request.encryption,
    stream: request.stream === '' ? streamOf(request.source) : request.stream,
    backupCodecPolicy: BackupCodecPolicy.SIMULCAST,
    audioFeatures: [...features],
    packetTrailerFeatures: [...new Set(request.packetTrailerFeatures)],
  });
}

function sortedLayers(layers: readonly VideoLayer[]): VideoLayer[] {
  return layers
    .toSorted((a, b) => a.quality - b.quality)
    .slice(0, LAYERS_MAX)
    .map((layer, index) => new VideoLayer({ ...layer, spatialLayer: index }));
}

/** LiveKit groups tracks that belong together into one stream: camera with microphone, screen with its sound. */
function streamOf(source: TrackSource): string {
  if (source === TrackSource.CAMERA || source === TrackSource.MICROPHONE) return 'camera';
  if (source === TrackSource.SCREEN_SHARE || source === TrackSource.SCREEN_SHARE_AUDIO) return 'screen_share';
  return 'unknown';
}

/** LiveKit's clients name encodings q, h, f from the smallest up; whatever order the offer has them in, that one counts. */
function lowToHigh(rids: readonly string[]): string[] {
  const rank = (rid: string) => 'qhf'.indexOf(rid);
  return rids.every(rid => rid.length === 1 && rank(rid) >= 0) ? rids.toSorted((a, b) => rank(a) - rank(b)) : [...rids];
}

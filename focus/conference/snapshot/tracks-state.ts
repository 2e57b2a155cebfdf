/** Publications and subscriptions of a participant as parts of a field. */
import { TrackInfo } from '@livekit/protocol';
import { type Static, Type } from 'typebox';
import { CodecParametersSchema, StreamSpecSchema } from '../../../protocol/control/spec.ts';
import { SOURCE_ID_MAX, type SourceId } from '../../../protocol/ids.ts';
import { LAYER_MAX, TEMPORAL_MAX } from '../layer-choice.ts';
import { type PublicationsState, TRACKS_MAX } from '../publications.ts';
import { SUBSCRIPTIONS_MAX, type SubscriptionsState } from '../subscriptions.ts';
import type { Track, TrackSection } from '../track.ts';
import { readMessage } from './field.ts';

const Ssrc = Type.Integer({ minimum: 1, maximum: 0xffffffff });
const SourceIdSchema = Type.Integer({ minimum: 0, maximum: SOURCE_ID_MAX });

const TrackSectionSchema = Type.Object({
  mid: Type.String(),
  trackId: Type.Union([Type.String(), Type.Null()]),
  rids: Type.Array(Type.String(), { maxItems: 3 }),
  ssrcs: Type.Array(Ssrc, { maxItems: 3 }),
  rtxSsrcs: Type.Array(Ssrc, { maxItems: 3 }),
});

const TrackSchema = Type.Object({
  cid: Type.String(),
  kind: Type.Union([Type.Literal('audio'), Type.Literal('video')]),
  sourceId: SourceIdSchema,
  /** LiveKit's TrackInfo; the SID is in it. */
  info: Type.String(),
  codecs: Type.Array(CodecParametersSchema.properties.codec),
  section: Type.Union([TrackSectionSchema, Type.Null()]),
  /** What a bridge learned of its SSRCs: the next one cannot, since clients name MID and RID only at first. */
  streams: Type.Array(StreamSpecSchema, { maxItems: 6 }),
  isQueued: Type.Boolean(),
  wasSubscribed: Type.Boolean(),
  neededLayers: Type.Union([Type.Integer({ minimum: 0 }), Type.Null()]),
  /** Others know of it: `Room.publishers` has it. */
  isPublished: Type.Boolean(),
});

export const PublicationsSchema = Type.Object({
  nextSourceId: SourceIdSchema,
  tracks: Type.Array(TrackSchema, { maxItems: TRACKS_MAX }),
});

/** Rows as short as they can be: there are many. */
export const SubscriptionsSchema = Type.Object({
  autoSubscribe: Type.Boolean(),
  explicit: Type.Array(Type.Tuple([Type.String(), Type.Boolean()])),
  settings: Type.Array(
    Type.Object({
      trackSid: Type.String(),
      isDisabled: Type.Boolean(),
      layerMax: Type.Integer({ minimum: 0, maximum: LAYER_MAX }),
      temporalMax: Type.Integer({ minimum: 0, maximum: TEMPORAL_MAX }),
    }),
  ),
  active: Type.Array(Type.Tuple([Type.String(), Ssrc, Type.Union([Ssrc, Type.Null()])]), {
    maxItems: SUBSCRIPTIONS_MAX,
  }),
  denied: Type.Array(Type.String()),
});

export function publicationsState(
  { tracks, nextSourceId }: PublicationsState,
  textOf: (info: TrackInfo) => string,
  isPublished: (trackSid: string) => boolean,
): Static<typeof PublicationsSchema> {
  return {
    nextSourceId,
    tracks: tracks.map(track => ({
      cid: track.cid,
      kind: track.kind,
      sourceId: track.sourceId,
      info: textOf(track.info),
      codecs: [...track.codecs],
      streams: track.streams.map(({ ssrc, layer, isRtx }) => ({ ssrc, layer, isRtx })),
      section: track.section === null ? null : sectionState(track.section),
      isQueued: track.isQueued,
      wasSubscribed: track.wasSubscribed,
      neededLayers: track.neededLayers,
      isPublished: isPublished(track.sid),
    })),
  };
}

/** With the SIDs of those that others know of. Undefined when its parts do not belong together. */
export function publicationsOf({
  nextSourceId,
  tracks: states,
}: Static<typeof PublicationsSchema>): (PublicationsState & { readonly published: ReadonlySet<string> }) | undefined {
  const tracks: Track[] = [];
  const published = new Set<string>();
  for (const { info: text, sourceId, isPublished, ...rest } of states) {
    const info = readMessage(TrackInfo, text);
    if (info === undefined || info.sid === '' || (isPublished && rest.section === null)) return undefined;
    tracks.push({ ...rest, sid: info.sid, sourceId: sourceId as SourceId, info });
    if (isPublished) published.add(info.sid);
  }
  const isEachItself =
    areDifferent(tracks.map(({ sid }) => sid)) &&
    areDifferent(tracks.map(({ sourceId }) => sourceId)) &&
    areDifferent(tracks.flatMap(({ section }) => section?.mid ?? []));
  return isEachItself ? { tracks, nextSourceId, published } : undefined;
}

export function subscriptionsState(state: SubscriptionsState): Static<typeof SubscriptionsSchema> {
  return {
    autoSubscribe: state.autoSubscribe,
    explicit: state.explicit.map(([trackSid, isWanted]) => [trackSid, isWanted]),
    settings: state.settings.map(([trackSid, settings]) => ({ trackSid, ...settings })),
    active: state.active.map(({ trackSid, ssrc, rtxSsrc }) => [trackSid, ssrc, rtxSsrc]),
    denied: [...state.denied],
  };
}

/** Undefined when its parts do not belong together. */
export function subscriptionsOf(state: Static<typeof SubscriptionsSchema>): SubscriptionsState | undefined {
  const { autoSubscribe, explicit, denied } = state;
  const active = state.active.map(([trackSid, ssrc, rtxSsrc]) => ({ trackSid, ssrc, rtxSsrc }));
  const ssrcs = active.flatMap(({ ssrc, rtxSsrc }) => (rtxSsrc === null ? [ssrc] : [ssrc, rtxSsrc]));
  if (!areDifferent(ssrcs) || !areDifferent(active.map(({ trackSid }) => trackSid))) return undefined;
  const settings = state.settings.map(({ trackSid, isDisabled, layerMax, temporalMax }) => {
    return [trackSid, { isDisabled, layerMax, temporalMax }] as const;
  });
  return { autoSubscribe, explicit, settings, active, denied };
}

function sectionState({ mid, trackId, rids, ssrcs, rtxSsrcs }: TrackSection): Static<typeof TrackSectionSchema> {
  return { mid, trackId, rids: [...rids], ssrcs: [...ssrcs], rtxSsrcs: [...rtxSsrcs] };
}

function areDifferent(values: readonly (string | number)[]): boolean {
  return new Set(values).size === values.length;
}

/** A client's offer, and its answer to one of ours, as parts of a field. Sections mostly repeat each other's codecs and extensions, so each list is there once. */
import { type Static, Type } from 'typebox';
import { CodecParametersSchema, EndpointSpecSchema } from '../../../protocol/control/spec.ts';
import type { Offer, OfferedCodec, OfferedExtension, OfferLine, OfferSection } from '../../sdp/offer.ts';
import type { Answer } from '../../sdp/read-answer.ts';

const Index = Type.Integer({ minimum: 0, maximum: 0xffff });
const Text = Type.String();
const TextOrNull = Type.Union([Type.String(), Type.Null()]);
const Ssrcs = Type.Array(Type.Integer({ minimum: 1, maximum: 0xffffffff }), { maxItems: 3 });
const Payload = Type.Integer({ minimum: 0, maximum: 127 });
const DirectionSchema = Type.Union([
  Type.Literal('sendrecv'),
  Type.Literal('sendonly'),
  Type.Literal('recvonly'),
  Type.Literal('inactive'),
]);
const { ice, dtls, codecs, extensions } = EndpointSpecSchema.properties;
const IceSchema = ice.anyOf[0];
const DtlsSchema = dtls.anyOf[0];

const OfferedCodecSchema = Type.Object({
  codec: CodecParametersSchema.properties.codec,
  payloadType: Payload,
  rtxPayloadType: Type.Union([Payload, Type.Null()]),
  clockRateHz: Type.Integer({ minimum: 1 }),
  channels: Type.Integer({ minimum: 0 }),
  fmtp: Type.Array(Type.Tuple([Text, Text])),
  feedback: Type.Array(Text),
});
const OfferedExtensionSchema = Type.Object({
  id: Type.Integer({ minimum: 1, maximum: 255 }),
  uri: Text,
  direction: DirectionSchema,
});
/** What most sections have not is left out. */
const SectionSchema = Type.Object({
  index: Index,
  mid: Text,
  kind: Type.Union([Type.Literal('audio'), Type.Literal('video')]),
  direction: DirectionSchema,
  isStopped: Type.Optional(Type.Literal(true)),
  streamId: Type.Optional(Text),
  trackId: Type.Optional(Text),
  rids: Type.Optional(Type.Array(Text, { maxItems: 3 })),
  ssrcs: Type.Optional(Ssrcs),
  rtxSsrcs: Type.Optional(Ssrcs),
  codecs: Index,
  extensions: Index,
  hasReducedSizeRtcp: Type.Optional(Type.Literal(true)),
});

export const OfferSchema = Type.Object({
  sessionId: Text,
  sessionVersion: Type.Number(),
  ice: IceSchema,
  dtls: DtlsSchema,
  /** Each m-line: its mid, and which of `lineForms` it has. */
  lines: Type.Array(Type.Tuple([TextOrNull, Index])),
  lineForms: Type.Array(Type.Tuple([Text, Text, Text])),
  sections: Type.Array(SectionSchema),
  /** What `codecs` and `extensions` of sections count in. */
  codecLists: Type.Array(Type.Array(OfferedCodecSchema)),
  extensionLists: Type.Array(Type.Array(OfferedExtensionSchema)),
  data: Type.Union([
    Type.Object({ index: Index, mid: Text, isStopped: Type.Boolean(), maxMessageBytes: Type.Number() }),
    Type.Null(),
  ]),
  codecs,
  extensions,
  allowsMixedExtensions: Type.Boolean(),
  bundle: Type.Array(Text),
});
type OfferState = Static<typeof OfferSchema>;
type SectionState = Static<typeof SectionSchema>;

export const AnswerSchema = Type.Object({
  ice: IceSchema,
  dtls: DtlsSchema,
  codecs,
  extensions,
  receiving: Type.Array(Text),
});
type AnswerState = Static<typeof AnswerSchema>;

export function offerState(offer: Offer): OfferState {
  const forms = new Interned<readonly [string, string, string]>();
  const codecLists = new Interned<OfferState['codecLists'][number]>();
  const extensionLists = new Interned<readonly OfferedExtension[]>();
  const { ice, dtls, codecs, extensions, allowsMixedExtensions, data } = offer;
  return {
    ...offer.origin,
    ice,
    dtls,
    lines: offer.lines.map(({ mid, media, protocol, format }) => [mid, forms.index([media, protocol, format])]),
    sections: offer.sections.map(section => ({
      index: section.index,
      mid: section.mid,
      kind: section.kind,
      direction: section.direction,
      ...(section.isStopped ? { isStopped: true as const } : {}),
      ...(section.streamId === null ? {} : { streamId: section.streamId }),
      ...(section.trackId === null ? {} : { trackId: section.trackId }),
      ...(section.rids.length === 0 ? {} : { rids: [...section.rids] }),
      ...(section.ssrcs.length === 0 ? {} : { ssrcs: [...section.ssrcs] }),
      ...(section.rtxSsrcs.length === 0 ? {} : { rtxSsrcs: [...section.rtxSsrcs] }),
      codecs: codecLists.index(section.codecs.map(codecState)),
      extensions: extensionLists.index(section.extensions),
      ...(section.hasReducedSizeRtcp ? { hasReducedSizeRtcp: true as const } : {}),
    })),
    lineForms: forms.all.map(form => [...form]),
    codecLists: codecLists.all,
    extensionLists: extensionLists.all.map(list => [...list]),
    data,
    codecs,
    extensions,
    allowsMixedExtensions,
    bundle: [...offer.bundle],
  };
}

/** Undefined when its parts do not belong together. */
export function offerOf(state: OfferState): Offer | undefined {
  const { sessionId, sessionVersion, lineForms, codecLists, extensionLists } = state;
  const lines = state.lines.map(([mid, form]) => lineOf(mid, lineForms[form]));
  const codecs = codecLists.map(list => list.map(codec => ({ ...codec, fmtp: new Map(codec.fmtp) })));
  const sections = state.sections.map(section => {
    const line = lines[section.index];
    if (line === undefined || line.mid !== section.mid) return undefined;
    return sectionOf(section, codecs[section.codecs], extensionLists[section.extensions]);
  });
  if (!areAll(lines) || !areAll(sections) || new Set(sections.map(({ mid }) => mid)).size < sections.length) {
    return undefined;
  }
  return {
    origin: { sessionId, sessionVersion },
    ice: state.ice,
    dtls: state.dtls,
    lines,
    sections,
    data: state.data,
    codecs: state.codecs,
    extensions: state.extensions,
    allowsMixedExtensions: state.allowsMixedExtensions,
    bundle: state.bundle,
  };
}

export function answerState({ ice, dtls, codecs, extensions, receiving }: Answer): AnswerState {
  return { ice, dtls, codecs, extensions, receiving: [...receiving] };
}

export function answerOf({ ice, dtls, codecs, extensions, receiving }: AnswerState): Answer {
  return { ice, dtls, codecs, extensions, receiving: new Set(receiving) };
}

function codecState({ codec, payloadType, rtxPayloadType, clockRateHz, channels, fmtp, feedback }: OfferedCodec) {
  const parameters = [...fmtp].map(([name, value]): [string, string] => [name, value]);
  return { codec, payloadType, rtxPayloadType, clockRateHz, channels, fmtp: parameters, feedback: [...feedback] };
}

function lineOf(mid: string | null, form: OfferState['lineForms'][number] | undefined): OfferLine | undefined {
  if (form === undefined) return undefined;
  const [media, protocol, format] = form;
  return { mid, media, protocol, format };
}

function sectionOf(
  { index, mid, kind, direction, isStopped, streamId, trackId, rids, ssrcs, rtxSsrcs, ...rest }: SectionState,
  codecs: readonly OfferedCodec[] | undefined,
  extensions: readonly OfferedExtension[] | undefined,
): OfferSection | undefined {
  if (codecs === undefined || extensions === undefined) return undefined;
  return {
    index,
    mid,
    kind,
    direction,
    isStopped: isStopped ?? false,
    streamId: streamId ?? null,
    trackId: trackId ?? null,
    rids: rids ?? [],
    ssrcs: ssrcs ?? [],
    rtxSsrcs: rtxSsrcs ?? [],
    codecs,
    extensions,
    hasReducedSizeRtcp: rest.hasReducedSizeRtcp ?? false,
  };
}

function areAll<T>(values: (T | undefined)[]): values is T[] {
  return !values.includes(undefined);
}

/** Values by their text, each once. */
class Interned<T> {
  readonly all: T[] = [];
  readonly #indices = new Map<string, number>();

  index(value: T): number {
    const text = JSON.stringify(value);
    const known = this.#indices.get(text);
    if (known !== undefined) return known;
    this.#indices.set(text, this.all.length);
    this.all.push(value);
    return this.all.length - 1;
  }
}

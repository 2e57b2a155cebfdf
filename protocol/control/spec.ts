/**
 * What a focus tells a bridge: desired state, never deltas. Each document carries its whole truth and a version; sending one
 * twice changes nothing, an older one is refused with the version in force. ORTC-like: no SDP, no room names, no tokens.
 */
import { type Static, Type } from 'typebox';

const HexId = Type.String({ pattern: '^[0-9a-f]{8}$', description: 'conference or endpoint ID, 8 hex digits' });
const BridgeName = Type.String({ pattern: '^[A-Za-z0-9._-]{1,64}$' });
const Version = Type.Integer({ minimum: 1, description: 'grows with every change of the document' });
const Uint32 = Type.Integer({ minimum: 1, maximum: 0xffffffff });
const StreamId = Type.Integer({ minimum: 0, maximum: 65_534 });
const Mid = Type.String({ minLength: 1, maxLength: 16 });
const Fingerprint = Type.Object(
  {
    algorithm: Type.String({ minLength: 1, maxLength: 16, description: 'as in SDP: sha-256' }),
    value: Type.String({ pattern: '^[0-9A-F]{2}(:[0-9A-F]{2})+$' }),
  },
  { additionalProperties: false },
);

export const CodecParametersSchema = Type.Object(
  {
    codec: Type.Union([Type.Literal('opus'), Type.Literal('red'), Type.Literal('vp8'), Type.Literal('h264')]),
    payloadType: Type.Integer({ minimum: 0, maximum: 127, description: "the client's own number" }),
    rtxPayloadType: Type.Union([Type.Integer({ minimum: 0, maximum: 127 }), Type.Null()]),
  },
  { additionalProperties: false },
);
/** One row of a client's payload-type table. */
export type CodecParameters = Static<typeof CodecParametersSchema>;

export const StreamSpecSchema = Type.Object(
  {
    ssrc: Uint32,
    layer: Type.Integer({ minimum: 0, maximum: 2 }),
    isRtx: Type.Boolean(),
  },
  { additionalProperties: false },
);
/** One SSRC of a client, and what it carries. */
export type StreamSpec = Static<typeof StreamSpecSchema>;

export const SourceSpecSchema = Type.Object(
  {
    sourceId: Type.Integer({ minimum: 0, maximum: 255 }),
    kind: Type.Union([Type.Literal('audio'), Type.Literal('video')]),
    mid: Mid,
    rids: Type.Array(Type.String({ minLength: 1, maxLength: 16 }), {
      maxItems: 3,
      description: 'simulcast encodings from the smallest to the largest; empty: one encoding, no RID',
    }),
    ssrcs: Type.Array(Uint32, { maxItems: 3, description: 'declared media SSRCs, in the order of rids; may be empty' }),
    rtxSsrcs: Type.Array(Uint32, { maxItems: 3, description: 'RTX SSRC of each entry of ssrcs' }),
    muted: Type.Boolean({ description: 'while true, whatever the client sends on it is dropped' }),
    streams: Type.Optional(
      Type.Array(StreamSpecSchema, {
        maxItems: 6,
        description:
          'SSRCs that an earlier bridge has learned from the first packets (`streams` event): a client names MID and RID only until somebody has heard them',
      }),
    ),
  },
  { additionalProperties: false },
);
/** A source that an endpoint may send. Media that no source of its endpoint describes is dropped and counted. */
export type SourceSpec = Static<typeof SourceSpecSchema>;

export const ProjectionSpecSchema = Type.Object(
  {
    origin: HexId,
    sourceId: Type.Integer({ minimum: 0, maximum: 255 }),
    kind: Type.Union([Type.Literal('audio'), Type.Literal('video')]),
    mid: Mid,
    ssrc: Uint32,
    rtxSsrc: Type.Union([Uint32, Type.Null()]),
    enabled: Type.Boolean({
      description: 'false: subscribed, but nothing is to be sent (disabled by the subscriber, or muted)',
    }),
    layerMax: Type.Integer({
      minimum: 0,
      maximum: 2,
      description: 'highest layer the subscriber asked for; the best flowing one up to it is sent',
    }),
    temporalMax: Type.Integer({ minimum: 0, maximum: 3, description: 'highest VP8 temporal layer; 3 is all' }),
  },
  { additionalProperties: false },
);
/** One source as one subscriber is to see it. */
export type ProjectionSpec = Static<typeof ProjectionSpecSchema>;

export const EndpointSpecSchema = Type.Object(
  {
    version: Version,
    identity: Type.String({
      maxLength: 1024,
      description: 'opaque; stamped on data messages, and their destination address',
    }),
    sid: Type.String({ maxLength: 64, description: 'opaque; stamped on data messages' }),
    iceGeneration: Type.Integer({
      minimum: 0,
      description: 'an ICE restart: local credentials are new for each generation',
    }),
    ice: Type.Union([
      Type.Object(
        {
          ufrag: Type.String({ minLength: 4, maxLength: 256 }),
          password: Type.String({ minLength: 22, maxLength: 256 }),
        },
        { additionalProperties: false },
      ),
      Type.Null(),
    ]),
    dtls: Type.Union([
      Type.Object(
        {
          setup: Type.Union([Type.Literal('active'), Type.Literal('passive'), Type.Literal('actpass')]),
          fingerprints: Type.Array(Fingerprint, { minItems: 1, maxItems: 8 }),
        },
        { additionalProperties: false },
      ),
      Type.Null(),
    ]),
    codecs: Type.Array(CodecParametersSchema, { maxItems: 64 }),
    extensions: Type.Array(
      Type.Object(
        { id: Type.Integer({ minimum: 1, maximum: 255 }), uri: Type.String({ maxLength: 256 }) },
        { additionalProperties: false },
      ),
      { maxItems: 32 },
    ),
    sources: Type.Array(SourceSpecSchema, { maxItems: 64 }),
    projections: Type.Array(ProjectionSpecSchema, { maxItems: 1024 }),
    mayPublishData: Type.Boolean(),
    dataChannels: Type.Optional(
      Type.Union([Type.Literal('from-client'), Type.Literal('to-client'), Type.Literal('none')], {
        description:
          'absent: the client opens them, for both ways. to-client: the bridge opens them. Endpoints of one sid are one participant: its own messages do not come back to it',
      }),
    ),
    openChannels: Type.Optional(
      Type.Object(
        { reliable: Type.Optional(StreamId), lossy: Type.Optional(StreamId) },
        {
          additionalProperties: false,
          description:
            'the client comes from another bridge with these data channels open, by their SCTP streams: the bridge begins the association anew (RFC 9260 section 5.2.2), and they stay open',
        },
      ),
    ),
    received: Type.Optional(
      Type.Array(
        Type.Object(
          { sid: Type.String({ maxLength: 64 }), sequence: Type.Integer({ minimum: 0, maximum: 0xffffffff }) },
          { additionalProperties: false },
        ),
        {
          maxItems: 10_000,
          description:
            'of such a client: the last reliable message it has had of each sender. What was kept for it up to there is not sent',
        },
      ),
    ),
  },
  { additionalProperties: false },
);
/** Everything a bridge knows of one of its endpoints. `ice` and `dtls` are the client's, null until its offer is known. */
export type EndpointSpec = Static<typeof EndpointSpecSchema>;

export const TransportSchema = Type.Object({
  version: Version,
  ice: Type.Object({ ufrag: Type.String(), password: Type.String() }),
  dtls: Type.Object({
    setup: Type.Union([Type.Literal('active'), Type.Literal('passive')]),
    fingerprint: Fingerprint,
  }),
  candidates: Type.Array(
    Type.Object({
      address: Type.String(),
      port: Type.Integer(),
      kind: Type.Union([Type.Literal('host'), Type.Literal('srflx')]),
    }),
  ),
});
/** The bridge's side of an endpoint's transport, as the answer to its spec: ICE-lite, complete, valid until the next generation. */
export type Transport = Static<typeof TransportSchema>;

export const BridgePeerSchema = Type.Object(
  {
    bridgeId: BridgeName,
    region: Type.String({ maxLength: 64 }),
    octo: Type.Object(
      { address: Type.String(), port: Type.Integer({ minimum: 1, maximum: 65535 }) },
      { additionalProperties: false },
    ),
    fingerprint: Fingerprint,
  },
  { additionalProperties: false },
);
/** Another bridge of the mesh, as the focus vouches for it. */
export type BridgePeer = Static<typeof BridgePeerSchema>;

export const ConferenceSpecSchema = Type.Object(
  {
    version: Version,
    bridges: Type.Array(BridgePeerSchema, {
      maxItems: 256,
      description: 'all bridges of the conference, this one included',
    }),
    endpoints: Type.Array(
      Type.Object(
        {
          endpointId: HexId,
          bridgeId: BridgeName,
          identity: Type.String({ maxLength: 1024 }),
          movingTo: Type.Optional(BridgeName),
        },
        {
          additionalProperties: false,
          description:
            'movingTo: bridgeId has its media still, and the bridge that it moves to takes the reliable messages for it and keeps them until it is there',
        },
      ),
      { maxItems: 10_000 },
    ),
  },
  { additionalProperties: false },
);
/** The mesh of one conference: its bridges, and which of them serves whom. */
export type ConferenceSpec = Static<typeof ConferenceSpecSchema>;

export const MessageSchema = Type.Object(
  {
    kind: Type.Union([Type.Literal('reliable'), Type.Literal('lossy')]),
    packet: Type.String({ maxLength: 400_000, description: 'a LiveKit DataPacket, base64' }),
    destinations: Type.Array(Type.String(), { maxItems: 10_000, description: 'identities; empty: everybody' }),
  },
  { additionalProperties: false },
);
/** A data message sent by the server itself (RoomService.SendData), to this bridge's own endpoints. */
export type Message = Static<typeof MessageSchema>;

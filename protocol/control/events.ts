/**
 * What a bridge tells a focus, on one stream per focus: newline-delimited JSON over `GET /v1/events`. It opens with `hello`, then
 * one `endpoint` event per endpoint it has and one `needed-layers` event per video source (so a focus that reconnects is whole again), then changes as they happen. A line
 * comes at least every 2 s (`report`), and from a bridge whose report has `heartbeatMs` at least that often (`alive`); a stream silent for 5 s is dead.
 */
import { type Static, Type } from 'typebox';
import { BridgePeerSchema } from './spec.ts';

export const LoadSchema = Type.Object({
  stress: Type.Number({ description: '0 is idle, 1 is full: the largest of the shares the bridge measures' }),
  endpoints: Type.Integer(),
  conferences: Type.Integer(),
  sources: Type.Integer(),
  cpu: Type.Number({
    description: 'share of one core, 0-1: what the bridge used, and what the hypervisor gave to others (steal)',
  }),
  packetsPerSecond: Type.Number({ description: 'in and out, links included' }),
  bitrateInBps: Type.Number(),
  bitrateOutBps: Type.Number(),
  eventLoopDelayMs: Type.Optional(
    Type.Number({ description: 'how late the event loop runs its timers, the median of the last seconds' }),
  ),
  scarcest: Type.Optional(
    Type.String({ maxLength: 32, description: 'the resource whose share the stress is, e.g. cpu or packets' }),
  ),
  unsettledEndpoints: Type.Optional(
    Type.Number({
      minimum: 0,
      description:
        'endpoints put here in the last 20 s, each counted by the part of that time still to come: load that the measures do not show yet',
    }),
  ),
  joinsLastMinute: Type.Optional(Type.Integer({ minimum: 0, description: 'endpoints put here in the last minute' })),
});
export type Load = Static<typeof LoadSchema>;

export const ProtocolsSchema = Type.Object({
  control: Type.Integer({ minimum: 1, description: 'version of this API and its documents' }),
  octo: Type.Integer({ minimum: 1, description: 'version of the frames between bridges' }),
});
/** What a bridge speaks. Bridges of different Octo versions have no link; see focus/bridges/README.md. */
export type Protocols = Static<typeof ProtocolsSchema>;
/** What a bridge that does not say speaks: the versions before there was a second one. */
export const FIRST_PROTOCOLS: Protocols = { control: 1, octo: 2 };
/** Of the control API: grows when a focus and a bridge of the two versions would misunderstand each other. New optional fields are no new version. */
export const CONTROL_VERSION = 1;

export const DRAIN_SECONDS_MAX = 86_400;
export const DrainReportSchema = Type.Object({
  mode: Type.Union([Type.Literal('move'), Type.Literal('wait')], {
    description: 'move: its participants are moved to other bridges; wait: they stay until they leave',
  }),
  by: Type.String({ maxLength: 64, description: 'who asked for it: a service, an API key, or signal' }),
  forMs: Type.Number({ minimum: 0, description: 'since it began' }),
  deadlineInMs: Type.Union([Type.Number(), Type.Null()], {
    description:
      'until all are to be gone, negative when that is past; null: no deadline. Not a point in time: clocks differ',
  }),
  exit: Type.Boolean({ description: 'the process ends when it is empty, and at the deadline' }),
  endpointsAtStart: Type.Integer({ minimum: 0 }),
});
/** A bridge's own word on how it is being emptied: every focus reads it in the report and moves its own participants. */
export type DrainReport = Static<typeof DrainReportSchema>;

/** What `PUT /v1/bridge/state` takes. Undone by `running`; whoever was moved stays where it is. */
export const BridgeStateSchema = Type.Object(
  {
    state: Type.Union([Type.Literal('running'), Type.Literal('draining')]),
    mode: Type.Optional(DrainReportSchema.properties.mode),
    deadlineSeconds: Type.Optional(Type.Integer({ minimum: 1, maximum: DRAIN_SECONDS_MAX })),
    exit: Type.Optional(DrainReportSchema.properties.exit),
    by: Type.Optional(DrainReportSchema.properties.by),
  },
  { additionalProperties: false },
);
export type BridgeState = Static<typeof BridgeStateSchema>;

export const BridgeReportSchema = Type.Object({
  peer: BridgePeerSchema,
  host: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 255,
      description: 'name of the machine: bridges that say the same one are neighbours; absent: nothing is known of it',
    }),
  ),
  bootId: Type.String({ maxLength: 64, description: 'random, new at each start of the process' }),
  version: Type.String({ maxLength: 64, description: 'of the software' }),
  upMs: Type.Optional(Type.Number({ minimum: 0, description: 'since the bridge began to serve' })),
  controlUrl: Type.String({ maxLength: 256, description: 'where a focus reaches this bridge: http://host:port' }),
  state: Type.Union([Type.Literal('running'), Type.Literal('draining')]),
  heartbeatMs: Type.Optional(
    Type.Integer({
      minimum: 10,
      maximum: 60_000,
      description: 'a line comes on the event stream at least this often; absent: with each report',
    }),
  ),
  protocols: Type.Optional(ProtocolsSchema),
  drain: Type.Optional(DrainReportSchema),
  load: LoadSchema,
});
/** What a bridge says of itself: sent to the focus (`PUT /v1/bridges/:bridgeId`) every 2 s, and as `report` on the stream. */
export type BridgeReport = Static<typeof BridgeReportSchema>;

/** LiveKit's ConnectionQuality, in words. */
export type Quality = 'excellent' | 'good' | 'poor' | 'lost';

export interface SpeakerLevel {
  readonly endpointId: string;
  /** 0 (silent) to 1 (loud), linear in amplitude, as LiveKit's SpeakerInfo.level. */
  readonly level: number;
  readonly active: boolean;
}

export type BridgeEvent =
  | { readonly kind: 'hello'; readonly report: BridgeReport }
  | { readonly kind: 'report'; readonly report: BridgeReport }
  /** Nothing but a line: the bridge runs. */
  | { readonly kind: 'alive' }
  | {
      /** What this bridge hears from another one, over a link that was up before. Sent on change, and for all links to a focus that has just connected. `gone`: no conference needs the link any more. */
      readonly kind: 'link';
      readonly bridgeId: string;
      readonly state: 'heard' | 'silent' | 'gone';
    }
  | {
      /** `connected`: ICE and DTLS are up. `gone`: silent for 30 s, or closed by the client; its media has ended. `failed`: never came up, `reason` says why. */
      readonly kind: 'endpoint';
      readonly conferenceId: string;
      readonly endpointId: string;
      readonly state: 'new' | 'connected' | 'gone' | 'failed';
      readonly reason: string;
    }
  | {
      /** All speakers above the threshold in this conference, loudest first: the dominant speaker is first. Sent on change, at most every 300 ms. */
      readonly kind: 'speakers';
      readonly conferenceId: string;
      readonly speakers: readonly SpeakerLevel[];
    }
  | {
      /** Every 2 s, for each endpoint of this bridge. RTT in ms between bridge and client, null until it is measured. */
      readonly kind: 'quality';
      readonly conferenceId: string;
      readonly endpoints: readonly {
        readonly endpointId: string;
        readonly quality: Quality;
        /** Mean opinion score estimate, 1 to 5. */
        readonly score: number;
        readonly rttMs: number | null;
        readonly lossUp: number;
        readonly lossDown: number;
      }[];
      /** Round trip to each other bridge of this conference. */
      readonly links: readonly { readonly bridgeId: string; readonly rttMs: number | null; readonly state: string }[];
    }
  | {
      /**
       * Layers of a video source of this bridge that anybody in the mesh needs; bit n is layer n, from the smallest up. State: sent when it changes, when a source is new,
       * and for all sources to a focus that has just connected.
       */
      readonly kind: 'needed-layers';
      readonly conferenceId: string;
      readonly endpointId: string;
      readonly sourceId: number;
      readonly layers: number;
    }
  | {
      /**
       * SSRCs of one endpoint that its document does not name, as the client's first packets have shown them. State: sent when there is another one, and of all endpoints to a
       * focus that has just connected. Another bridge cannot learn them, should the endpoint move there.
       */
      readonly kind: 'streams';
      readonly conferenceId: string;
      readonly endpointId: string;
      readonly streams: readonly {
        readonly sourceId: number;
        readonly layer: number;
        readonly ssrc: number;
        readonly isRtx: boolean;
      }[];
    }
  | {
      /** A source's first packet arrived at its own bridge. */
      readonly kind: 'source';
      readonly conferenceId: string;
      readonly endpointId: string;
      readonly sourceId: number;
      readonly codec: string;
    };

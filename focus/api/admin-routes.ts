/** The admin API: what this focus knows, for people and scripts. Read-only; the schemas are what OpenAPI shows. */
import type { FastifyInstance } from 'fastify';
import { type Static, Type } from 'typebox';
import { FIRST_PROTOCOLS, LoadSchema, ProtocolsSchema } from '../../protocol/control/events.ts';
import type { Health } from '../bridges/bridge-health.ts';
import type { FocusConfig } from '../config.ts';
import { FocusError } from '../errors.ts';
import type { BridgeHealthView } from '../io/bridge-health-watch.ts';
import type { BridgeRecord, Store } from '../store/store.ts';
import { type AdminScope, adminScope, includesRoom } from './admin-access.ts';
import type { FocusNetwork } from './focus-routes.ts';
import type { TokenKeys } from './token-keys.ts';

export interface AdminOptions {
  readonly config: Pick<FocusConfig, 'control' | 'placement'>;
  readonly keys: TokenKeys;
  readonly network: FocusNetwork;
  readonly store: Store;
  readonly health: BridgeHealthView;
  readonly nowMs: () => number;
}

const HealthSchema = Type.Object(
  {
    state: Type.String({ description: 'up, suspected: nobody new is placed there, or down' }),
    rule: Type.String({ description: 'see focus/bridges/README.md' }),
    sinceMs: Type.Number({ description: 'ms since the epoch: since when it is in that state' }),
    signs: Type.Object({
      stream: Type.String(),
      probe: Type.String(),
      links: Type.String(),
      reports: Type.String(),
      others: Type.String(),
      neighbours: Type.Record(Type.String(), Type.String()),
    }),
  },
  {
    description:
      'whether this focus takes it for alive, and by which signs; absent while it does not follow the bridge',
  },
);

const BridgeSchema = Type.Object({
  bridgeId: Type.String(),
  region: Type.String(),
  state: Type.Union([Type.Literal('running'), Type.Literal('draining'), Type.Literal('silent')], {
    description: 'silent: its last report is too old for it to be placed on',
  }),
  version: Type.String(),
  bootId: Type.String(),
  controlUrl: Type.String(),
  reportAgeMs: Type.Number(),
  placedSinceReport: Type.Integer({ description: 'endpoints placed there that the load does not know of yet' }),
  health: Type.Optional(HealthSchema),
  protocols: ProtocolsSchema,
  load: LoadSchema,
});

const PlacementSchema = Type.Object({
  sid: Type.String(),
  identity: Type.String(),
  room: Type.String(),
  move: Type.Optional(
    Type.Object(
      { from: Type.String(), cause: Type.String() },
      { description: 'it was moved there from another bridge' },
    ),
  ),
  placement: Type.Object({
    bridgeId: Type.Union([Type.String(), Type.Null()]),
    rule: Type.String({ description: 'see focus/placement/README.md; no-bridge: none could be used' }),
    bridgeRegion: Type.Union([Type.String(), Type.Null()]),
    stress: Type.Union([Type.Number(), Type.Null()], { description: 'of that bridge, as reckoned before this one' }),
    policy: Type.Object({ kind: Type.String(), sort_by: Type.String(), algorithm: Type.String() }),
    policyFrom: Type.String({ description: 'configuration, override by metadata, or override by API' }),
    service: Type.Optional(Type.String({ description: 'what came of asking the external service of kind http' })),
    region: Type.String({ description: "the client's" }),
    placedFor: Type.String({ description: 'the region placed for: its own, or the nearest with a usable bridge' }),
    roundTrips: Type.Optional(
      Type.Array(Type.Object({ region: Type.String(), isExtraBridge: Type.Boolean(), rttMs: Type.Number() }), {
        description: 'kind latency: the best places by their estimated mean round trip between people',
      }),
    ),
    sticky: Type.Optional(
      Type.Object({
        bridgeId: Type.String({ description: "the bridge that the client's refreshed token names" }),
        ignored: Type.Optional(
          Type.String({ description: 'why it is not on it again; see focus/placement/README.md' }),
        ),
      }),
    ),
    considered: Type.Integer({ description: 'bridges that the rules looked at; candidates has at most 100 of them' }),
    candidates: Type.Array(
      Type.Object({
        bridgeId: Type.String(),
        region: Type.String(),
        host: Type.Optional(Type.String({ description: 'machine it runs on; absent when it does not say' })),
        stress: Type.Number(),
        inConference: Type.Integer(),
        reportedStress: Type.Number({ description: 'what the bridge said; stress adds what it could not know of yet' }),
        scarcest: Type.Optional(Type.String({ description: 'the resource that made it that' })),
        unseenEndpoints: Type.Number({ description: 'endpoints that the reported stress does not show yet' }),
        joinsLastMinute: Type.Integer(),
        measure: Type.Optional(Type.Number({ description: 'what sort_by compares, least first' })),
        rejectedBy: Type.Optional(Type.String({ description: 'the filter that took it out' })),
        lacks: Type.Optional(Type.String({ description: 'why it has no room' })),
      }),
    ),
    at: Type.Number({ description: 'ms since the epoch' }),
  }),
});

const RoomSchema = Type.Object({
  name: Type.String(),
  sid: Type.String(),
  conferenceId: Type.Union([Type.String(), Type.Null()]),
  createdAtMs: Type.Number(),
  participants: Type.Array(
    Type.Object({
      identity: Type.String(),
      sid: Type.String(),
      endpointId: Type.String(),
      region: Type.String(),
      bridge: Type.String(),
      state: Type.String(),
      forwardedFrom: Type.Optional(Type.String({ description: 'the room of which it is forwarded here' })),
    }),
  ),
});

const route = (summary: string, answer: ReturnType<typeof Type.Object>) => ({
  schema: { tags: ['admin'], security: [{ bearer: [] }], summary, response: { 200: answer } },
});

/** Adds `/v1/bridges`, `/v1/bridge-health`, `/v1/placements`, `/v1/placements/:participant` and `/v1/rooms`. */
export function registerAdminRoutes(app: FastifyInstance, options: AdminOptions): void {
  const { config, network, store, health, nowMs } = options;
  const visible = (scope: AdminScope) => (entry: { readonly room: string }) => includesRoom(scope, entry.room);

  const bridgesRoute = route('Bridges known to this network', Type.Object({ bridges: Type.Array(BridgeSchema) }));
  app.get('/v1/bridges', bridgesRoute, async request => {
    await adminScope(options, request, nowMs());
    const records = await store.bridges();
    const { report_age_ms_max: ageMsMax } = config.placement;
    return {
      bridges: records.map(record => describeBridge(record, nowMs(), ageMsMax, health.health(record.bridgeId))),
    };
  });

  const healthRoute = route(
    'What became of bridges: the last 200 changes of their health as this focus saw them, newest first',
    Type.Object({
      changes: Type.Array(
        Type.Object({
          ...HealthSchema.properties,
          bridgeId: Type.String(),
          bootId: Type.String(),
          before: Type.String(),
          unheardMs: Type.Number({ description: 'from the last word of the bridge to this change' }),
        }),
      ),
    }),
  );
  app.get('/v1/bridge-health', healthRoute, async request => {
    await adminScope(options, request, nowMs());
    return { changes: health.changes() };
  });

  const placementsRoute = route(
    'Why participants are where they are: of each focus the last 100 placements, of this one the last 1000, newest first',
    Type.Object({
      placements: Type.Array(PlacementSchema),
      silent: Type.Array(Type.String(), { description: 'focuses that did not answer: their placements are missing' }),
    }),
  );
  app.get('/v1/placements', placementsRoute, async request => {
    const scope = await adminScope(options, request, nowMs());
    const { placements, silent } = await network.placements();
    return { placements: placements.filter(visible(scope)), silent };
  });

  const placementRoute = route('Why one participant, by SID or identity, is where it is', PlacementSchema);
  app.get<{ Params: { participant: string } }>('/v1/placements/:participant', placementRoute, async request => {
    const scope = await adminScope(options, request, nowMs());
    const { found, silent } = await network.explain(request.params.participant);
    // An identity may be in several rooms, of which the caller may see one: the newest visible is meant.
    const explanation = found.find(visible(scope));
    if (explanation !== undefined) return explanation;
    if (silent.length > 0) throw new FocusError('focus-unavailable', silent.join(', '));
    throw new FocusError('placement-not-found');
  });

  const roomsRoute = route(
    'Rooms of all focuses with their participants',
    Type.Object({
      rooms: Type.Array(RoomSchema),
      silent: Type.Array(Type.String(), { description: 'focuses that did not answer: their rooms are missing' }),
    }),
  );
  app.get('/v1/rooms', roomsRoute, async request => {
    const scope = await adminScope(options, request, nowMs());
    const { rooms, silent } = await network.summaries();
    return { rooms: rooms.filter(({ name }) => includesRoom(scope, name)), silent };
  });
}

function describeBridge(
  record: BridgeRecord,
  nowMs: number,
  reportAgeMsMax: number,
  health: Health | undefined,
): Static<typeof BridgeSchema> {
  const { bridgeId, report, reportedAtMs, placedSinceReport } = record;
  const reportAgeMs = nowMs - reportedAtMs;
  return {
    bridgeId,
    region: report.peer.region,
    state: reportAgeMs >= reportAgeMsMax ? 'silent' : report.state,
    version: report.version,
    bootId: report.bootId,
    controlUrl: report.controlUrl,
    reportAgeMs,
    placedSinceReport,
    ...(health === undefined ? {} : { health }),
    protocols: report.protocols ?? FIRST_PROTOCOLS,
    load: report.load,
  };
}

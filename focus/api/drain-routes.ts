/** Draining bridges and regions: by order of an operator, with a deadline, progress, and undo. The bridge keeps the order and reports it; focuses act on it. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import { type BridgeReport, BridgeReportSchema, BridgeStateSchema } from '../../protocol/control/events.ts';
import type { BridgeId } from '../../protocol/ids.ts';
import type { DrainProgress } from '../bridges/drains.ts';
import { FocusError } from '../errors.ts';
import type { BridgeWatch } from '../io/bridge-watch.ts';
import { type AdminAccess, adminScope, operatorAccess } from './admin-access.ts';
import type { AskBridge } from './bridge-control-routes.ts';

export interface DrainOptions extends AdminAccess {
  readonly askBridge: AskBridge;
  readonly bridges: Pick<BridgeWatch, 'report' | 'bridge' | 'bridges'>;
  /** Of all focuses together; bridges that have not been drained lately are not in it. */
  readonly drainProgress: (bridgeIds: readonly BridgeId[]) => Promise<ReadonlyMap<string, DrainProgress>>;
  readonly nowMs: () => number;
}

const { state, mode, deadlineSeconds, exit } = BridgeStateSchema.properties;
const OrderSchema = Type.Object({ state, mode, deadlineSeconds, exit }, { additionalProperties: false });
type Order = Static<typeof OrderSchema>;

const StateSchema = Type.Object({
  bridgeId: Type.String(),
  region: Type.String(),
  state,
  endpoints: Type.Integer({ description: 'still there; a client with two PeerConnections has two' }),
  drain: Type.Union([
    Type.Null(),
    Type.Object({
      mode: Type.String(),
      by: Type.String(),
      exit: Type.Boolean({ description: 'its process ends when it is empty, and at the deadline' }),
      forSeconds: Type.Number(),
      deadlineInSeconds: Type.Union([Type.Number(), Type.Null()]),
      endpointsAtStart: Type.Integer(),
    }),
  ]),
  progress: Type.Union(
    [
      Type.Null(),
      Type.Object({
        left: Type.Integer(),
        moving: Type.Integer(),
        moved: Type.Integer(),
        failed: Type.Integer({ description: 'moves that came to nothing; they are tried again' }),
        lastFailure: Type.Union([Type.String(), Type.Null()]),
      }),
    ],
    { description: 'of the participants of all focuses that answer; null when it has not been drained lately' },
  ),
});
type State = Static<typeof StateSchema>;

const RegionSchema = Type.Object({
  region: Type.String(),
  bridges: Type.Array(StateSchema),
  silent: Type.Array(Type.String(), { description: 'bridges that did not take the order' }),
});

/** Adds GET and PUT of `/v1/bridges/:bridgeId/state` and `/v1/regions/:region/state`. */
export function registerDrainRoutes(app: FastifyInstance, options: DrainOptions): void {
  const { askBridge, bridges, nowMs } = options;
  const callers = new WeakMap<FastifyRequest, string>();
  const read = (summary: string, answer: ReturnType<typeof Type.Object>) => ({
    schema: { tags: ['admin'], security: [{ bearer: [] }], summary, response: { 200: answer } },
    preValidation: async (request: FastifyRequest) => {
      const scope = await adminScope(options, request, nowMs());
      if (scope.kind !== 'all') throw new FocusError('permission-denied');
    },
  });
  const write = (summary: string, answer: ReturnType<typeof Type.Object>) => ({
    schema: { tags: ['admin'], security: [{ bearer: [] }], summary, body: OrderSchema, response: { 200: answer } },
    preValidation: async (request: FastifyRequest) => {
      callers.set(request, await operatorAccess(options, request, nowMs()));
    },
  });

  type OfBridge = { Params: { bridgeId: BridgeId }; Body: Order };
  app.get<OfBridge>('/v1/bridges/:bridgeId/state', read('How far a drain is', StateSchema), async request => {
    const bridge = bridges.bridge(request.params.bridgeId);
    if (bridge === undefined) throw new FocusError('bridge-not-found', request.params.bridgeId);
    const [state] = await describe([{ report: bridge.report, ageMs: nowMs() - bridge.reportedAtMs }]);
    return state!;
  });
  app.put<OfBridge>(
    '/v1/bridges/:bridgeId/state',
    write('Drain a bridge: nobody new, those there are moved, or wait; running undoes it', StateSchema),
    async request => {
      const report = await order(request.params.bridgeId, request.body, callers.get(request)!);
      const [state] = await describe([{ report, ageMs: 0 }]);
      return state!;
    },
  );

  type OfRegion = { Params: { region: string }; Body: Order };
  app.get<OfRegion>(
    '/v1/regions/:region/state',
    read('How far the drain of a region is', RegionSchema),
    async request => {
      const { region } = request.params;
      const known = bridgesOf(region).map(({ report, reportedAtMs }) => ({ report, ageMs: nowMs() - reportedAtMs }));
      return { region, bridges: await describe(known), silent: [] };
    },
  );
  app.put<OfRegion>(
    '/v1/regions/:region/state',
    write('Drain all bridges that a region has now, or undo that', RegionSchema),
    async request => {
      const { region } = request.params;
      const names = bridgesOf(region).map(({ bridgeId }) => bridgeId);
      const by = callers.get(request)!;
      const reports = await Promise.allSettled(names.map(bridgeId => order(bridgeId, request.body, by)));
      const refusal = reports.find(result => result.status === 'rejected' && isRefusal(result.reason));
      if (refusal?.status === 'rejected') throw refusal.reason;
      return {
        region,
        bridges: await describe(
          reports.flatMap(result => (result.status === 'fulfilled' ? [{ report: result.value, ageMs: 0 }] : [])),
        ),
        silent: names.filter((_, index) => reports[index]!.status === 'rejected'),
      };
    },
  );

  function bridgesOf(region: string) {
    const found = bridges.bridges().filter(({ report }) => report.peer.region === region);
    if (found.length === 0) throw new FocusError('bridge-not-found', `the region ${region} has none`);
    return found;
  }

  async function order(bridgeId: BridgeId, body: Order, by: string): Promise<BridgeReport> {
    const document = body.state === 'running' ? body : { ...body, by };
    const answer = await askBridge(bridgeId, 'PUT', '/v1/bridge/state', document).catch(() => {
      throw new FocusError('bridge-unavailable', bridgeId);
    });
    if (answer === undefined) throw new FocusError('bridge-not-found', bridgeId);
    if (answer.status === 400) throw new FocusError('invalid-request', messageOf(answer.body));
    if (!Value.Check(BridgeReportSchema, answer.body)) {
      throw new FocusError('bridge-unavailable', `${bridgeId} answered with ${answer.status}`);
    }
    // Its next report may be two seconds away; placement is to know now.
    await bridges.report(answer.body);
    return answer.body;
  }

  async function describe(known: readonly { readonly report: BridgeReport; readonly ageMs: number }[]) {
    const progress = await options.drainProgress(known.map(({ report }) => report.peer.bridgeId as BridgeId));
    return known.map(({ report, ageMs }) => stateOf(report, ageMs, progress.get(report.peer.bridgeId)));
  }
}

function stateOf(report: BridgeReport, ageMs: number, progress: DrainProgress | undefined): State {
  const { peer, drain, load } = report;
  return {
    bridgeId: peer.bridgeId,
    region: peer.region,
    state: report.state,
    endpoints: load.endpoints,
    drain:
      drain === undefined
        ? null
        : {
            mode: drain.mode,
            by: drain.by,
            exit: drain.exit,
            forSeconds: Math.round((drain.forMs + ageMs) / 1_000),
            deadlineInSeconds: drain.deadlineInMs === null ? null : Math.round((drain.deadlineInMs - ageMs) / 1_000),
            endpointsAtStart: drain.endpointsAtStart,
          },
    progress: progress ?? null,
  };
}

/** The order itself was wrong: the same for every bridge. */
function isRefusal(error: unknown): boolean {
  return error instanceof FocusError && error.code === 'invalid-request';
}

function messageOf(body: unknown): string {
  const { error } = (body ?? {}) as { error?: { message?: string } };
  return error?.message ?? 'the bridge refused it';
}

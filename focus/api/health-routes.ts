/** For load balancers and monitoring, without a token: alive, ready, metrics. */
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import type { FocusConfig } from '../config.ts';
import type { FocusMetrics } from '../metrics.ts';
import type { Store } from '../store/store.ts';
import type { FocusNetwork } from './focus-routes.ts';

export interface HealthOptions {
  readonly config: Pick<FocusConfig, 'placement'>;
  readonly store: Store;
  readonly metrics: FocusMetrics;
  /** It gives its rooms to others and takes no clients. */
  readonly network: Pick<FocusNetwork, 'isDraining'>;
  readonly nowMs: () => number;
}

/** Load balancers wait a second or two; a store that takes longer is away. */
const STORE_TIMEOUT_MS = 1_000;

const HealthSchema = Type.Object({ status: Type.Literal('ok') });
const ReadinessSchema = Type.Object({
  ready: Type.Boolean(),
  problems: Type.Array(Type.String(), { description: 'why it is not ready; empty when it is' }),
});

/**
 * Adds `/healthz`, `/readyz` and `/metrics`. Liveness asks nobody: a focus that is restarted because the store is away takes its
 * clients' sockets down with it. Readiness asks the store, and for a bridge to place on.
 */
export function registerHealthRoutes(app: FastifyInstance, options: HealthOptions): void {
  const { store, metrics } = options;
  const health = { tags: ['health'], summary: 'The process works', response: { 200: HealthSchema } };
  app.get('/healthz', { schema: health }, async () => ({ status: 'ok' as const }));

  const readiness = {
    tags: ['health'],
    summary: 'Joins can be served: the store answers and there is a bridge',
    response: { 200: ReadinessSchema, 503: ReadinessSchema },
  };
  app.get('/readyz', { schema: readiness }, async (_request, reply) => {
    const problems = await findProblems(options);
    return reply.code(problems.length === 0 ? 200 : 503).send({ ready: problems.length === 0, problems });
  });

  app.get('/metrics', { schema: { tags: ['health'], summary: 'Prometheus metrics' } }, async (_request, reply) =>
    reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
  );

  async function findProblems({ config, network, nowMs }: HealthOptions): Promise<string[]> {
    if (network.isDraining()) return ['this focus is draining'];
    try {
      await within(store.ping(), STORE_TIMEOUT_MS);
      const bridges = await within(store.bridges(), STORE_TIMEOUT_MS);
      const ageMsMax = config.placement.report_age_ms_max;
      const isAnyFresh = bridges.some(bridge => nowMs() - bridge.reportedAtMs < ageMsMax);
      return isAnyFresh ? [] : ['no bridge has reported lately'];
    } catch {
      return ['the store does not answer'];
    }
  }
}

async function within<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error('timed out')), timeoutMs);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}

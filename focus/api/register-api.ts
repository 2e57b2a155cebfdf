/** Everything a focus answers over plain HTTP, apart from signalling and pages. */
import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import { registerBridgeRoutes } from '../bridges/bridge-routes.ts';
import type { NetworkRooms } from '../conference/rooms.ts';
import type { FocusConfig } from '../config.ts';
import { asFocusError, errorBody } from '../errors.ts';
import type { BridgeHealthView } from '../io/bridge-health-watch.ts';
import type { BridgeWatch } from '../io/bridge-watch.ts';
import type { Limits } from '../limits/limits.ts';
import type { FocusMetrics } from '../metrics.ts';
import type { Placements } from '../placement/placement.ts';
import type { Store } from '../store/store.ts';
import { registerAdminRoutes } from './admin-routes.ts';
import { type AskBridge, registerBridgeControlRoutes } from './bridge-control-routes.ts';
import { type FocusNetwork, registerFocusRoutes } from './focus-routes.ts';
import { type DrainOptions, registerDrainRoutes } from './drain-routes.ts';
import { registerHealthRoutes } from './health-routes.ts';
import { type MoveOptions, registerMoveRoutes } from './move-routes.ts';
import type { TokenKeys } from './token-keys.ts';
import { registerTwirpRoutes } from './twirp-routes.ts';

export interface ApiOptions {
  readonly config: Pick<FocusConfig, 'control' | 'limit' | 'placement'>;
  readonly keys: TokenKeys;
  readonly rooms: NetworkRooms;
  readonly network: FocusNetwork;
  readonly limits: Limits;
  readonly store: Store;
  readonly placements: Placements;
  readonly bridges: BridgeWatch;
  readonly health: BridgeHealthView;
  readonly drainProgress: DrainOptions['drainProgress'];
  readonly askBridge: AskBridge;
  readonly moveParticipant: MoveOptions['moveParticipant'];
  readonly metrics: FocusMetrics;
  /** Milliseconds since the epoch: the store's clock. */
  readonly nowMs: () => number;
  /** Of the software, for the OpenAPI document. */
  readonly version: string;
}

/**
 * Adds the server API (Twirp), the admin API, bridge registration, health and metrics, and `/v1/openapi.json`. Call it before adding
 * other routes: those that carry a tag are then in the OpenAPI document too. Error handlers stay inside.
 */
export async function registerApi(app: FastifyInstance, options: ApiOptions): Promise<void> {
  await app.register(swagger, { hideUntagged: true, openapi: openApi(options.version) });
  await app.register(async scope => registerTwirpRoutes(scope, options));
  await app.register(async scope => {
    scope.setErrorHandler((error, request, reply) => {
      const { code, status } = asFocusError(error);
      if (code === 'internal') request.log.error({ err: error }, 'an API request failed');
      return reply.code(status).send(errorBody(error));
    });
    registerBridgeRoutes(scope, { controlSecret: options.config.control.secret, bridges: options.bridges });
    registerAdminRoutes(scope, options);
    registerBridgeControlRoutes(scope, options);
    registerDrainRoutes(scope, options);
    registerMoveRoutes(scope, options);
    registerFocusRoutes(scope, options);
    registerHealthRoutes(scope, options);
    scope.get('/v1/openapi.json', async () => app.swagger());
  });
}

function openApi(version: string) {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Causeway focus',
      version,
      description:
        "The focus's own HTTP API. LiveKit's server API (Twirp, /twirp/livekit.RoomService) is described by LiveKit. " +
        'Errors have the form { error: { code, message } }.',
    },
    components: { securitySchemes: { bearer: { type: 'http' as const, scheme: 'bearer', bearerFormat: 'JWT' } } },
  };
}

/** A focus's HTTP API on loopback, with rooms that record what they are asked. For tests. */
import { Room } from '@livekit/protocol';
import fastify, { type FastifyInstance } from 'fastify';
import { AccessToken, type VideoGrant } from 'livekit-server-sdk';
import type { Answer, Rooms } from '../conference/rooms.ts';
import { readFocusConfig } from '../config.ts';
import { watchBridges } from '../io/bridge-watch.ts';
import { Limits } from '../limits/limits.ts';
import { createFocusMetrics } from '../metrics.ts';
import { createPlacements } from '../placement/placements.ts';
import { createRegionDistances } from '../placement/region-distance.ts';
import { createMemoryStore } from '../store/memory-store.ts';
import type { Store } from '../store/store.ts';
import type { MoveAnswer, MoveOrder } from './move-routes.ts';
import { registerApi } from './register-api.ts';
import { secretKeys } from './token-keys.ts';

export const API_KEY = 'devkey';
export const API_SECRET = 'secret';
export const CONTROL_SECRET = 'a-control-secret-of-32-characters-or-more';

/** What rooms were asked, in order: the method and its arguments. */
export type Call = readonly [method: string, ...args: unknown[]];

/** Rooms that answer `answers[method]` (called, if it is a function; without one "room-not-found") and record the call. */
export function fakeRooms(answers: Partial<Record<keyof Rooms, unknown>>): { rooms: Rooms; calls: Call[] } {
  const calls: Call[] = [];
  const rooms = new Proxy({} as Rooms, {
    get(_target, name) {
      const method = name as keyof Rooms;
      return (...args: unknown[]) => {
        calls.push([method, ...args]);
        const refusal: Answer<never> = { ok: false, refusal: 'room-not-found', message: '' };
        const answer = method in answers ? answers[method] : refusal;
        return typeof answer === 'function' ? answer() : answer;
      };
    },
  });
  return { rooms, calls };
}

export const accepted = <T>(value: T): Answer<T> => ({ ok: true, value });
export const sampleRoom = () => new Room({ sid: 'RM_1', name: 'talk', numParticipants: 2 });

export interface RunningApi {
  readonly app: FastifyInstance;
  readonly url: string;
  readonly store: Store;
  readonly placements: ReturnType<typeof createPlacements>;
  readonly metrics: ReturnType<typeof createFocusMetrics>;
  /** What the bridge listener heard: `up b1`, `down b1 silent`. */
  readonly heard: string[];
}

/** Listens on a free port of loopback; `store` may replace the memory store. */
export async function startApi(
  rooms: Rooms,
  replacement?: Partial<Store>,
  moves: { readonly answer: (order: MoveOrder) => MoveAnswer } = { answer: () => ({ kind: 'not-found' }) },
): Promise<RunningApi> {
  const config = readFocusConfig({
    env: {},
    flags: { development: true, 'control.secret': CONTROL_SECRET, 'limit.max_api_request_body_size': 65_536 },
  });
  const store = { ...createMemoryStore(Date.now, Math.random), ...replacement };
  const metrics = createFocusMetrics();
  const heard: string[] = [];
  const listener = {
    bridgeUp: ({ bridgeId }: { bridgeId: string }) => heard.push(`up ${bridgeId}`),
    bridgeDown: ({ bridgeId }: { bridgeId: string }, reason: string) => heard.push(`down ${bridgeId} ${reason}`),
  };
  const bridges = watchBridges({ store, metrics, listener, nowMs: Date.now });
  const distances = createRegionDistances([]);
  const settings = config.placement;
  const placements = createPlacements({ store, metrics, distances, focusId: 'focus-1', settings, uint32: () => 1 });
  const app = fastify();
  app.addHook('onClose', async () => bridges.close());
  const keys = secretKeys(config.keys);
  const unlimited = { joinsPerSecondPerAddress: 0, joinsPerSecondPerKey: 0, roomsPerKey: 0, participantsPerKey: 0 };
  const limits = new Limits({ settings: { joinsPerSecond: 1, ...unlimited }, metrics, nowMs: 0 });
  await registerApi(app, {
    config,
    keys,
    limits,
    askBridge: async () => undefined,
    drainProgress: async () => new Map(),
    redistribution: () => ({ isEnabled: false, states: [], decisions: [] }),
    health: { health: () => undefined, isSuspected: () => false, isVouchedFor: () => false, changes: () => [] },
    moveParticipant: async order => moves.answer(order),
    rooms,
    network: {
      focuses: async () => ({ focuses: [], silent: [] }),
      setState: async () => false,
      isDraining: () => false,
      isHome: () => true,
      placements: async () => ({ placements: placements.explanations(), silent: [] }),
      summaries: async () => ({ rooms: rooms.summaries(), silent: [] }),
      explain: async who => ({
        found: placements.explanations().filter(({ sid, identity }) => sid === who || identity === who),
        silent: [],
      }),
    },
    store,
    placements,
    bridges,
    metrics,
    nowMs: Date.now,
    version: '0.1.0',
  });
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  return { app, url, store, placements, metrics, heard };
}

/** A token of the development key with that grant, as LiveKit's own SDK makes them. */
export async function token(grant: VideoGrant, secret = API_SECRET): Promise<string> {
  const accessToken = new AccessToken(API_KEY, secret, { identity: 'operator', ttl: 600 });
  accessToken.addGrant(grant);
  return accessToken.toJwt();
}

/** The store that the configuration asks for: Redis when it has an address, else memory. */
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Random } from '../conference/random.ts';
import type { FocusConfig } from '../config.ts';
import { createMemoryStore } from '../store/memory-store.ts';
import { type OpenStore, openRedisStore } from '../store/redis/io/open-redis-store.ts';
import { redisTarget } from '../store/redis/redis-config.ts';

export interface StoreSurroundings {
  readonly registry: Registry;
  readonly log: Logger;
  readonly random: Random;
  readonly nowMs: () => number;
}

/** Rejects when a file of `redis.tls` cannot be read; not when the store is away: the focus is not ready then, and is as soon as it is back. */
export async function openStore(
  { redis, focus_id: focusId }: Pick<FocusConfig, 'redis' | 'focus_id'>,
  { registry, log, random: { uint32 }, nowMs }: StoreSurroundings,
): Promise<OpenStore> {
  const random = () => uint32() / 0x1_0000_0000;
  const target = redisTarget(redis, focusId);
  if (target === undefined) return { store: createMemoryStore(nowMs, random), close: async () => {} };
  return openRedisStore({ target, focusId, registry, log, nowMs, random });
}

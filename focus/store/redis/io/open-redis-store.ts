/** A store in Redis, connected and kept up: the timer of its upkeep, its metrics, its log lines. */
import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Store } from '../../store.ts';
import type { Patience, StoreCounts } from '../redis-commands.ts';
import type { RedisTarget } from '../redis-config.ts';
import { createRedisStore } from '../redis-store.ts';
import { createStoreMetrics, type StoreMetrics } from '../store-metrics.ts';
import { UPKEEP_INTERVAL_MS } from '../upkeep.ts';
import { createRedisClient } from './redis-client.ts';

export interface OpenRedisStoreOptions {
  readonly target: RedisTarget;
  readonly focusId: string;
  readonly registry: Registry;
  readonly log: Logger;
  readonly nowMs: () => number;
  /** In [0, 1). */
  readonly random: () => number;
}

export interface OpenStore {
  readonly store: Store;
  /** Ends upkeep and connection. What the focus had stays until its lease is over; `releaseOwner` before it leaves nothing. */
  close(): Promise<void>;
}

/** The same trouble, of which an outage makes many, is logged no more often. */
const TROUBLE_INTERVAL_MS = 5_000;

/**
 * Resolves once the store answers, or after `dialTimeoutMs` without it: a focus starts without its store, is not ready, and is as soon as
 * the store is there. Rejects when a TLS file cannot be read.
 */
export async function openRedisStore(options: OpenRedisStoreOptions): Promise<OpenStore> {
  const { target, focusId, registry, log, nowMs, random } = options;
  const metrics = createStoreMetrics(registry);
  metrics.connected.set(0);
  let troubleAtMs = Number.NEGATIVE_INFINITY;
  const client = createRedisClient(target, {
    ended(script, result, seconds) {
      metrics.roundTrips.inc({ script, result });
      if (result === 'ok') metrics.seconds.observe({ script }, seconds);
    },
    connected(isConnected) {
      metrics.connected.set(isConnected ? 1 : 0);
      if (isConnected) log.info('connected to the store');
      else log.warn('the connection to the store is gone');
    },
    trouble(message) {
      if (nowMs() - troubleAtMs < TROUBLE_INTERVAL_MS) return;
      troubleAtMs = nowMs();
      log.error(message);
    },
  });
  const counts = countsOf(metrics, log, focusId);
  const boot = randomBytes(8).toString('hex');
  const patience = () => waitFor(target.assignPatienceMs);
  const store = createRedisStore({ commands: client, focusId, boot, counts, nowMs, random, patience });

  let isClosed = false;
  let turn = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  function keepUp(): void {
    turn = store
      .upkeep()
      // Counted where it failed; the next turn goes on.
      .catch(() => undefined)
      .then(() => {
        if (isClosed) return;
        timer = setTimeout(keepUp, UPKEEP_INTERVAL_MS);
        timer.unref();
      });
  }
  await client.whenConnected(target.dialTimeoutMs);
  keepUp();
  await turn;
  return {
    store,
    async close() {
      isClosed = true;
      clearTimeout(timer);
      await turn;
      client.close();
    },
  };
}

function waitFor(ms: number): Patience {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  return { elapsed: promise, cancel: () => clearTimeout(timer) };
}

function countsOf(metrics: StoreMetrics, log: Logger, focusId: string): StoreCounts {
  return {
    assigned: roundTrips => metrics.assignRoundTrips.observe(roundTrips),
    stale: () => metrics.staleChoices.inc(),
    local: (operation, reason) => metrics.localOperations.inc({ operation, reason }),
    orphaned(conferences) {
      metrics.orphanedConferences.inc(conferences);
      log.warn({ conferences }, 'conferences of a dead focus are to be taken over');
    },
    swept(conferences) {
      metrics.sweptConferences.inc(conferences);
      log.warn({ conferences }, 'ended what a dead focus had in the store and nobody took over');
    },
    abandoned: () => metrics.abandonedParticipants.inc(),
    restored: participants => {
      metrics.restoredParticipants.inc(participants);
      log.warn({ participants }, 'put back into the store what it had lost');
    },
    lost(room) {
      metrics.lostConferences.inc();
      log.error(
        { room },
        'a conference of this focus is no longer its own: another focus took it over, closed it or opened the room anew',
      );
    },
    usurped() {
      metrics.nameConflicts.inc();
      log.error(`another focus is running under the name ${focusId}: focus_id must be unique`);
    },
  };
}

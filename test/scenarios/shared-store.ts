/** The store of a deployment under test: real Redis servers of each kind, behind a path that can be slow or cut where there is one server. */
import {
  type RedisServer,
  startRedis,
  startRedisCluster,
  startSentinelTrio,
} from '../../focus/store/redis/redis-server.fixture.ts';
import { TcpPath } from './tcp-path.ts';

export type StoreKind = 'standalone' | 'sentinel' | 'cluster';

export interface SharedStore {
  /** `redis` of every focus's configuration. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly servers: readonly RedisServer[];
  /** Standalone only: between every focus and the server. */
  readonly path: TcpPath | undefined;
  /** Where writes go when it starts. */
  readonly master: RedisServer;
  close(): Promise<void>;
}

export const KEY_PREFIX = 'scenario';

/** `roundTripMs` is added on the way, half in each direction. */
export async function startStore(kind: StoreKind, roundTripMs = 0): Promise<SharedStore> {
  if (kind === 'sentinel') {
    const { addresses, masterName, master, servers, stop } = await startSentinelTrio();
    const config = { sentinel_addresses: addresses, sentinel_master_name: masterName, key_prefix: KEY_PREFIX };
    return { config, servers, master, path: undefined, close: stop };
  }
  if (kind === 'cluster') {
    const { addresses, servers, stop } = await startRedisCluster();
    const config = { cluster_addresses: addresses, key_prefix: KEY_PREFIX };
    return { config, servers, master: servers[0]!, path: undefined, close: stop };
  }
  const server = await startRedis();
  const path = await TcpPath.open({ targets: () => [server.port], delayMs: roundTripMs / 2 });
  return {
    config: { address: path.address, key_prefix: KEY_PREFIX },
    servers: [server],
    master: server,
    path,
    async close() {
      path.close();
      await server.stop();
    },
  };
}

/** Moves the slot of the deployment's keys to the next node, as `redis-cli --cluster reshard` does, with a pause of `pauseMs` in the middle. */
export async function moveSlot(servers: readonly RedisServer[], pauseMs: number): Promise<void> {
  const slot = Number(await servers[0]!.command('CLUSTER', 'KEYSLOT', `{${KEY_PREFIX}}`));
  const ids = await Promise.all(servers.map(async server => String(await server.command('CLUSTER', 'MYID'))));
  const from = [5460, 10922, 16383].findIndex(last => slot <= last);
  const to = (from + 1) % 3;
  await servers[to]!.command('CLUSTER', 'SETSLOT', slot, 'IMPORTING', ids[from]!);
  await servers[from]!.command('CLUSTER', 'SETSLOT', slot, 'MIGRATING', ids[to]!);
  let isHalfWay = false;
  for (;;) {
    // Whatever is written meanwhile is asked for again until nothing is left here.
    const keys = (await servers[from]!.command('CLUSTER', 'GETKEYSINSLOT', slot, 100)) as string[];
    if (keys.length === 0) break;
    for (const [index, key] of keys.entries()) {
      if (!isHalfWay && index >= keys.length / 2) {
        isHalfWay = true;
        await new Promise(resolve => setTimeout(resolve, pauseMs));
      }
      await servers[from]!.command('MIGRATE', '127.0.0.1', servers[to]!.port, key, 0, 5_000);
    }
  }
  for (const index of [to, from, 3 - to - from]) {
    await servers[index]!.command('CLUSTER', 'SETSLOT', slot, 'NODE', ids[to]!);
  }
}

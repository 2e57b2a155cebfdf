/** Real Redis servers on loopback for tests: one, a cluster of three masters, a Sentinel trio. Nothing is kept on disk. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';

export interface RedisServer {
  readonly port: number;
  readonly address: string;
  /** Runs a command on a connection of its own. */
  command(...args: (string | number)[]): Promise<unknown>;
  /** Stops the process at once, without a goodbye. */
  kill(): Promise<void>;
  /** Starts it again on its port, empty. */
  restart(): Promise<void>;
  /** Freezes and thaws the process: it is there and does not answer. */
  freeze(): void;
  thaw(): void;
  stop(): Promise<void>;
}

export interface RedisServers {
  readonly addresses: string[];
  readonly servers: RedisServer[];
  stop(): Promise<void>;
}

const file = (name: string) => join(import.meta.dirname, 'fixtures', name);
const text = (name: string) => readFileSync(file(name), 'utf8');

/** What a client of the servers that speak TLS shows them: they let nobody in without. */
const OWN_TLS = { ca: text('ca.pem'), cert: text('client.pem'), key: text('client.key') };
/** Options with which a server, or a Sentinel, asks everybody for a certificate, and shows its own to others of its kind. */
const TLS_OPTIONS = [
  ['--tls-cert-file', file('server.pem')],
  ['--tls-key-file', file('server.key')],
  ['--tls-client-cert-file', file('client.pem')],
  ['--tls-client-key-file', file('client.key')],
  ['--tls-ca-cert-file', file('ca.pem')],
  ['--tls-auth-clients', 'yes'],
  ['--tls-replication', 'yes'],
].flat();
/** `redis.*` keys of a focus that reaches those servers. */
export const TLS_KEYS = {
  'tls.enabled': true,
  'tls.ca_cert_file': file('ca.pem'),
  'tls.client_cert_file': file('client.pem'),
  'tls.client_key_file': file('client.key'),
};

/** One server that speaks TLS only, with those who show a certificate. */
export function startTlsRedis(options: readonly string[] = []): Promise<RedisServer> {
  return startRedis([...TLS_OPTIONS, ...options], OWN_TLS);
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** One server with further `options` of redis-server; `tls` makes its port speak TLS only. */
export async function startRedis(
  options: readonly string[] = [],
  tls?: { readonly ca: string; readonly cert: string; readonly key: string },
  auth: { readonly username?: string; readonly password?: string } = {},
  atPort?: number,
): Promise<RedisServer> {
  const port = atPort ?? (await freePort());
  const folder = mkdtempSync(join(tmpdir(), 'causeway-redis-'));
  const ports = tls === undefined ? ['--port', `${port}`] : ['--port', '0', '--tls-port', `${port}`];
  const all = [...ports, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder, ...options];
  let child: ChildProcess | undefined;

  async function command(name: string | number, ...args: (string | number)[]): Promise<unknown> {
    const client = new Redis({
      host: '127.0.0.1',
      port,
      lazyConnect: true,
      retryStrategy: null,
      disableClientInfo: true,
      ...auth,
      ...(tls === undefined ? {} : { tls }),
    });
    client.on('error', () => {});
    try {
      return await client.call(String(name), ...args);
    } finally {
      client.disconnect();
    }
  }

  async function start(): Promise<void> {
    child = spawn('redis-server', all, { stdio: 'ignore' });
    const failed = once(child, 'error').then(([error]) => {
      throw missing(error);
    });
    await Promise.race([failed, answering(() => command('ping'))]);
    failed.catch(() => {});
  }

  async function kill(): Promise<void> {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  await start();
  return {
    port,
    address: `127.0.0.1:${port}`,
    command: (name, ...args) => command(name, ...args),
    kill,
    restart: start,
    freeze: () => void child!.kill('SIGSTOP'),
    thaw: () => void child!.kill('SIGCONT'),
    async stop() {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Three masters that share all slots, and no replicas. `isTls`: clients and nodes speak TLS only. */
export async function startRedisCluster({ isTls = false } = {}): Promise<RedisServers> {
  const servers: RedisServer[] = [];
  for (let index = 0; index < 3; index++) {
    const busPort = await freePort();
    const options = ['--cluster-enabled', 'yes', '--cluster-port', `${busPort}`, '--cluster-node-timeout', '2000'];
    servers.push(await (isTls ? startTlsRedis([...options, '--tls-cluster', 'yes']) : startRedis(options)));
  }
  const ranges = [
    [0, 5460],
    [5461, 10922],
    [10923, 16383],
  ] as const;
  for (const [index, server] of servers.entries()) {
    await server.command('CLUSTER', 'ADDSLOTSRANGE', ...ranges[index]!);
    await server.command('CLUSTER', 'SET-CONFIG-EPOCH', index + 1);
  }
  const busPort = Number(((await servers[0]!.command('CONFIG', 'GET', 'cluster-port')) as string[])[1]);
  for (const server of servers.slice(1)) {
    await server.command('CLUSTER', 'MEET', '127.0.0.1', servers[0]!.port, busPort);
  }
  for (const server of servers) {
    await answering(async () => {
      const info = String(await server.command('CLUSTER', 'INFO'));
      if (!/cluster_state:ok/.test(info) || !/cluster_known_nodes:3/.test(info)) throw new Error(info);
    });
  }
  return together(servers);
}

export interface SentinelTrio extends RedisServers {
  readonly masterName: string;
  readonly master: RedisServer;
}

/** A master, a replica of it, and three Sentinels that watch them; `addresses` are the Sentinels'. `isTls`: all of them speak TLS only. */
export async function startSentinelTrio({ isTls = false } = {}): Promise<SentinelTrio> {
  const masterName = 'shared';
  const start = (options: readonly string[] = []) => (isTls ? startTlsRedis(options) : startRedis(options));
  // Whichever is master: it waits for no second replica.
  const atOnce = ['--repl-diskless-sync-delay', '0'];
  const master = await start(atOnce);
  const replica = await start(['--replicaof', '127.0.0.1', `${master.port}`, ...atOnce]);
  await answering(async () => {
    if (!/master_link_status:up/.test(String(await replica.command('INFO', 'replication')))) throw new Error('no link');
  });
  const sentinels = [];
  for (let index = 0; index < 3; index++) sentinels.push(await startSentinel(masterName, master.port, isTls));
  for (const sentinel of sentinels) {
    await answering(async () => {
      const [fields] = (await sentinel.command('SENTINEL', 'MASTERS')) as string[][];
      const value = (name: string) => fields![fields!.indexOf(name) + 1];
      if (value('num-slaves') !== '1' || value('num-other-sentinels') !== '2') throw new Error('not all found yet');
    });
  }
  const all = together([...sentinels, replica, master]);
  return { ...all, addresses: sentinels.map(({ address }) => address), masterName, master };
}

async function startSentinel(masterName: string, masterPort: number, isTls: boolean): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'causeway-sentinel-'));
  const configuration = join(folder, 'sentinel.conf');
  const watch = [
    `sentinel monitor ${masterName} 127.0.0.1 ${masterPort} 2`,
    `sentinel down-after-milliseconds ${masterName} 500`,
    `sentinel failover-timeout ${masterName} 3000`,
  ];
  writeFileSync(configuration, `${watch.join('\n')}\n`);
  const server = await startSentinelProcess(configuration, isTls);
  return {
    ...server,
    async stop() {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A Sentinel is a redis-server that is given its file first. */
async function startSentinelProcess(configuration: string, isTls: boolean): Promise<RedisServer> {
  const port = await freePort();
  const ports = isTls ? ['--port', '0', '--tls-port', `${port}`, ...TLS_OPTIONS] : ['--port', `${port}`];
  const child = spawn('redis-server', [configuration, '--sentinel', ...ports, '--bind', '127.0.0.1'], {
    stdio: 'ignore',
  });
  const command: RedisServer['command'] = async (...args) => {
    const client = new Redis({
      host: '127.0.0.1',
      port,
      lazyConnect: true,
      retryStrategy: null,
      disableClientInfo: true,
      enableReadyCheck: false,
      ...(isTls ? { tls: OWN_TLS } : {}),
    });
    client.on('error', () => {});
    try {
      const [name, ...rest] = args;
      return await client.call(String(name), ...rest);
    } finally {
      client.disconnect();
    }
  };
  const failed = once(child, 'error').then(([error]) => {
    throw missing(error);
  });
  await Promise.race([failed, answering(() => command('ping'))]);
  failed.catch(() => {});
  const kill = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  };
  const restart = () => Promise.reject(new Error('a Sentinel is not started again by tests'));
  const freeze = () => void child.kill('SIGSTOP');
  const thaw = () => void child.kill('SIGCONT');
  return { port, address: `127.0.0.1:${port}`, command, kill, restart, freeze, thaw, stop: kill };
}

function together(servers: RedisServer[]): RedisServers {
  return {
    servers,
    addresses: servers.map(({ address }) => address),
    async stop() {
      for (const server of servers) await server.stop();
    },
  };
}

function missing(error: NodeJS.ErrnoException): Error {
  if (error.code !== 'ENOENT') return error;
  return new Error('redis-server is missing: install it (Debian: apt-get install redis-server), so that it is in PATH');
}

/** Until `ask` no longer rejects; the test's own time-out is the limit. */
async function answering(ask: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      await ask();
      return;
    } catch {
      await new Promise(resolve => setTimeout(resolve, 20));
    }
  }
}

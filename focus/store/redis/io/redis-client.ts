/** Redis by ioredis: one pipelined connection (to each master of a cluster), each command answered or rejected within a set time. */
import { Cluster, type ClusterOptions, Redis, type RedisOptions } from 'ioredis';
import { FocusError } from '../../../errors.ts';
import type { Argument, RedisCommands, Reply } from '../redis-commands.ts';
import type { RedisTarget } from '../redis-config.ts';
import { SCRIPT_NAMES, type ScriptName, scriptText } from '../scripts.ts';
import { readTls } from './tls-files.ts';

export interface RedisClientListener {
  /** A command and how it ended, with how long it took; `timeout`: no answer in time, `error`: refused by the server or no connection. */
  ended(command: ScriptName | 'ping', result: 'ok' | 'timeout' | 'error', seconds: number): void;
  /** Whether there is a connection, on each change. */
  connected(isConnected: boolean): void;
  /** Something that an operator should see: a connection that failed, a script that the server refused. */
  trouble(message: string): void;
}

export interface RedisClient extends RedisCommands {
  /** Resolves when there is a connection, or after `waitMs` without one. Never rejects: the client goes on trying. */
  whenConnected(waitMs: number): Promise<boolean>;
  close(): void;
}

/** Pauses between attempts to connect: short, since each join waits for the store; jittered, since all focuses lost it together. */
const RECONNECT_MS_MIN = 50;
const RECONNECT_MS_MAX = 1_000;

type Runner = (key: string, ...args: (string | number | Buffer)[]) => Promise<unknown>;

/** A client that connects by itself. Throws when a TLS file cannot be read. All keys begin with `{prefix}`. */
export function createRedisClient(target: RedisTarget, listener: RedisClientListener): RedisClient {
  const client = connect(target, listener);
  const runners = client as unknown as Readonly<Record<string, Runner>>;
  const key = `{${target.keyPrefix}}`;
  let isConnected = false;
  let isClosed = false;

  function setConnected(value: boolean): void {
    if (value === isConnected) return;
    isConnected = value;
    listener.connected(value);
  }
  client.on('ready', () => setConnected(true));
  for (const event of ['close', 'end']) client.on(event, () => setConnected(false));
  client.on('error', (error: Error) => {
    if (!isClosed) listener.trouble(`no connection to the store: ${describe(error)}`);
  });

  async function measured<T>(command: ScriptName | 'ping', work: () => Promise<T>): Promise<T> {
    const startedAt = performance.now();
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timeout = new Error(`no answer within ${target.readTimeoutMs} ms`);
    const timer = setTimeout(() => reject(timeout), target.readTimeoutMs);
    const seconds = () => (performance.now() - startedAt) / 1000;
    try {
      const answer = await Promise.race([work(), late]);
      listener.ended(command, 'ok', seconds());
      return answer;
    } catch (error) {
      listener.ended(command, error === timeout ? 'timeout' : 'error', seconds());
      if (isRefusal(error)) listener.trouble(`the store refused ${command}: ${describe(error as Error)}`);
      throw new FocusError('store-unavailable', describe(error as Error));
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    run: (script, args) =>
      measured(script, () => runners[methodOf(script)]!(key, ...args.map(plainly)) as Promise<Reply>),
    runForBytes: (script, args) =>
      measured(
        script,
        () => runners[`${methodOf(script)}Buffer`]!(key, ...args.map(plainly)) as Promise<readonly Buffer[]>,
      ),
    ping: () =>
      measured('ping', async () => {
        // Through the keys' own slot: in a cluster any other master's answer would say nothing.
        await client.exists(key);
      }),
    async whenConnected(waitMs) {
      if (isConnected) return true;
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, waitMs);
      client.once('ready', () => resolve());
      await promise;
      clearTimeout(timer);
      return isConnected;
    },
    close() {
      isClosed = true;
      client.disconnect();
    },
  };
}

function connect(target: RedisTarget, listener: RedisClientListener): Redis | Cluster {
  const tls = readTls(target.tls);
  const common = {
    username: target.username,
    password: target.password,
    connectTimeout: target.dialTimeoutMs,
    // A server that cannot be reached must not hold what may be seconds out of date when it can be again.
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: null,
    connectionName: target.connectionName,
    disableClientInfo: true,
    // A master that was demoted still answers until its connection ends.
    reconnectOnError: (error: Error) => error.message.includes('READONLY'),
    ...(tls === undefined ? {} : { tls }),
  } satisfies RedisOptions;
  const scripts = Object.fromEntries(
    SCRIPT_NAMES.map(name => [methodOf(name), { lua: scriptText(name, target.kind === 'cluster'), numberOfKeys: 1 }]),
  );
  if (target.kind === 'cluster') {
    const options: ClusterOptions = {
      scripts,
      enableOfflineQueue: false,
      maxRedirections: target.redirectsMax,
      clusterRetryStrategy: reconnectMs,
      slotsRefreshTimeout: target.dialTimeoutMs,
      slotsRefreshInterval: 5_000,
      redisOptions: common,
    };
    const cluster = new Cluster(target.addresses, options);
    cluster.on('node error', (error: Error, node: string) =>
      listener.trouble(`store node ${node}: ${describe(error)}`),
    );
    return cluster;
  }
  const single = { ...common, scripts, db: target.db, enableOfflineQueue: false, retryStrategy: reconnectMs };
  if (target.kind === 'standalone') return new Redis({ ...single, ...target.addresses[0] });
  return new Redis({
    ...single,
    sentinels: target.addresses,
    name: target.masterName,
    sentinelRetryStrategy: reconnectMs,
    sentinelCommandTimeout: target.dialTimeoutMs,
    failoverDetector: true,
    ...(target.sentinelUsername === undefined ? {} : { sentinelUsername: target.sentinelUsername }),
    ...(target.sentinelPassword === undefined ? {} : { sentinelPassword: target.sentinelPassword }),
    ...(tls === undefined ? {} : { enableTLSForSentinelMode: true, sentinelTLS: tls }),
  });
}

function reconnectMs(attempts: number): number {
  const delayMs = Math.min(RECONNECT_MS_MAX, RECONNECT_MS_MIN * 2 ** Math.min(attempts, 10));
  return delayMs * (0.5 + Math.random() / 2);
}

/** A name of its own: Redis has a command `restore`. */
function methodOf(script: ScriptName): string {
  return `causeway:${script}`;
}

/** The client sends Buffers as bytes, and the text of anything else. */
function plainly(argument: Argument): string | number | Buffer {
  if (!(argument instanceof Uint8Array)) return argument;
  return Buffer.from(argument.buffer, argument.byteOffset, argument.byteLength);
}

/** A refusal is answered, and by the server: unlike a connection that is not there. */
function isRefusal(error: unknown): boolean {
  return (error as Error)?.name === 'ReplyError';
}

/** One line; the error may carry the command, whose arguments are nobody's business. */
function describe(error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  const text = error.message === '' ? (code ?? error.name) : error.message;
  return text.split('\n', 1)[0]!.slice(0, 300);
}

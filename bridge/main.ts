/** `npm run bridge`: one bridge, or a pool of them, from a YAML file and the environment. */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { type Logger, pino } from 'pino';
import { ConfigurationError } from '../protocol/configuration.ts';
import { describeConfiguration } from '../protocol/configuration-help.ts';
import { BRIDGES_MAX, type BridgeConfig, BridgeConfigSchema, readBridgeConfig } from './config.ts';
import { forkMember, MEMBER_OPTION } from './pool/io/fork-member.ts';
import { joinPool } from './pool/io/pool-channel.ts';
import { runPool } from './pool/io/run-pool.ts';
import { STOP_MS_MAX } from './pool/pool.ts';
import { layOutPool } from './pool/pool-layout.ts';
import type { RunningBridge } from './service.ts';
import { describeStartFailure, type SocketError } from './start-failure.ts';

const USAGE = `usage: npm run bridge -- [--config FILE] [--bridges auto|N] [--help]

Forwards media and data between the participants it serves, and to the bridges that serve the others. A bridge uses one core: --bridges
runs a pool of them, auto one for each core, on consecutive ports, and starts one that crashes again.

SIGTERM has a single bridge's participants moved to others and then ends it (keys drain.*), a second one or SIGINT ends it at once; SIGUSR2
undoes it. A pool ends at once: drain its bridges first (causeway drain).

Keys of the YAML file, with their environment variables (which go before the file):

${describeConfiguration(BridgeConfigSchema)}`;

const OPTIONS = {
  config: { type: 'string' },
  bridges: { type: 'string' },
  help: { type: 'boolean' },
  [MEMBER_OPTION]: { type: 'boolean' },
} as const;

await main();

async function main(): Promise<void> {
  try {
    const { values } = parseArgs({ options: OPTIONS, strict: true });
    if (values.help === true) process.stdout.write(USAGE);
    else if (values[MEMBER_OPTION] === true) await serveInPool();
    else await serve(readConfig(values.config, values.bridges));
  } catch (error) {
    fail(error instanceof ConfigurationError ? error.problems : [(error as Error).message]);
  }
}

function readConfig(path: string | undefined, bridges: string | undefined): BridgeConfig {
  return readBridgeConfig({
    ...(path === undefined ? {} : { yaml: readFileSync(path, 'utf8'), yamlName: path }),
    env: process.env,
    flags: { bridges },
  });
}

function serve(config: BridgeConfig): Promise<void> {
  return config.bridges === undefined ? serveAlone(config) : servePool(config, config.bridges);
}

async function serveAlone(config: BridgeConfig): Promise<void> {
  const { deadline_seconds: deadlineSeconds, mode } = config.drain;
  let running: Awaited<ReturnType<typeof start>> | undefined;
  let isAsked = deadlineSeconds === 0;
  // Before it is up there is nobody to move, and nothing to take back.
  const end = () => (running === undefined ? process.exit(0) : void running.stop(0));
  process.on('SIGINT', end);
  process.on('SIGTERM', () => {
    if (isAsked || running === undefined) return end();
    isAsked = true;
    running.setState({ state: 'draining', mode, deadlineSeconds, exit: true, by: 'signal' });
  });
  process.on('SIGUSR2', () => {
    isAsked = deadlineSeconds === 0;
    running?.setState({ state: 'running' });
  });
  running = await start(config);
}

/** This process has no ports of its own: it starts the bridges and stays with them. */
async function servePool(config: BridgeConfig, bridges: number | 'auto'): Promise<void> {
  const count = bridges === 'auto' ? Math.min(availableParallelism(), BRIDGES_MAX) : bridges;
  const configs = layOutPool(config, count);
  const log = createLog(config, { pool: config.bridge_id });
  log.info({ bridges: count, region: config.region }, 'pool starts its bridges');
  const pool = runPool({ configs, startMember: forkMember(import.meta.filename), log });
  process.on('SIGINT', () => pool.stop());
  process.on('SIGTERM', () => pool.stop());
  const { exitCode, problem } = await pool.ended;
  if (problem !== undefined) fail([problem]);
  process.exit(exitCode);
}

/** One bridge of a pool: it ends when the pool says so, or is no more. */
async function serveInPool(): Promise<void> {
  // Ctrl-C reaches every process of a terminal: the pool decides what it means.
  process.on('SIGINT', () => {});
  const channel = await joinPool(process);
  if (channel === undefined) process.exit(1);
  const { config, restarts } = channel.assignment;
  try {
    const { stop } = await start(config, restarts);
    // A service manager may send it to every process, and then the pool sends it, too.
    process.on('SIGTERM', () => void stop(0));
    void channel.closed.then(() => {
      // Nobody is left to kill a bridge that does not stop, and it would keep its ports from the next pool.
      setTimeout(() => process.exit(1), STOP_MS_MAX);
      void stop(1);
    });
    channel.sayUp();
  } catch (error) {
    await channel.sayFailed((error as Error).message);
    process.exit(1);
  }
}

interface Running {
  /** Ends the bridge, and then the process. */
  readonly stop: (exitCode: number) => Promise<void>;
  readonly setState: RunningBridge['setState'];
}

/** Starts the bridge. The process ends with it, also when it was drained to that end. Throws what the operator is to read. */
async function start(config: BridgeConfig, restarts = 0): Promise<Running> {
  // The process of a pool never needs it.
  const { startBridge } = await import('./service.ts');
  const log = createLog(config, { bridge: config.bridge_id });
  const bridge = await startBridge(config, log, restarts).catch((error: SocketError) => {
    throw new Error(describeStartFailure(error, config));
  });
  const stop = async (exitCode: number) => {
    await bridge.close();
    process.exit(exitCode);
  };
  void bridge.drained.then(() => stop(0));
  return { stop, setState: state => bridge.setState(state) };
}

function createLog({ logging }: BridgeConfig, base: Readonly<Record<string, string>>): Logger {
  return pino({ name: 'bridge', level: logging.level, base });
}

function fail(problems: readonly string[]): never {
  for (const problem of problems) process.stderr.write(`bridge: ${problem}\n`);
  process.exit(1);
}

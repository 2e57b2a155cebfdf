/** `npm run wan -- --help`: a bad network between UDP sockets. Exit code 0 after SIGINT or its duration, 1 for ports that cannot be had, 2 for bad arguments. */
import { readFileSync } from 'node:fs';
import { type Command, readCommandLine, UsageError, usage } from './command-line.ts';
import type { ImpairedPath } from './io/departures.ts';
import { MeshProxy } from './io/mesh-proxy.ts';
import { playSchedule } from './io/play-schedule.ts';
import type { Address } from './io/sockets.ts';
import { UdpProxy } from './io/udp-proxy.ts';
import { type DirectionCounters, renderProgress, renderTable } from './render-counters.ts';
import { DIRECTIONS } from './schedule.ts';

const PROGRESS_MS = 1_000;

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  let command: Command | undefined;
  try {
    command = readCommandLine(args, path => readFileSync(path, 'utf8'));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\nnpm run wan -- --help tells all options.\n`);
    return 2;
  }
  if (command === undefined) {
    process.stdout.write(usage());
    return 0;
  }
  try {
    await run(command, await open(command));
    return 0;
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    return 1;
  }
}

/** A proxy of either kind, and what its paths are in words. */
interface Opened {
  readonly paths: readonly ImpairedPath[];
  readonly descriptions: readonly string[];
  readonly held: { readonly datagrams: number };
  close(): Promise<void>;
}

async function open({ plans, mesh }: Command): Promise<Opened> {
  if (mesh !== undefined) {
    const proxy = await MeshProxy.open(mesh);
    const bridge = (place: number) => `${show(mesh.bridges![place])} (announced as ${show(proxy.standIn(place))})`;
    const descriptions = proxy.paths.map(({ ends: [near, far] }) => `${bridge(near)} to ${bridge(far)}`);
    return opened(proxy, descriptions);
  }
  const proxy = await UdpProxy.open(plans);
  const descriptions = proxy.paths.map(
    (path, index) => `${show(path.nearFacing)} to ${show(plans[index].far)}${showBack(path.farFacing)}`,
  );
  return opened(proxy, descriptions);
}

function opened(proxy: UdpProxy | MeshProxy, descriptions: readonly string[]): Opened {
  return {
    paths: proxy.paths,
    descriptions,
    get held() {
      return proxy.held;
    },
    close: () => proxy.close(),
  };
}

async function run({ schedule, durationMs }: Command, proxy: Opened): Promise<void> {
  // Before the first line: whoever reads it may send a signal.
  const ended = untilEnd(durationMs);
  const startedAt = performance.now();
  const seconds = () => (performance.now() - startedAt) / 1000;
  for (const [index, description] of proxy.descriptions.entries()) print(`path ${index + 1}: ${description}`);
  const stopSchedule = playSchedule(proxy, schedule, line => print(`${seconds().toFixed(1)} s: ${line}`));
  let before = countersOf(proxy);
  const progress = setInterval(() => {
    const now = countersOf(proxy);
    print(renderProgress(seconds(), before, now));
    before = now;
  }, PROGRESS_MS);
  await ended;
  clearInterval(progress);
  stopSchedule();
  print(`ended after ${seconds().toFixed(1)} s, ${proxy.held.datagrams} datagrams under way\n`);
  print(renderTable(countersOf(proxy)));
  await proxy.close();
}

function untilEnd(durationMs: number | undefined): Promise<void> {
  return new Promise(resolve => {
    const timer = durationMs === undefined ? undefined : setTimeout(end, durationMs);
    process.on('SIGINT', end);
    process.on('SIGTERM', end);
    function end(): void {
      clearTimeout(timer);
      // A second signal ends the process at once.
      process.off('SIGINT', end);
      process.off('SIGTERM', end);
      resolve();
    }
  });
}

/** A copy: the counters go on counting. */
function countersOf(proxy: Opened): DirectionCounters[] {
  return proxy.paths.flatMap((path, index) =>
    DIRECTIONS.map(direction => ({
      name: `path ${index + 1} ${direction}`,
      counters: { ...path.counters(direction) },
    })),
  );
}

function show({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function showBack(farFacing: Address | undefined): string {
  return farFacing === undefined ? '' : `, back from there by ${show(farFacing)}`;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

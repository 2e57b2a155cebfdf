/** `npm start`: a whole network in one process, for development and for a first look. */
import { enableCompileCache } from 'node:module';
import { type CommandLine, readCommandLine, type StartOptions, USAGE } from './command-line.ts';
import { createLineLog } from './log-lines.ts';
import type { Network } from './network.ts';
import { formatTable } from './table.ts';

/** After this the process ends whatever is still open: two seconds are promised. */
const CLOSE_MS_MAX = 1_800;

await main(readCommandLine(process.argv.slice(2)));

async function main(command: CommandLine): Promise<void> {
  switch (command.kind) {
    case 'help':
      process.stdout.write(USAGE);
      return;
    case 'wrong':
      return fail(command.message);
    case 'start':
      await start(command.options);
  }
}

async function start(options: StartOptions): Promise<void> {
  const lines: string[] = [];
  let write = (line: string) => void lines.push(line);
  const log = createLineLog(options.isVerbose ? 'info' : 'warn', line => write(line));
  // node's own warnings go the way of the log; that type stripping is experimental is no news to whoever runs this.
  process.removeAllListeners('warning');
  process.on('warning', warning => {
    if (warning.name !== 'ExperimentalWarning') log.warn({ err: warning }, warning.name);
  });
  // Half of the start is loading: the second start finds its modules compiled. That needs them to be imported after this.
  enableCompileCache();
  const { startNetwork } = await import('./network.ts');
  try {
    const network = await startNetwork(options, log);
    endOnSignal(network);
    process.stdout.write(describe(network));
    // What was logged before the table comes after it: the table is what one looks for.
    write = line => void process.stdout.write(line);
    for (const line of lines) write(line);
  } catch (error) {
    fail((error as Error).message);
  }
}

function endOnSignal(network: Network): void {
  const end = () => {
    process.once('SIGINT', () => process.exit(130));
    setTimeout(() => process.exit(0), CLOSE_MS_MAX).unref();
    void network.close().then(() => process.exit(0));
  };
  process.once('SIGINT', end);
  process.once('SIGTERM', end);
}

function describe(network: Network): string {
  const state = (bridgeId: string) => (network.unregistered.includes(bridgeId) ? 'not registered' : 'ready');
  const rows = [
    ['SERVICE', 'REGION', 'ADDRESS', 'STATE'],
    ['geo-proxy', 'all', network.pageUrl.replace(/\/$/, ''), 'ready'],
    ['focus', 'all', network.focusUrl, 'ready'],
    ...network.bridges.map(bridge => [
      `bridge ${bridge.bridgeId}`,
      bridge.region,
      `${bridge.controlUrl}  media ${bridge.mediaPort}/udp  Octo ${bridge.octoPort}/udp`,
      state(bridge.bridgeId),
    ]),
  ];
  const sdkUrl = `${network.pageUrl.replace(/^http/, 'ws')}region/${network.regions.at(-1)}`;
  return `\n${formatTable(rows)}
Meeting page  ${network.pageUrl}
SDKs          ${sdkUrl} is a client in ${network.regions.at(-1)}; API key ${network.key}, secret ${network.secret}
Ctrl-C ends all of it.
`;
}

function fail(message: string): never {
  process.stderr.write(`causeway: ${message}\n`);
  process.exit(1);
}

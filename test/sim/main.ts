/** `npm run worlds -- --help`. Exit code 0: every invariant held; 1: one did not; 2: bad arguments. */
import { type Command, readCommandLine, USAGE, UsageError } from './command-line.ts';
import { renderFailure, renderFailures, renderTotals } from './render.ts';
import { runWorld } from './run-world.ts';
import { runWorlds } from './run-worlds.ts';

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  let command: Command | undefined;
  try {
    command = readCommandLine(args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\nnpm run worlds -- --help tells all options.\n`);
    return 2;
  }
  if (command === undefined) {
    process.stdout.write(USAGE);
    return 0;
  }
  return command.worlds === 1 ? one(command) : await many(command);
}

function one({ from, isTraced }: Command): number {
  const report = runWorld(from);
  if (isTraced && report.failure === undefined) print(report.steps.join('\n'));
  print(renderFailure(report));
  return report.failure === undefined ? 0 : 1;
}

async function many(command: Command): Promise<number> {
  const startedAt = performance.now();
  const totals = await runWorlds(command);
  if (totals.failed.length > 0) print(renderFailures(totals.failed));
  print(renderTotals(totals, performance.now() - startedAt));
  return totals.failed.length === 0 ? 0 : 1;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

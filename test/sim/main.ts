/** `npm run worlds -- --help`. Exit code 0: every invariant held; 1: one did not; 2: bad arguments. */
import { runCommand } from '../command-line.ts';
import { type Command, readCommandLine, USAGE } from './command-line.ts';
import { renderFailure, renderFailures, renderTotals } from './render.ts';
import { runWorld } from './run-world.ts';
import { runWorlds } from './run-worlds.ts';

process.exitCode = await runCommand(process.argv.slice(2), {
  name: 'npm run worlds',
  usage: USAGE,
  read: readCommandLine,
  run,
});

function run(command: Command): number | Promise<number> {
  return command.worlds === 1 ? one(command) : many(command);
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

/** `node test/scenarios/main.ts NAME`: one run of one scenario, its result as the last line of stdout; what went wrong on stderr, and exit code 1. */
import { parseArgs } from 'node:util';
import { runScenario } from './scenario.ts';
import { allScenarios, STORE_AWAY_MS } from './scenarios.ts';

// Not by exit code alone: libwebrtc's threads keep a process alive after its last client has gone.
process.exit(await main());

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { 'store-away-ms': { type: 'string', default: String(STORE_AWAY_MS) } },
  });
  const scenarios = allScenarios(Number(values['store-away-ms']));
  const scenario = scenarios.find(({ name }) => name === positionals[0]);
  if (scenario === undefined || positionals.length !== 1) {
    process.stderr.write(`allowed: one of ${scenarios.map(({ name }) => name).join(', ')}\n`);
    return 1;
  }
  try {
    process.stdout.write(`${JSON.stringify(await runScenario(scenario))}\n`);
    return 0;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
    return 1;
  }
}

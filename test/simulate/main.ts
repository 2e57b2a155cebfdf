/** `npm run simulate -- --help`. Exit code 0: done; 2: bad arguments. */
import { writeFileSync } from 'node:fs';
import { runCommand } from '../command-line.ts';
import { type Command, readCommandLine, USAGE } from './command-line.ts';
import { deployments } from './deployments.ts';
import { incidentTimes } from './incidents.ts';
import { placementDefaults } from './placement-defaults.ts';
import { type PlotMark, plotResults } from './plot.ts';
import { GROUPS } from './regions.ts';
import { renderTable } from './report.ts';
import { loadRoundTrips } from './round-trips.ts';
import { type Result, type SimulationOptions, simulate } from './simulate.ts';

process.exitCode = await runCommand(process.argv.slice(2), {
  name: 'npm run simulate',
  usage: USAGE,
  read: readCommandLine,
  run,
});

async function run(command: Command): Promise<number> {
  const options = optionsOf(command);
  const roundTrips = loadRoundTrips();
  const results: Result[] = [];
  const wanted = deployments(command.policy.kind).filter(({ name }) => command.only === null || name === command.only);
  for (const deployment of wanted) {
    process.stderr.write(`${deployment.name}: ${deployment.about}\n`);
    const result = await simulate(options, deployment, roundTrips, line => process.stderr.write(`${line}\n`));
    // Of a million people the next one takes minutes.
    process.stderr.write(`\n${renderTable([result])}\n`);
    results.push(result);
  }
  if (command.svg !== null) writeFileSync(command.svg, plotResults(results, aboutRun(command), marksOf(command)));
  process.stdout.write(command.isJson ? `${JSON.stringify({ command, results })}\n` : renderTable(results));
  return 0;
}

/** The focus's own defaults, with the groups an operator of such a network would have. */
function optionsOf(command: Command): SimulationOptions {
  const { seed, participants, bridges, hours, startHour, policy, flashCrowd, lostRegion, drainShare } = command;
  return {
    seed,
    participants,
    bridges,
    hours,
    startHour,
    settings: { ...placementDefaults(), ...policy, region_groups: GROUPS },
    incidents: { flashCrowd, lostRegion, drainShare },
  };
}

function marksOf({ hours, ...incidents }: Command): PlotMark[] {
  return incidentTimes(incidents).map(({ at, label }) => ({ hour: at * hours, label }));
}

function aboutRun({ participants, bridges, hours, policy, seed }: Command): string {
  const people = participants.toLocaleString('en-US');
  return `${people} people, ${bridges} bridges, ${hours} h, ${policy.kind} by ${policy.sort_by} (${policy.algorithm}), seed ${seed}`;
}

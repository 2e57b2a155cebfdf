import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEPLOYMENTS, deployments } from './deployments.ts';
import { placementDefaults } from './placement-defaults.ts';
import { plotResults } from './plot.ts';
import { GROUPS } from './regions.ts';
import { renderTable } from './report.ts';
import { loadRoundTrips } from './round-trips.ts';
import { type Result, type SimulationOptions, simulate } from './simulate.ts';

const ROUND_TRIPS = loadRoundTrips();

function options(changes: Partial<SimulationOptions> = {}): SimulationOptions {
  return {
    seed: 1,
    participants: 600,
    bridges: 40,
    hours: 1,
    startHour: 14,
    settings: { ...placementDefaults(), region_groups: GROUPS },
    incidents: { flashCrowd: 0, lostRegion: null, drainShare: 0 },
    ...changes,
  };
}

function run(changes: Partial<SimulationOptions> = {}, deployment = DEPLOYMENTS[0]!): Promise<Result> {
  return simulate(options(changes), deployment, ROUND_TRIPS, () => {});
}

let compared: Promise<Result[]> | undefined;
/** All deployments on one quiet day, simulated once for all tests. */
function compare(): Promise<Result[]> {
  compared ??= Promise.all(DEPLOYMENTS.map(each => run({}, each)));
  return compared;
}

test('the same seed is the same day, whatever the machine is doing; another seed is another', async () => {
  const withoutTimes = async (seed: number) => {
    const result = await run({ seed, participants: 200 });
    return { ...result, memoryPeakBytes: 0, cpuMs: 0 };
  };
  const once = await withoutTimes(7);
  assert.deepEqual(await withoutTimes(7), once);
  assert.notDeepEqual((await withoutTimes(8)).figures, once.figures);
});

test('a cascade serves people nearest, and a single bridge anywhere is worst for all of them', async () => {
  const [cascade, single, first] = (await compare()).map(({ figures }) => figures);
  assert.ok(cascade!.inRegionShare > 0.9 && cascade!.inRegionShare > first!.inRegionShare);
  assert.ok(single!.inRegionShare < 0.2);
  assert.ok(cascade!.bridgeRttMsMean < first!.bridgeRttMsMean && first!.bridgeRttMsMean < single!.bridgeRttMsMean);
  assert.ok(cascade!.peopleRttMsMean < single!.peopleRttMsMean / 2);
});

test('what it pays with is a second bridge on the way of people of different regions, and relayed bytes', async () => {
  const [cascade, single, first] = (await compare()).map(({ figures }) => figures);
  assert.ok(cascade!.extraHopShare > 0.02 && cascade!.extraHopShare > first!.extraHopShare);
  assert.equal(single!.extraHopShare, 0);
  assert.equal(single!.relayedInterRegionBytes, 0);
  assert.ok(cascade!.relayedInterRegionBytes > 0);
  const all = (figures: Result['figures']) => figures.relayedInterRegionBytes + figures.accessInterRegionBytes;
  assert.ok(all(cascade!) < all(single!));
});

test('placed by round trips people are nearer to each other than by region, by one bridge, and by the first joiner', async () => {
  const [region, single, first] = await compare();
  const [, latency] = deployments('region');
  const { figures } = await run({}, latency);
  const { peopleRttMsMean: mean } = figures;
  for (const { deployment, figures: other } of [region!, single!, first!]) {
    assert.ok(mean <= other.peopleRttMsMean, `${mean} ms, ${deployment} ${other.peopleRttMsMean} ms`);
  }
});

test('the rule set by round trips, and under it the default, stands beside the policy under test', () => {
  assert.deepEqual(
    deployments('split').map(({ name }) => name),
    ['cascade', 'cascade-latency', 'single-bridge', 'first-joiner'],
  );
  assert.equal(deployments('latency')[1]!.name, 'cascade-region');
});

test('everybody meets on, whatever is lost, drained or rushed: nobody is refused, and who was there is placed again', async () => {
  const incidents = { flashCrowd: 300, lostRegion: 'eu-central', drainShare: 0.5 };
  const eventful = await run({ incidents });
  const quiet = (await compare())[0]!;
  assert.equal(quiet.totals.moves, 0);
  assert.ok(eventful.totals.moves > 50, `${eventful.totals.moves}`);
  assert.equal(eventful.totals.refused, 0);
  const dip = Math.min(...eventful.moments.slice(5, 8).map(({ inRegionShare }) => inRegionShare));
  assert.ok(dip < Math.min(...quiet.moments.map(({ inRegionShare }) => inRegionShare)), `${dip}`);
});

test('a rule set that fills one bridge before the next leaves the load uneven', async () => {
  const lastUsed = { ...placementDefaults(), region_groups: GROUPS, kind: 'last-used' as const };
  const even = (await compare())[0]!;
  const uneven = await run({ settings: lastUsed });
  assert.ok(uneven.imbalanceMean > even.imbalanceMean * 1.5, `${uneven.imbalanceMean} ${even.imbalanceMean}`);
});

test('the table has a line for each figure and a column for each deployment, the plots a line for each in each panel', async () => {
  const results = await compare();
  const lines = renderTable(results).trimEnd().split('\n');
  assert.match(lines[0]!, /cascade +single-bridge +first-joiner/);
  assert.equal(lines.filter(line => line.startsWith('round trip')).length, 4);
  const svg = plotResults(results, 'a < b', [{ hour: 0.5, label: 'half way' }]);
  assert.equal(svg.match(/half way/g)!.length, 1);
  assert.match(svg, />0:30</);
  assert.equal(svg.match(/<polyline /g)!.length, 6 * 3);
  assert.match(svg, /a &lt; b/);
  assert.doesNotMatch(svg, /NaN|Infinity/);
});

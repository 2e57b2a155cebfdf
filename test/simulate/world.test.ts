import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Chance } from '../soak/chance.ts';
import { flashCrowd, meeting, peakShares, startRates } from './demand.ts';
import { exponential, normal, poisson, weighted } from './draws.ts';
import { createFleet } from './fleet.ts';
import { joinsAfterSecondsOf, regionOf } from './person.ts';
import { activity, GROUPS, WORLD } from './regions.ts';
import { loadRoundTrips, parseMatrix } from './round-trips.ts';

const index = (name: string) => WORLD.findIndex(region => region.name === name);

test('the world has twenty regions of different names, and groups name them', () => {
  const names = WORLD.map(({ name }) => name);
  assert.equal(new Set(names).size, 20);
  for (const name of GROUPS.flat()) assert.ok(names.includes(name), name);
});

test('people meet by day where they are: Europe sleeps while Japan works', () => {
  const [europe, japan] = [WORLD[index('eu-central')]!, WORLD[index('ap-northeast')]!];
  assert.ok(activity(japan, 2) > 0.8 && activity(europe, 2) < 0.15);
  assert.ok(activity(japan, 14) < activity(europe, 14));
  for (let hour = 0; hour < 24; hour++) assert.ok(activity(europe, hour) > 0 && activity(europe, hour) <= 1);
});

test('round trips are measured where the matrix has the pair, and the great circle’s elsewhere', () => {
  const { ms, distances } = loadRoundTrips();
  assert.equal(ms[index('us-east')]![index('eu-west')], 80.55);
  assert.equal(ms[index('eu-central')]![index('eu-central')], 0);
  assert.ok(Math.abs(distances.rttMs('us-east', 'eu-west') - 80.5) < 0.1);
  assert.equal(ms[index('eu-north')]![index('eu-central')], distances.rttMs('eu-north', 'eu-central'));
});

test('a matrix with a cell that is no number is refused, with its row', () => {
  assert.throws(() => parseMatrix('from,a,b\na,0,x\n'), /row a/);
  assert.throws(() => parseMatrix('from,a,b\na,0\n'), /row a/);
});

test('as many meet at the busiest hour as were asked for, and fewer at any other', () => {
  const starts = (hour: number) => startRates(10_000, hour).reduce((sum, rate) => sum + rate, 0);
  const rates = Array.from({ length: 96 }, (_, quarter) => starts(quarter / 4));
  const meetings = new Chance(3);
  const sizes = Array.from({ length: 20_000 }, () => meeting(meetings, 1, 0, 0, 12).people.length);
  const meanSize = sizes.reduce((sum, size) => sum + size, 0) / sizes.length;
  const people = Math.max(...rates) * meanSize * 45 * 60;
  assert.ok(Math.abs(people - 10_000) < 500, `${people}`);
  assert.ok(Math.min(...rates) < Math.max(...rates) / 1.5);
});

test('a flash crowd is of one region and there within a minute', () => {
  const { people } = flashCrowd(new Chance(1), 1, 4, 500, 0);
  assert.ok(people.length === 500 && people.every(each => regionOf(each) === 4 && joinsAfterSecondsOf(each) <= 60));
});

test('bridges are where people are: every region has one, and the shares of the rest follow the peaks', () => {
  const { bridges } = createFleet(500, new Chance(1));
  assert.equal(bridges.size, 500);
  const counts = WORLD.map(
    (_, region) =>
      bridges
        .values()
        .filter(bridge => bridge.region === region)
        .toArray().length,
  );
  const total = peakShares().reduce((sum, share) => sum + share, 0);
  for (const [region, share] of peakShares().entries()) {
    assert.ok(Math.abs(counts[region]! - 1 - (share / total) * 480) < 1, `${WORLD[region]!.name}: ${counts[region]}`);
  }
});

test('draws have the means they are asked for', () => {
  const chance = new Chance(5);
  const mean = (draw: () => number) =>
    Array.from({ length: 20_000 }, draw).reduce((sum, value) => sum + value, 0) / 20_000;
  const cases: readonly [number, () => number][] = [
    [3, () => exponential(chance, 3)],
    [2, () => normal(chance, 2, 1)],
    [1.5, () => poisson(chance, 1.5)],
    [80, () => poisson(chance, 80)],
    [0.75, () => weighted(chance, [1, 3])],
  ];
  for (const [expected, draw] of cases) assert.ok(Math.abs(mean(draw) - expected) < expected * 0.05, `${expected}`);
});

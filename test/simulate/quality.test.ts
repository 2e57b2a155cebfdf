import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Chance } from '../soak/chance.ts';
import { createFleet, type SimulatedBridge } from './fleet.ts';
import { accessMsOf, type Person, personOf, regionOf } from './person.ts';
import { Quality } from './quality.ts';
import { HOP_MS, loadRoundTrips, WITHIN_REGION_MS } from './round-trips.ts';

const { ms: RTT } = loadRoundTrips();
const BRIDGES = [...createFleet(60, new Chance(1)).bridges.values()];

/** Every pair by itself, in both directions. */
function slowly(people: readonly Person[], bridges: readonly (SimulatedBridge | undefined)[]) {
  const present = people.flatMap((person, index) =>
    bridges[index] === undefined ? [] : [{ person, bridge: bridges[index] }],
  );
  const toBridge = ({ person, bridge }: (typeof present)[number]) =>
    accessMsOf(person) + WITHIN_REGION_MS + RTT[regionOf(person)]![bridge.region]!;
  let [sum, pairs, apart] = [0, 0, 0];
  for (const a of present) {
    for (const b of present) {
      if (a === b) continue;
      pairs++;
      sum += toBridge(a) + HOP_MS + toBridge(b);
      if (a.bridge === b.bridge) continue;
      apart++;
      sum += HOP_MS + RTT[a.bridge.region]![b.bridge.region]!;
    }
  }
  return { mean: sum / pairs, apart: apart / pairs };
}

test('the mean between people and the share of extra hops are those of every pair, although none is looked at by itself', () => {
  const chance = new Chance(5);
  for (let round = 0; round < 20; round++) {
    const people = Array.from(
      { length: 2 + chance.below(40) },
      (): Person => personOf({ region: chance.below(20), accessMs: chance.fraction() * 50, joinsAfterSeconds: 0 }),
    );
    const some = BRIDGES.slice(0, 1 + chance.below(8));
    // The first two are there: a meeting of one has no pairs.
    const bridges = people.map((_, index) =>
      index > 1 && chance.is(0.2) ? undefined : some[chance.below(some.length)]!,
    );
    const quality = new Quality(RTT, new Chance(1));
    quality.look({ people, bridges }, 60);
    const expected = slowly(people, bridges);
    const figures = quality.figures();
    assert.ok(Math.abs(figures.peopleRttMsMean - expected.mean) < 1e-6, `round ${round}`);
    assert.ok(Math.abs(figures.extraHopShare - expected.apart) < 1e-9, `round ${round}`);
  }
});

test('bytes between regions are relayed once to each bridge of another region, and none within one', () => {
  const inRegion = (region: number) => BRIDGES.filter(bridge => bridge.region === region);
  const people: readonly Person[] = [0, 0].map(region => personOf({ region, accessMs: 10, joinsAfterSeconds: 0 }));
  const relayed = (bridges: readonly SimulatedBridge[]) => {
    const quality = new Quality(RTT, new Chance(1));
    quality.look({ people, bridges }, 8);
    return quality.figures().relayedInterRegionBytes;
  };
  const [here, there] = [inRegion(0), inRegion(1)];
  assert.equal(relayed([here[0]!, here.at(-1)!]), 0);
  assert.equal(relayed([here[0]!, there[0]!]), 2 * 640_000);
});

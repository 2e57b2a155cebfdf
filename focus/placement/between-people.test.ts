import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type People, ServingPlaces } from './between-people.ts';
import { createRegionDistances } from './region-distance.ts';
import { choose, SETTINGS, type Sketch } from './sketch.fixture.ts';

const HOP_MS = 2;
const DISTANCES = createRegionDistances([]);
DISTANCES.noteRtt('eu', 'us', 80);
DISTANCES.noteRtt('eu', 'eu-near', 10);
DISTANCES.noteRtt('us', 'eu-near', 84);

function people(served: Record<string, readonly [people: number, bridges: number]>, neighbours: number): People {
  const entries = Object.entries(served).map(
    ([region, [count, bridges]]) => [region, { people: count, bridges }] as const,
  );
  return { served: new Map(entries), neighbours };
}

function best(client: string, who: People, hopMs = HOP_MS): string {
  const [first] = new ServingPlaces(client, ['eu', 'eu-near', 'us'], who, DISTANCES, hopMs);
  return `${first!.region}${first!.isExtraBridge ? ' extra' : ''}`;
}

describe('an extra bridge must earn its hop', () => {
  test('a single visitor from nearby joins the bridge of the others: a hop for all of them is more than its way', () => {
    assert.equal(best('eu-near', people({ eu: [20, 1] }, 0)), 'eu');
  });

  test('as neighbours come, their way to each other and back is more than the hop, and they get a bridge of their own', () => {
    assert.equal(best('eu-near', people({ eu: [20, 1] }, 3)), 'eu-near extra');
  });

  test('from far away the first has a bridge of its own: whoever of its region comes next would meet it across the sea', () => {
    assert.equal(best('us', people({ eu: [5, 1] }, 0)), 'us extra');
  });

  test('what an extra bridge must save is configurable', () => {
    assert.equal(best('us', people({ eu: [5, 1] }, 0), 60), 'eu');
    assert.equal(best('eu-near', people({ eu: [20, 1] }, 0), 0), 'eu-near extra');
  });
});

test('alone it is served nearest, and where nothing is known of distances all places are alike', () => {
  assert.equal(best('eu-near', people({}, 0)), 'eu-near extra');
  const places = [...new ServingPlaces('mars', ['eu', 'us'], people({}, 0), DISTANCES, HOP_MS)];
  assert.equal(places[0]!.rttMs, places[1]!.rttMs);
  assert.equal(best('mars', people({ eu: [3, 1] }, 0)), 'eu');
});

test('the estimate is the mean round trip to the others, both last miles, links and hops in it', () => {
  const [first] = new ServingPlaces('eu', ['eu'], people({ eu: [4, 1] }, 4), DISTANCES, HOP_MS);
  assert.deepEqual(first, { region: 'eu', isExtraBridge: false, rttMs: 50 });
  const [far] = new ServingPlaces('us', ['us'], people({ eu: [4, 1] }, 0), DISTANCES, HOP_MS);
  // Four there and four to come like them over 80 ms and a hop, and one to come beside it.
  assert.equal(far!.rttMs, (8 * (25 + 80 + 2 + 25) + 50) / 9);
});

describe('kind latency', () => {
  const settings = { ...SETTINGS, kind: 'latency' as const };
  const bridges: readonly Sketch[] = [
    { id: 'e1', region: 'eu', inConference: 6 },
    { id: 'e2', region: 'eu' },
    { id: 'w1', region: 'us-west', stress: 0.3 },
    { id: 'w2', region: 'us-west', stress: 0.1 },
  ];

  test('keeps people of a region on the bridge they are on, and opens the least loaded of another', () => {
    const near = choose('eu', bridges, settings);
    assert.deepEqual([near.bridgeId, near.rule], ['e1', 'shortest-between-people']);
    assert.equal(choose('us-west', bridges, settings).bridgeId, 'w2');
  });

  test('explains the places it compared, shortest first, five at most', () => {
    const { roundTrips } = choose('us-west', bridges, settings);
    assert.deepEqual(
      roundTrips!.map(({ region, isExtraBridge }) => [region, isExtraBridge]),
      [
        ['us-west', true],
        ['eu', false],
        ['eu', true],
      ],
    );
    assert.ok(roundTrips!.every(({ rttMs }, index) => index === 0 || rttMs >= roundTrips![index - 1]!.rttMs));
    assert.equal(choose('eu', bridges).roundTrips, undefined);
  });

  test('a place without room is passed over for the next, and a full world still takes the least loaded', () => {
    const full = bridges.map(each => ({ ...each, stress: 0.9 }));
    assert.equal(choose('us-west', [...full.slice(1), bridges[0]!], settings).bridgeId, 'e1');
    assert.equal(choose('us-west', full, settings).rule, 'least-loaded');
  });

  test('one more bridge in a region is on a machine that has the conference already, where there is one', () => {
    const crowded: readonly Sketch[] = [
      { id: 'e1', region: 'eu', inConference: 80, host: 'h1' },
      { id: 'e2', region: 'eu' },
      { id: 'e3', region: 'eu', host: 'h1', stress: 0.4 },
    ];
    assert.equal(choose('eu', crowded, settings).bridgeId, 'e3');
  });
});

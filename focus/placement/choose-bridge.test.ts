import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BridgePool } from '../store/bridge-pool.ts';
import type { BridgeIndex } from '../store/store.ts';
import { chooseBridge } from './choose-bridge.ts';
import type { Placement } from './placement.ts';
import { createRegionDistances } from './region-distance.ts';
import { choose, SETTINGS, type Sketch, view } from './sketch.fixture.ts';

function assertChoice(placement: Placement, bridgeId: string | null, rule: string): void {
  assert.deepEqual([placement.bridgeId, placement.rule], [bridgeId, rule]);
}

describe('the ladder', () => {
  test('a bridge of the region that has the conference wins over an idler one that does not', () => {
    const placement = choose('eu', [
      { id: 'idle', region: 'eu' },
      { id: 'busy', region: 'eu', stress: 0.5, inConference: 3 },
    ]);
    assertChoice(placement, 'busy', 'in-conference-in-region');
  });

  test('the conference in the group wins over an idle bridge of the region', () => {
    const placement = choose('us-east', [
      { id: 'east', region: 'us-east' },
      { id: 'west', region: 'us-west', stress: 0.5, inConference: 1 },
    ]);
    assertChoice(placement, 'west', 'in-conference-in-group');
  });

  test('a bridge of the region wins over the conference far away', () => {
    const placement = choose('eu', [
      { id: 'far', region: 'ap', inConference: 9 },
      { id: 'near', region: 'eu', stress: 0.7 },
    ]);
    assertChoice(placement, 'near', 'in-region');
  });

  test('the group stands in for a region whose bridges are overloaded', () => {
    const placement = choose('us-east', [
      { id: 'east', region: 'us-east', stress: 0.8 },
      { id: 'west', region: 'us-west', stress: 0.7 },
      { id: 'eu', region: 'eu' },
    ]);
    assertChoice(placement, 'west', 'in-group');
  });

  test('past an overloaded region the conference comes first, at its nearest bridge', () => {
    const placement = choose('eu', [
      { id: 'own', region: 'eu', stress: 0.9 },
      { id: 'far', region: 'ap', inConference: 1 },
      { id: 'nearer', region: 'us-east', stress: 0.5, inConference: 1 },
      { id: 'idle', region: 'us-east' },
    ]);
    assertChoice(placement, 'nearer', 'in-conference-elsewhere');
  });

  test('past an overloaded region a new conference goes to the nearest bridge that has room', () => {
    const placement = choose('eu', [
      { id: 'own', region: 'eu', stress: 0.9 },
      { id: 'far', region: 'ap' },
      { id: 'nearer', region: 'us-east', stress: 0.5 },
    ]);
    assertChoice(placement, 'nearer', 'elsewhere');
  });

  test('when all are overloaded the conference stays together below the cap', () => {
    const sketches: Sketch[] = [
      { id: 'less', region: 'eu', stress: 0.85 },
      { id: 'has', region: 'eu', stress: 0.95, inConference: 79 },
    ];
    assertChoice(choose('eu', sketches), 'has', 'overloaded-in-conference');
    assertChoice(choose('eu', [sketches[0]!, { ...sketches[1]!, inConference: 80 }]), 'less', 'least-loaded');
  });

  test('a bridge with as many participants of the conference as the cap allows gets no more while another can', () => {
    const placement = choose('eu', [
      { id: 'full', region: 'eu', inConference: 80 },
      { id: 'next', region: 'eu', stress: 0.7 },
    ]);
    assertChoice(placement, 'next', 'in-region');
  });
});

describe('a conference and its host', () => {
  const full: Sketch = { id: 'full', region: 'eu', host: 'h1', stress: 0.9, inConference: 40 };

  test('when its own bridge is overloaded, a busier bridge of the same host comes before an idle one of another', () => {
    const placement = choose('eu', [
      full,
      { id: 'neighbour', region: 'eu', host: 'h1', stress: 0.7 },
      { id: 'other', region: 'eu', host: 'h2' },
    ]);
    assertChoice(placement, 'neighbour', 'on-host-in-region');
    assert.deepEqual(
      placement.candidates.map(({ host }) => host),
      ['h1', 'h1', 'h2'],
    );
  });

  test('the same holds when its own bridge is at the cap', () => {
    const placement = choose('eu', [
      { ...full, stress: 0.1, inConference: 80 },
      { id: 'other', region: 'eu', host: 'h2' },
      { id: 'neighbour', region: 'eu', host: 'h1', stress: 0.5 },
    ]);
    assertChoice(placement, 'neighbour', 'on-host-in-region');
  });

  test('its own bridge comes first while it has room, however idle the neighbours are', () => {
    const placement = choose('eu', [
      { ...full, stress: 0.79 },
      { id: 'neighbour', region: 'eu', host: 'h1' },
    ]);
    assertChoice(placement, 'full', 'in-conference-in-region');
  });

  test('an overloaded neighbour is no place: another host of the region is', () => {
    const placement = choose('eu', [
      full,
      { id: 'neighbour', region: 'eu', host: 'h1', stress: 0.8 },
      { id: 'other', region: 'eu', host: 'h2', stress: 0.7 },
    ]);
    assertChoice(placement, 'other', 'in-region');
  });

  test('a neighbour in the region comes before the conference in the group, and after it comes the region', () => {
    const east: Sketch[] = [
      { ...full, region: 'us-east' },
      { id: 'neighbour', region: 'us-east', host: 'h1' },
    ];
    const west: Sketch = { id: 'west', region: 'us-west', host: 'h3', inConference: 1 };
    assertChoice(choose('us-east', [...east, west]), 'neighbour', 'on-host-in-region');
    const strangers: Sketch[] = [full, { id: 'own', region: 'us-east', host: 'h2' }];
    assertChoice(choose('us-east', [...strangers, { ...west, stress: 0.9 }]), 'own', 'in-region');
  });

  test('in the group and elsewhere, too, a neighbour comes before a bridge that shares nothing', () => {
    const own: Sketch = { id: 'own', region: 'us-east', stress: 0.9 };
    const group: Sketch[] = [
      own,
      { ...full, region: 'us-west' },
      { id: 'a', region: 'us-west', host: 'h2' },
      { id: 'b', region: 'us-west', host: 'h1', stress: 0.6 },
    ];
    assertChoice(choose('us-east', group), 'b', 'on-host-in-group');
    const elsewhere = group.map(bridge => (bridge === own ? own : { ...bridge, region: 'ap' }));
    assertChoice(choose('us-east', elsewhere), 'b', 'on-host-elsewhere');
  });

  test('bridges that do not say where they run are nobody’s neighbours', () => {
    const placement = choose('eu', [
      { id: 'full', region: 'eu', stress: 0.9, inConference: 40 },
      { id: 'busy', region: 'eu', stress: 0.7 },
      { id: 'idle', region: 'eu', host: 'h2' },
    ]);
    assertChoice(placement, 'idle', 'in-region');
  });

  test('a new conference goes by load alone', () => {
    const placement = choose('eu', [
      { id: 'a', region: 'eu', host: 'h1', stress: 0.2 },
      { id: 'b', region: 'eu', host: 'h2', stress: 0.1 },
    ]);
    assertChoice(placement, 'b', 'in-region');
  });
});

describe('load', () => {
  test('placements since the report count with the estimate of each', () => {
    const placement = choose('eu', [
      { id: 'a', region: 'eu', stress: 0.1, placed: 11 },
      { id: 'b', region: 'eu', stress: 0.2 },
    ]);
    assertChoice(placement, 'b', 'in-region');
    assert.ok(Math.abs(placement.candidates[0]!.stress - 0.21) < 1e-9);
  });

  test('a bridge becomes overloaded by what is placed there before it reports again', () => {
    const sketches: Sketch[] = [
      { id: 'own', region: 'eu', stress: 0.75, placed: 5 },
      { id: 'other', region: 'us-east', stress: 0.79 },
    ];
    assertChoice(choose('eu', sketches), 'other', 'elsewhere');
  });

  test('equal stress goes to who was given fewest, then by name', () => {
    const noEstimate = { ...SETTINGS, endpoint_stress: 0 };
    const placed = [
      { id: 'a', region: 'eu', placed: 2 },
      { id: 'b', region: 'eu', placed: 1 },
      { id: 'c', region: 'eu', placed: 1 },
    ];
    assertChoice(choose('eu', placed, noEstimate), 'b', 'in-region');
  });
});

describe('what is looked at', () => {
  /** Regions whose bridges were asked for. */
  function looked(region: string, sketches: readonly Sketch[]): string[] {
    const { bridges, ...rest } = view(sketches);
    const pool = new BridgePool(bridges);
    const regions: string[] = [];
    const index: BridgeIndex = {
      get all(): never {
        throw new Error('all bridges were asked for');
      },
      regions: pool.regions,
      get everywhere() {
        regions.push(...pool.regions);
        return pool.everywhere;
      },
      find: id => pool.find(id),
      inRegion: name => {
        regions.push(name);
        return pool.inRegion(name);
      },
      onHost: host => pool.onHost(host),
    };
    const indexed = { ...rest, bridges: [], index };
    chooseBridge(indexed, region, SETTINGS, createRegionDistances([]));
    return [...new Set(regions)].sort();
  }

  test('is the client’s region while it has room, however many others there are', () => {
    const others = ['ap', 'af', 'us-west'].map((region): Sketch => ({ id: region, region, inConference: 2 }));
    assert.deepEqual(looked('eu', [{ id: 'own', region: 'eu', stress: 0.7 }, ...others]), ['eu']);
  });

  test('is its group, too, when it has none; and regions farther away only when the group has none either', () => {
    const east: Sketch = { id: 'east', region: 'us-east', stress: 0.9 };
    const far: Sketch = { id: 'far', region: 'ap' };
    assert.deepEqual(looked('us-east', [east, { id: 'west', region: 'us-west' }, far]), ['us-east', 'us-west']);
    const west: Sketch = { id: 'west', region: 'us-west', stress: 0.9 };
    assert.deepEqual(looked('us-east', [east, west, far]), ['ap', 'us-east', 'us-west']);
  });
});

describe('filters', () => {
  test('a bridge whose report is too old is never used', () => {
    const placement = choose('eu', [{ id: 'old', region: 'eu', ageMs: 5_000 }]);
    assertChoice(placement, null, 'no-bridge');
    assert.equal(placement.candidates[0]!.rejectedBy, 'silent');
  });

  test('a draining bridge is used only when nothing else is there', () => {
    const draining: Sketch = { id: 'draining', region: 'eu', draining: true, inConference: 5 };
    const placement = choose('eu', [draining, { id: 'far', region: 'ap', stress: 0.99 }]);
    assertChoice(placement, 'far', 'least-loaded');
    assert.equal(placement.candidates[0]!.rejectedBy, 'draining');
    assertChoice(choose('eu', [draining]), 'draining', 'in-conference-in-region');
  });

  test('a conference stays on the version it runs on while such a bridge is there', () => {
    const sketches: Sketch[] = [
      { id: 'new', region: 'eu', version: '2' },
      { id: 'old', region: 'ap', version: '1', inConference: 1 },
    ];
    const placement = choose('eu', sketches);
    assert.equal(placement.bridgeId, 'old');
    assert.equal(placement.candidates[0]!.rejectedBy, 'other-version');
    assertChoice(choose('eu', [sketches[0]!, { ...sketches[1]!, ageMs: 6_000 }]), 'new', 'in-region');
  });
});

describe('filters of life and of language', () => {
  test('a suspected bridge gets nobody new while any other is there, however far', () => {
    const suspected: Sketch = { id: 'a', region: 'eu', suspected: true, inConference: 5 };
    const placement = choose('eu', [suspected, { id: 'b', region: 'ap', stress: 0.99 }]);
    assertChoice(placement, 'b', 'least-loaded');
    assert.equal(placement.candidates[0]!.rejectedBy, 'suspected');
    assertChoice(choose('eu', [suspected]), 'a', 'in-conference-in-region');
  });

  test('rather a bridge that is being emptied than one that may be dead', () => {
    const sketches: Sketch[] = [
      { id: 'a', region: 'eu', suspected: true },
      { id: 'b', region: 'eu', draining: true },
    ];
    assertChoice(choose('eu', sketches), 'b', 'in-region');
  });

  test('a conference never comes to a bridge that could have no link to the others', () => {
    const here: Sketch = { id: 'a', region: 'ap', inConference: 1, stress: 0.99 };
    const other: Sketch = { id: 'b', region: 'eu', protocols: { control: 1, octo: 3 } };
    const placement = choose('eu', [here, other]);
    assert.equal(placement.bridgeId, 'a');
    assert.equal(placement.candidates[1]!.rejectedBy, 'incompatible');
    assertChoice(choose('eu', [{ ...here, ageMs: 6_000, inConference: 0 }, other]), 'b', 'in-region');
    assertChoice(choose('eu', [{ ...here, ageMs: 6_000 }, other]), null, 'no-bridge');
  });

  test('a bridge that speaks another version of the control API is never used', () => {
    const placement = choose('eu', [{ id: 'a', region: 'eu', protocols: { control: 2, octo: 2 } }]);
    assertChoice(placement, null, 'no-bridge');
    assert.equal(placement.candidates[0]!.rejectedBy, 'incompatible');
  });

  test('a bridge that does not say what it speaks is one of the first', () => {
    const here: Sketch = { id: 'a', region: 'eu', inConference: 1, protocols: { control: 1, octo: 2 }, stress: 0.9 };
    assertChoice(choose('eu', [here, { id: 'b', region: 'eu' }]), 'b', 'in-region');
  });
});

describe('a region without a usable bridge', () => {
  test('is served as the nearest region that has one', () => {
    const placement = choose('af', [
      { id: 'ap', region: 'ap' },
      { id: 'eu', region: 'eu', stress: 0.5 },
      { id: 'us', region: 'us-west' },
    ]);
    assertChoice(placement, 'eu', 'in-region');
    assert.deepEqual([placement.region, placement.placedFor], ['af', 'eu']);
  });

  test('is served from where a measured round trip is shortest, whatever the map says', () => {
    const distances = createRegionDistances([
      { name: 'a', lat: 0, lon: 0 },
      { name: 'b', lat: 0, lon: 10 },
      { name: 'c', lat: 0, lon: 20 },
    ]);
    const bridges = view([
      { id: 'b1', region: 'b' },
      { id: 'c1', region: 'c' },
    ]);
    assert.equal(chooseBridge(bridges, 'a', SETTINGS, distances).placedFor, 'b');
    distances.noteRtt('c', 'a', 3);
    assert.equal(chooseBridge(bridges, 'a', SETTINGS, distances).placedFor, 'c');
  });

  test('counts as one when its only bridge is silent', () => {
    const placement = choose('eu', [
      { id: 'own', region: 'eu', ageMs: 9_000 },
      { id: 'other', region: 'us-east' },
    ]);
    assertChoice(placement, 'other', 'in-region');
    assert.equal(placement.placedFor, 'us-east');
  });

  test('that is on no map goes wherever the load is least', () => {
    const placement = choose('mars', [
      { id: 'a', region: 'eu', stress: 0.2 },
      { id: 'b', region: 'ap', stress: 0.1 },
    ]);
    assertChoice(placement, 'b', 'elsewhere');
  });
});

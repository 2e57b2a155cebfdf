import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { choose, SETTINGS, type Sketch } from './sketch.fixture.ts';

describe('caps', () => {
  const fullAndNext = (full: Partial<Sketch>): Sketch[] => [
    { id: 'full', region: 'eu', ...full },
    { id: 'next', region: 'eu', stress: 0.7 },
  ];

  test('a bridge at its cap of endpoints gets no more while another has room, and is said to lack it', () => {
    const settings = { ...SETTINGS, endpoints_per_bridge_max: 50 };
    const sketches = fullAndNext({ load: { endpoints: 48 }, placed: 2 });
    const { bridgeId, candidates } = choose('eu', sketches, settings);
    assert.equal(bridgeId, 'next');
    assert.equal(candidates[0]!.lacks, 'bridge-cap');
    assert.equal(choose('eu', fullAndNext({ load: { endpoints: 48 }, placed: 1 }), settings).bridgeId, 'full');
  });

  test('a bridge that had its joins of the minute gets no more while another has room', () => {
    const settings = { ...SETTINGS, joins_per_minute_max: 30 };
    const { bridgeId, candidates } = choose('eu', fullAndNext({ load: { joinsLastMinute: 28 }, placed: 2 }), settings);
    assert.equal(bridgeId, 'next');
    assert.deepEqual([candidates[0]!.lacks, candidates[0]!.joinsLastMinute], ['join-rate', 30]);
    const earlier = fullAndNext({ load: { joinsLastMinute: 28 }, placed: 1 });
    assert.equal(choose('eu', earlier, settings).bridgeId, 'full');
  });

  test('caps that nobody has room under are no reason to refuse', () => {
    const settings = { ...SETTINGS, joins_per_minute_max: 1, endpoints_per_bridge_max: 1 };
    const only: Sketch = { id: 'only', region: 'eu', load: { joinsLastMinute: 9, endpoints: 9 } };
    assert.equal(choose('eu', [only], settings).bridgeId, 'only');
  });
});

describe('what the report does not show', () => {
  test('joins that have not settled count like those placed since', () => {
    const sketches: Sketch[] = [
      { id: 'a', region: 'eu', stress: 0.1, load: { unsettledEndpoints: 8.5 }, placed: 3 },
      { id: 'b', region: 'eu', stress: 0.2 },
    ];
    const { bridgeId, candidates } = choose('eu', sketches);
    assert.equal(bridgeId, 'b');
    assert.ok(Math.abs(candidates[0]!.stress - 0.215) < 1e-9);
    assert.deepEqual([candidates[0]!.unseenEndpoints, candidates[0]!.reportedStress], [11.5, 0.1]);
  });
});

describe('a bridge that has just started', () => {
  const old: Sketch = { id: 'old', region: 'eu', stress: 0.4, upMs: 3_600_000 };

  test('gets its first join, but not the next few: it is credited with a tenth of its capacity', () => {
    const young: Sketch = { id: 'young', region: 'eu', upMs: 0 };
    assert.equal(choose('eu', [old, young]).bridgeId, 'young');
    assert.equal(choose('eu', [old, { ...young, placed: 5 }]).bridgeId, 'old');
    assert.equal(choose('eu', [old, { ...young, placed: 3 }]).bridgeId, 'young');
  });

  test('counts whole when the ramp is over, by the age of its report too', () => {
    const later: Sketch = { id: 'young', region: 'eu', upMs: 29_000, ageMs: 1_000, placed: 39 };
    assert.equal(choose('eu', [old, later]).bridgeId, 'young');
    assert.equal(choose('eu', [old, { ...later, upMs: 14_000 }]).bridgeId, 'old');
  });

  test('is not overloaded by its youth: it takes all that others have no room for', () => {
    const full: Sketch = { id: 'full', region: 'eu', stress: 0.8, upMs: 3_600_000 };
    const young: Sketch = { id: 'young', region: 'eu', upMs: 0, placed: 70 };
    const { bridgeId, rule } = choose('eu', [full, young, { id: 'far', region: 'ap' }]);
    assert.deepEqual([bridgeId, rule], ['young', 'in-region']);
  });

  test('ramp_up_ms 0 gives it everything at once', () => {
    const young: Sketch = { id: 'young', region: 'eu', upMs: 0, placed: 30 };
    assert.equal(choose('eu', [old, young], { ...SETTINGS, ramp_up_ms: 0 }).bridgeId, 'young');
  });
});

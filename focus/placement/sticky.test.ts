import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BridgeId } from '../../protocol/ids.ts';
import { choose, SETTINGS, type Sketch } from './sketch.fixture.ts';

const sticky = (bridgeId: string, isSealed = true) => ({ bridgeId: bridgeId as BridgeId, isSealed });

/** Where a client from eu goes whose token names `held`, and what became of that. */
function outcome(sketches: readonly Sketch[], held = sticky('held'), settings = SETTINGS) {
  const placement = choose('eu', sketches, settings, 0, held);
  return [placement.bridgeId, placement.rule, placement.sticky?.ignored];
}

const BUSY: Sketch = { id: 'held', region: 'eu', stress: 0.7 };
const IDLE: Sketch = { id: 'idle', region: 'eu', inConference: 3 };

test('the bridge that the client was on comes before every rule, while it has room', () => {
  assert.deepEqual(outcome([BUSY, IDLE]), ['held', 'sticky-bridge', undefined]);
  const { sticky: told, candidates } = choose('eu', [BUSY, IDLE], SETTINGS, 0, sticky('held'));
  assert.deepEqual(told, { bridgeId: 'held' });
  assert.deepEqual(
    candidates.map(({ bridgeId }) => bridgeId),
    ['held', 'idle'],
  );
  assert.equal(choose('eu', [BUSY, IDLE]).sticky, undefined);
});

const refusals: readonly [string, Partial<Sketch>][] = [
  ['silent', { ageMs: 5_000 }],
  ['draining', { draining: true }],
  ['other-version', { version: '2' }],
  ['overloaded', { stress: 0.8 }],
  ['conference-cap', { inConference: 80 }],
];
for (const [reason, change] of refusals) {
  test(`a bridge that is ${reason} does not get its client back: the rules decide, and the placement says so`, () => {
    assert.deepEqual(outcome([{ ...BUSY, ...change }, IDLE]), ['idle', 'in-conference-in-region', reason]);
  });
}

test('a bridge that is gone, or that no focus of this network named, is ignored', () => {
  assert.deepEqual(outcome([IDLE]), ['idle', 'in-conference-in-region', 'gone']);
  assert.deepEqual(outcome([BUSY, IDLE], sticky('held', false)), ['idle', 'in-conference-in-region', 'not-sealed']);
});

test('who was placed away from its region is placed at home again; where regions do not count it stays', () => {
  const away: Sketch = { id: 'held', region: 'ap' };
  assert.deepEqual(outcome([away, IDLE]), ['idle', 'in-conference-in-region', 'region-is-back']);
  assert.deepEqual(outcome([away, { ...IDLE, ageMs: 5_000 }]), ['held', 'sticky-bridge', undefined]);
  const anywhere = { ...SETTINGS, kind: 'least-loaded' as const };
  assert.deepEqual(outcome([away, IDLE], sticky('held'), anywhere), ['held', 'sticky-bridge', undefined]);
  const { candidates } = choose('eu', [away, IDLE], anywhere, 0, sticky('held'));
  assert.ok(candidates.some(({ bridgeId }) => bridgeId === 'held'));
});

test('a conference that is to be on one bridge is not split by who comes back', () => {
  const single = { ...SETTINGS, kind: 'single' as const };
  assert.deepEqual(outcome([BUSY, IDLE], sticky('held'), single), ['idle', 'on-its-bridge', 'conference-elsewhere']);
  const alone = outcome([BUSY, { ...IDLE, inConference: 0 }], sticky('held'), single);
  assert.deepEqual(alone, ['held', 'sticky-bridge', undefined]);
});

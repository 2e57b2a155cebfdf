import assert from 'node:assert/strict';
import test from 'node:test';
import { RoundTrip } from './round-trip.ts';

test('the first sample counts whole, a further one by an eighth', () => {
  const roundTrip = new RoundTrip();
  assert.equal(roundTrip.smoothedMs, -1);
  roundTrip.handleSample(80);
  assert.equal(roundTrip.smoothedMs, 80);
  roundTrip.handleSample(160);
  assert.deepEqual([roundTrip.latestMs, roundTrip.smoothedMs], [160, 90]);
});

test('a claim that cannot be is refused, rounding is not', () => {
  const roundTrip = new RoundTrip();
  for (const claimMs of [Number.NaN, -6, 10_000, Number.POSITIVE_INFINITY]) {
    assert.equal(roundTrip.handleSample(claimMs), false);
  }
  assert.equal(roundTrip.smoothedMs, -1);
  assert.equal(roundTrip.handleSample(-1), true);
  assert.equal(roundTrip.latestMs, 0);
});

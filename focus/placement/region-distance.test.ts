import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRegionDistances } from './region-distance.ts';

const EU = { name: 'eu', lat: 50.1, lon: 8.7 };
const US = { name: 'us', lat: 39, lon: -77.5 };

test('regions on the map are as far as their great circle, in round-trip time', () => {
  const rttMs = createRegionDistances([EU, US]).rttMs('eu', 'us');
  // Frankfurt to Virginia is measured at 88 ms by the matrix the constant comes from; an estimate ranks, it does not measure.
  assert.ok(rttMs > 80 && rttMs < 160, `${rttMs} ms`);
});

test('a region is no way from itself, and infinitely far from what nothing is known about', () => {
  const distances = createRegionDistances([EU, { name: 'nowhere' }]);
  assert.equal(distances.rttMs('nowhere', 'nowhere'), 0);
  assert.equal(distances.rttMs('eu', 'nowhere'), Number.POSITIVE_INFINITY);
});

test('a measurement replaces the estimate in both directions', () => {
  const distances = createRegionDistances([EU, US]);
  distances.noteRtt('us', 'eu', 90);
  assert.equal(distances.rttMs('eu', 'us'), 90);
  assert.equal(distances.rttMs('us', 'eu'), 90);
});

test('one odd measurement moves the distance a little, many move it all the way', () => {
  const distances = createRegionDistances([]);
  distances.noteRtt('a', 'b', 100);
  distances.noteRtt('a', 'b', 200);
  assert.equal(distances.rttMs('a', 'b'), 120);
  for (let index = 0; index < 50; index++) distances.noteRtt('b', 'a', 200);
  assert.ok(distances.rttMs('a', 'b') > 199);
});

test('nonsense is not measured', () => {
  const distances = createRegionDistances([]);
  for (const rttMs of [Number.NaN, -1]) distances.noteRtt('a', 'b', rttMs);
  assert.equal(distances.rttMs('a', 'b'), Number.POSITIVE_INFINITY);
});

test('measured pairs are bounded: what comes after stays estimated', () => {
  const distances = createRegionDistances([EU, US]);
  const estimated = distances.rttMs('eu', 'us');
  for (let index = 0; index < 2016; index++) distances.noteRtt('hub', `r${index}`, 1);
  distances.noteRtt('eu', 'us', 1);
  assert.equal(distances.rttMs('eu', 'us'), estimated);
});

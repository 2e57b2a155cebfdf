import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Histogram } from './histogram.ts';

test('the mean is exact and weighted, percentiles are to a quarter of a millisecond', () => {
  const histogram = new Histogram();
  for (let ms = 1; ms <= 100; ms++) histogram.add(ms);
  assert.equal(histogram.mean, 50.5);
  assert.ok(Math.abs(histogram.percentile(0.95) - 95) <= 0.25);
  histogram.add(1_000, 900);
  assert.equal(histogram.mean, (5_050 + 900_000) / 1_000);
  assert.ok(Math.abs(histogram.percentile(0.5) - 1_000) <= 0.25);
});

test('without values it is 0, and what lies past its end counts at the end', () => {
  const histogram = new Histogram();
  assert.deepEqual([histogram.mean, histogram.percentile(0.95)], [0, 0]);
  histogram.add(1e9);
  assert.equal(histogram.percentile(0.5), 2_000);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LatencyHistogram } from './latency-histogram.ts';

test('percentiles of short times are exact, of long ones within 1.2 %', () => {
  const histogram = new LatencyHistogram();
  for (let us = 1; us <= 1_000; us++) histogram.add(us);
  assert.equal(histogram.percentileUs(0.5), 500);
  assert.equal(histogram.percentileUs(0.99), 990);
  for (let count = 0; count < 1_000; count++) histogram.add(123_456);
  const p99Us = histogram.percentileUs(0.99);
  assert.ok(p99Us <= 123_456 && p99Us > 123_456 * 0.988, `${p99Us}`);
});

test('times before zero and beyond the end are counted at the ends', () => {
  const histogram = new LatencyHistogram();
  histogram.add(-5);
  assert.equal(histogram.percentileUs(1), 0);
  histogram.add(Number.MAX_SAFE_INTEGER);
  assert.ok(histogram.percentileUs(1) > 1_000_000_000);
});

test('an empty histogram answers 0, and so does one that was reset', () => {
  const histogram = new LatencyHistogram();
  assert.equal(histogram.percentileUs(0.5), 0);
  histogram.add(9);
  histogram.reset();
  assert.deepEqual([histogram.count, histogram.percentileUs(0.5)], [0, 0]);
});

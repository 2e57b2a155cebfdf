import assert from 'node:assert/strict';
import { test } from 'node:test';
import { growth, SAMPLES_MIN, type Sample } from './steadiness.ts';

const MB = 1024 * 1024;

function run(length: number, at: (index: number) => Partial<Sample>): Sample[] {
  return Array.from({ length }, (_, index) => ({
    rssBytes: 200 * MB,
    heapBytes: 30 * MB,
    buffersBytes: 50 * MB,
    ...at(index),
  }));
}

test('memory that goes up and down is flat', () => {
  assert.deepEqual(growth(run(100, index => ({ rssBytes: (200 + (index % 7) * 20) * MB }))), []);
});

test('memory that falls for a moment, and is back where it was, has not grown', () => {
  assert.deepEqual(growth(run(100, index => ({ rssBytes: (index > 40 && index < 50 ? 150 : 200) * MB }))), []);
});

test('memory that grows all the time is told, with what has grown', () => {
  assert.deepEqual(growth(run(100, index => ({ rssBytes: (200 + index) * MB }))), [
    'resident memory grew from 243.0 to 280.0 MB',
  ]);
  assert.deepEqual(growth(run(100, index => ({ heapBytes: (30 + index / 4) * MB }))), [
    'the heap grew from 40.8 to 50.0 MB',
  ]);
  assert.deepEqual(growth(run(100, index => ({ buffersBytes: (50 + index / 8) * MB }))), [
    'buffers grew from 55.4 to 60.0 MB',
  ]);
});

test('growth of the first quarter is warm-up, and a short run is nothing else', () => {
  assert.deepEqual(growth(run(100, index => ({ rssBytes: (200 + Math.min(index, 24) * 10) * MB }))), []);
  assert.deepEqual(growth(run(SAMPLES_MIN - 1, index => ({ rssBytes: (200 + index * 10) * MB }))), []);
  assert.equal(growth(run(SAMPLES_MIN, index => ({ rssBytes: (200 + index * 10) * MB }))).length, 1);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TemporalFilter } from './temporal-filter.ts';

const frame = (temporalLayer: number, isLayerSync = false) => ({
  startsFrame: true,
  startsKeyFrame: false,
  temporalLayer,
  isLayerSync,
});

test('everything passes until less is asked for', () => {
  const filter = new TemporalFilter();
  assert.equal(filter.accepts(frame(3)), true);
});

test('a frame begun before the limit was lowered is finished', () => {
  const filter = new TemporalFilter();
  assert.equal(filter.accepts(frame(2)), true);
  filter.max = 0;
  assert.equal(filter.accepts({ ...frame(2), startsFrame: false }), true);
  assert.equal(filter.accepts(frame(1)), false);
  assert.equal(filter.accepts(frame(0)), true);
});

test('the limit is raised one layer at a time, at layer sync only', () => {
  const filter = new TemporalFilter();
  filter.max = 0;
  assert.equal(filter.accepts(frame(1)), false);
  filter.max = 2;
  assert.equal(filter.accepts(frame(1, false)), false);
  assert.equal(filter.accepts(frame(2, true)), false);
  assert.equal(filter.accepts(frame(1, true)), true);
  assert.equal(filter.accepts(frame(2, false)), false);
  assert.equal(filter.accepts(frame(2, true)), true);
});

test('a key frame raises it at once', () => {
  const filter = new TemporalFilter();
  filter.max = 0;
  filter.restart();
  filter.max = 2;
  assert.equal(filter.accepts({ ...frame(0), startsKeyFrame: true }), true);
  assert.equal(filter.accepts(frame(2)), true);
});

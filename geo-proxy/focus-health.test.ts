import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FocusHealth } from './focus-health.ts';

const A = 'http://a';
const B = 'http://b';

function health(): FocusHealth {
  return new FocusHealth([A, B], { memoryMs: 5_000 });
}

test('a focus nobody has asked yet is healthy', () => {
  assert.deepEqual(health().order(0, [A, B]), [A, B]);
});

test('a focus that failed a request is tried last until the memory fades', () => {
  const focuses = health();
  focuses.handleRequestFailure(1_000, A);
  assert.deepEqual(focuses.order(1_001, [A, B]), [B, A]);
  assert.deepEqual(focuses.order(5_999, [A, B]), [B, A]);
  assert.deepEqual(focuses.order(6_000, [A, B]), [A, B]);
});

test('one lost look at /healthz is not a dead focus, two in a row are, one answer ends it', () => {
  const focuses = health();
  focuses.handleProbe(A, false);
  assert.equal(focuses.isHealthy(0, A), true);
  focuses.handleProbe(A, false);
  assert.equal(focuses.isHealthy(0, A), false);
  focuses.handleProbe(A, true);
  focuses.handleProbe(A, false);
  assert.equal(focuses.isHealthy(0, A), true);
});

test('an answered request clears what was held against a focus', () => {
  const focuses = health();
  focuses.handleRequestFailure(0, A);
  focuses.handleRequestSuccess(A);
  assert.equal(focuses.isHealthy(1, A), true);
});

test('with every focus down all are still tried, in the order of the ranking', () => {
  const focuses = health();
  focuses.handleRequestFailure(0, A);
  focuses.handleRequestFailure(0, B);
  assert.deepEqual(focuses.order(1, [B, A]), [B, A]);
});

test('regions that share a focus ask it once', () => {
  assert.deepEqual(health().order(0, [A, A, B, A]), [A, B]);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CircuitBreaker } from './circuit-breaker.ts';

const SETTINGS = { failures_max: 2, pause_ms_min: 1_000, pause_ms_max: 3_000 };

function dead(): CircuitBreaker {
  const breaker = new CircuitBreaker(SETTINGS);
  for (let failure = 0; failure < 2; failure++) {
    assert.equal(breaker.permit(0), 'wait');
    breaker.failed(0, 'wait');
  }
  return breaker;
}

test('after failures in a row nobody waits; one success between them, and everybody does', () => {
  const breaker = new CircuitBreaker(SETTINGS);
  breaker.failed(0, 'wait');
  breaker.succeeded();
  breaker.failed(0, 'wait');
  assert.equal(breaker.permit(0), 'wait');
  breaker.failed(0, 'wait');
  assert.equal(breaker.permit(999), 'skip');
});

test('after a pause one probes it, and no second before the first is through', () => {
  const breaker = dead();
  assert.deepEqual([breaker.permit(999), breaker.permit(1_000), breaker.permit(1_000)], ['skip', 'probe', 'skip']);
  breaker.succeeded();
  assert.equal(breaker.permit(1_001), 'wait');
});

test('the pause doubles with each probe that fails, up to its limit, and is short again after a success', () => {
  const breaker = dead();
  const probes: number[] = [];
  for (let nowMs = 0; nowMs < 12_000; nowMs += 100) {
    if (breaker.permit(nowMs) !== 'probe') continue;
    probes.push(nowMs);
    breaker.failed(nowMs, 'probe');
  }
  assert.deepEqual(probes, [1_000, 3_000, 6_000, 9_000]);
  breaker.succeeded();
  for (let failure = 0; failure < 2; failure++) breaker.failed(20_000, 'wait');
  assert.deepEqual([breaker.permit(20_999), breaker.permit(21_000)], ['skip', 'probe']);
});

test('those who were still waiting when it died do not put the probe off', () => {
  const breaker = dead();
  for (let late = 1; late < 20; late++) breaker.failed(late * 50, 'wait');
  assert.equal(breaker.permit(1_000), 'probe');
});

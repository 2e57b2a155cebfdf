import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RateWindow } from './rate-window.ts';

test('an even flow has its rate, wherever in a bucket it is asked for', () => {
  const window = new RateWindow();
  for (let nowMs = 5_003; nowMs < 15_000; nowMs += 10) {
    window.add(nowMs, 25);
    if (nowMs < 5_103) continue;
    const rate = window.perSecond(nowMs + 7);
    assert.ok(Math.abs(rate - 2_500) <= 250, `${rate} at ${nowMs}`);
    if (nowMs > 6_000) assert.ok(Math.abs(rate - 2_500) <= 30, `${rate} at ${nowMs}`);
  }
});

test('at first the time there was counts, at least 100 ms', () => {
  const window = new RateWindow();
  assert.equal(window.perSecond(1_000), 0);
  window.add(1_000, 50);
  assert.equal(window.perSecond(1_000), 500);
  assert.equal(window.perSecond(1_250), 200);
});

test('what was long ago counts no more', () => {
  const window = new RateWindow();
  window.add(1_000, 500);
  assert.equal(window.perSecond(3_000), 0);
  window.add(10_000, 90);
  assert.equal(window.perSecond(10_099), 90_000 / 999);
});

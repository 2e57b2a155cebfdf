import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PathDelay } from './path-delay.ts';

const INTERVAL_MS = 50;
const FRAME_MS = 5;

/** A path whose sender's clock is `offsetMs` behind the receiver's; frames every 5 ms, a report every 50 ms. */
class Path {
  readonly delay = new PathDelay();
  nowMs = 10_000;
  offsetMs = 0;
  queueMicros = 0;

  run(durationMs: number, delayMs: (atMs: number) => number): void {
    const startMs = this.nowMs;
    while (this.nowMs - startMs < durationMs) {
      this.nowMs += FRAME_MS;
      const sentMs = this.nowMs - delayMs(this.nowMs - startMs) - this.offsetMs;
      this.delay.handleFrame(this.nowMs, Math.floor(sentMs * 1000) >>> 0);
      if (this.nowMs % 10 === 0) this.delay.handleTimeout(this.nowMs);
      if (this.nowMs % INTERVAL_MS === 0) this.queueMicros = this.delay.takeQueueMicros(this.nowMs);
    }
  }
}

test('a queue counts from the empty path, wherever the two clocks stand and wherever they wrap', () => {
  fc.assert(
    fc.property(fc.integer({ min: -1e7, max: 9000 }), offsetMs => {
      const path = new Path();
      path.offsetMs = offsetMs;
      path.run(2000, () => 30);
      assert.ok(path.queueMicros <= 2, `${path.queueMicros}`);
      path.run(500, () => 75);
      assert.ok(Math.abs(path.queueMicros - 45_000) <= 2, `${path.queueMicros}`);
      path.run(500, () => 30);
      assert.ok(path.queueMicros <= 2, `${path.queueMicros}`);
    }),
    { numRuns: 30 },
  );
});

test('clocks that drift by 100 ppm for an hour never look like a queue of 4 ms', () => {
  const path = new Path();
  for (let second = 0; second < 3600; second += 10) {
    path.run(10_000, atMs => 30 + (second * 1000 + atMs) * 1e-4);
    assert.ok(path.queueMicros < 4_000, `${path.queueMicros} after ${second} s`);
  }
});

test('a longer path is the base after half a minute, a shorter one at once', () => {
  const path = new Path();
  path.run(5_000, () => 30);
  path.run(10_000, () => 110);
  assert.ok(path.queueMicros > 79_000);
  path.run(30_000, () => 110);
  assert.ok(path.queueMicros < 100, `${path.queueMicros}`);
  path.run(2_000, () => 30);
  path.run(1_000, () => 50);
  assert.ok(Math.abs(path.queueMicros - 20_000) < 100, `${path.queueMicros}`);
});

test("the burst of one frame delays its own tail, and not the interval's smallest", () => {
  const path = new Path();
  path.run(2_000, () => 30);
  path.run(INTERVAL_MS, atMs => (atMs > 15 && atMs < 45 ? 70 : 30));
  assert.equal(path.queueMicros, 0);
});

test('the trend is positive while the delay grows, negative while it shrinks, and is measured in microseconds per second', () => {
  const path = new Path();
  path.run(2_000, () => 30);
  path.run(1_000, atMs => 30 + atMs / 10);
  assert.ok(Math.abs(path.delay.trendMicrosPerSecond - 100_000) < 15_000, `${path.delay.trendMicrosPerSecond}`);
  path.run(1_000, atMs => 130 - atMs / 10);
  assert.ok(path.delay.trendMicrosPerSecond < -80_000, `${path.delay.trendMicrosPerSecond}`);
  path.run(3_000, () => 30);
  assert.ok(Math.abs(path.delay.trendMicrosPerSecond) < 1_000);
});

test('jitter is that of RFC 3550 section 6.4.1', () => {
  const path = new Path();
  let expected = 0;
  let last = 30;
  path.run(1_000, atMs => {
    const delayMs = 30 + ((atMs / FRAME_MS) % 3) * 4;
    if (atMs > FRAME_MS) expected += (Math.abs(delayMs - last) * 1000 - expected) / 16;
    last = delayMs;
    return delayMs;
  });
  assert.ok(Math.abs(path.delay.jitterMicros - expected) < 60, `${path.delay.jitterMicros}, not ${expected}`);
});

test("a restarted peer's clock is another clock, not a queue of hours", () => {
  const path = new Path();
  path.run(2_000, () => 30);
  path.offsetMs = 9_000;
  path.run(1_000, () => 30);
  assert.ok(path.queueMicros <= 2, `${path.queueMicros}`);
});

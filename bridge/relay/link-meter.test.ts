import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createLinkCounters } from './link-counters.ts';
import { LinkMeter, PING_INTERVAL_MS, toMicros } from './link-meter.ts';
import { LossRecovery } from './loss-recovery.ts';
import { RepairTiming } from './repair-timing.ts';
import { seededRandom } from './simulated-pair.ts';

interface Route {
  readonly thereMs: number;
  readonly backMs: number;
  readonly jitterMs: number;
  /** The peer's clock: so much ahead at the start, and so many millionths faster. */
  readonly aheadMs: number;
  readonly driftPpm: number;
}

/** Pings for `durationMs`; `each` sees the meter and the true offset after every answer. */
function measure(
  seed: number,
  route: Route,
  durationMs: number,
  each: (meter: LinkMeter, offsetMs: number) => void = () => {},
): LinkMeter {
  const random = seededRandom(seed);
  const meter = new LinkMeter();
  const recovery = new LossRecovery(createLinkCounters(), new RepairTiming());
  const peerClockMs = (atMs: number) => atMs + route.aheadMs + (atMs * route.driftPpm) / 1e6;
  for (let atMs = 1000; atMs < 1000 + durationMs; atMs += PING_INTERVAL_MS) {
    const ping = meter.takePing(atMs, 1, recovery);
    const arrivedMs = atMs + route.thereMs + random() * route.jitterMs;
    const heldMs = random() * 5;
    const backAtMs = arrivedMs + heldMs + route.backMs + random() * route.jitterMs;
    meter.handlePong(backAtMs, {
      number: ping.number,
      receivedMicros: toMicros(peerClockMs(arrivedMs)),
      sentMicros: toMicros(peerClockMs(arrivedMs + heldMs)),
    });
    each(meter, peerClockMs(backAtMs) - backAtMs);
  }
  return meter;
}

test("the peer's clock is known to half a round trip, however unequal the ways, and however the clocks drift", () => {
  fc.assert(
    fc.property(
      fc.integer(),
      fc.record({
        thereMs: fc.double({ min: 0.5, max: 150, noNaN: true }),
        backMs: fc.double({ min: 0.5, max: 150, noNaN: true }),
        jitterMs: fc.double({ min: 0, max: 30, noNaN: true }),
        aheadMs: fc.integer({ min: 0, max: 10_000_000 }),
        driftPpm: fc.integer({ min: -200, max: 200 }),
      }),
      (seed, route) => {
        const leastRttMs = route.thereMs + route.backMs;
        measure(seed, route, 120_000, (meter, offsetMs) => {
          const errorMs = Math.abs((meter.clockOffsetMs ?? Number.NaN) - offsetMs);
          // The quickest of recent round trips has nearly no jitter in it; a drift of 200 ppm is 1 ms in the 5 s until the next of them.
          assert.ok(errorMs <= (leastRttMs + route.jitterMs) / 2 + 2, `${errorMs} ms off`);
        });
      },
    ),
    { numRuns: 60 },
  );
});

test('on equal ways jitter does not show in the offset', () => {
  const route = { thereMs: 40, backMs: 40, jitterMs: 40, aheadMs: 5000, driftPpm: 50 };
  let worstMs = 0;
  let pongs = 0;
  measure(2, route, 120_000, (meter, offsetMs) => {
    if (pongs++ > 40) worstMs = Math.max(worstMs, Math.abs((meter.clockOffsetMs ?? Number.NaN) - offsetMs));
  });
  assert.ok(worstMs < 20, `${worstMs} ms`);
});

test('a clock that drifts is followed', () => {
  const route = { thereMs: 10, backMs: 10, jitterMs: 1, aheadMs: 0, driftPpm: 200 };
  let lastMs = 0;
  const meter = measure(3, route, 600_000, (_meter, offsetMs) => {
    lastMs = offsetMs;
  });
  assert.ok(lastMs > 100);
  assert.ok(Math.abs((meter.clockOffsetMs ?? 0) - lastMs) < 2, `${meter.clockOffsetMs} for ${lastMs}`);
});

test('the mean deviation of the round trip is what jitter makes of it', () => {
  const steady = measure(4, { thereMs: 40, backMs: 40, jitterMs: 0, aheadMs: 0, driftPpm: 0 }, 10_000);
  const varied = measure(4, { thereMs: 40, backMs: 40, jitterMs: 40, aheadMs: 0, driftPpm: 0 }, 10_000);
  assert.ok(steady.rttDeviationMs < 0.1, `${steady.rttDeviationMs}`);
  assert.ok(varied.rttDeviationMs > 4 && varied.rttDeviationMs < 40, `${varied.rttDeviationMs}`);
});

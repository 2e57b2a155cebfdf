import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type LoadLimits, LoadMeter, type LoadSample } from './load.ts';
import { type PortCounters, portCounters } from './port-counters.ts';

const limits: LoadLimits = {
  cpu: 0.9,
  packetsPerSecond: 1_000,
  bitsPerSecond: 0,
  eventLoopDelayMs: 50,
  tracks: 0,
  endpoints: 100,
};

function port(packets: number, bytes: number): PortCounters {
  return { ...portCounters(), received: packets, receivedBytes: bytes, sent: packets, sentBytes: 2 * bytes };
}

interface Steady {
  readonly cpuPerSecondUs?: number;
  readonly packets?: number;
  readonly endpoints?: number;
  readonly changes?: Partial<LoadSample>;
}

/** The load after 20 s of the same in each: 1 kbit/s in, 2 kbit/s out. */
function settle(meter: LoadMeter, { cpuPerSecondUs = 0, packets = 0, endpoints = 0, changes }: Steady) {
  const sample = (second: number): LoadSample => ({
    nowMs: second * 1_000,
    cpuUs: second * cpuPerSecondUs,
    stolenShare: 0,
    eventLoopDelayMs: 0,
    ports: [port((second * packets) / 2, second * 125)],
    endpoints,
    conferences: 1,
    sources: 2,
    unsettledEndpoints: 0,
    joinsLastMinute: 0,
    ...changes,
  });
  let load = meter.measure(sample(0));
  for (let second = 1; second <= 20; second++) load = meter.measure(sample(second));
  return load;
}

test('an idle bridge has no stress', () => {
  assert.equal(settle(new LoadMeter(limits), {}).stress, 0);
});

test('the scarcest resource makes the stress, and is named', () => {
  const cases: readonly [Steady, Partial<LoadLimits>, number, string][] = [
    [{ cpuPerSecondUs: 450_000, packets: 10, endpoints: 1 }, {}, 0.5, 'cpu'],
    [{ cpuPerSecondUs: 1_000, packets: 700, endpoints: 1 }, {}, 0.7, 'packets'],
    [{ cpuPerSecondUs: 1_000, packets: 10, endpoints: 100 }, {}, 1, 'endpoints'],
    [{ changes: { eventLoopDelayMs: 30 } }, {}, 0.6, 'event-loop-delay'],
    [{}, { bitsPerSecond: 8_000 }, 0.25, 'bandwidth'],
    [{}, { tracks: 5 }, 0.4, 'tracks'],
  ];
  for (const [steady, changed, stress, scarcest] of cases) {
    const load = settle(new LoadMeter({ ...limits, ...changed }), steady);
    assert.deepEqual([load.stress, load.scarcest], [stress, scarcest]);
  }
});

test('stolen time is used time', () => {
  const load = settle(new LoadMeter(limits), { cpuPerSecondUs: 180_000, changes: { stolenShare: 0.27 } });
  assert.deepEqual([load.cpu, load.stress], [0.45, 0.5]);
});

test('bit rates are per direction', () => {
  const load = settle(new LoadMeter(limits), { packets: 10, endpoints: 1 });
  assert.equal(load.bitrateInBps, 1_000);
  assert.equal(load.bitrateOutBps, 2_000);
});

test('joins of late are reported as they are', () => {
  const load = settle(new LoadMeter(limits), { changes: { unsettledEndpoints: 2.5, joinsLastMinute: 7 } });
  assert.deepEqual([load.unsettledEndpoints, load.joinsLastMinute], [2.5, 7]);
});

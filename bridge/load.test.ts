import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LoadMeter } from './load.ts';
import { type PortCounters, portCounters } from './port-counters.ts';

const limits = { cpu: 0.9, packetsPerSecond: 1_000, endpoints: 100 };

function port(packets: number, bytes: number): PortCounters {
  return { ...portCounters(), received: packets, receivedBytes: bytes, sent: packets, sentBytes: 2 * bytes };
}

function settle(meter: LoadMeter, sample: { cpuPerSecondUs: number; packets: number; endpoints: number }) {
  let load = meter.measure({ nowMs: 0, cpuUs: 0, ports: [port(0, 0)], endpoints: 0, conferences: 0, sources: 0 });
  for (let second = 1; second <= 20; second++) {
    load = meter.measure({
      nowMs: second * 1_000,
      cpuUs: second * sample.cpuPerSecondUs,
      ports: [port((second * sample.packets) / 2, second * 125)],
      endpoints: sample.endpoints,
      conferences: 1,
      sources: 2,
    });
  }
  return load;
}

test('an idle bridge has no stress', () => {
  assert.equal(settle(new LoadMeter(limits), { cpuPerSecondUs: 0, packets: 0, endpoints: 0 }).stress, 0);
});

test('the scarcest resource makes the stress', () => {
  const byCpu = settle(new LoadMeter(limits), { cpuPerSecondUs: 450_000, packets: 10, endpoints: 1 });
  assert.equal(byCpu.stress, 0.5);
  const byPackets = settle(new LoadMeter(limits), { cpuPerSecondUs: 1_000, packets: 700, endpoints: 1 });
  assert.equal(byPackets.stress, 0.7);
  const byEndpoints = settle(new LoadMeter(limits), { cpuPerSecondUs: 1_000, packets: 10, endpoints: 100 });
  assert.equal(byEndpoints.stress, 1);
});

test('bit rates are per direction', () => {
  const load = settle(new LoadMeter(limits), { cpuPerSecondUs: 0, packets: 10, endpoints: 1 });
  assert.equal(load.bitrateInBps, 1_000);
  assert.equal(load.bitrateOutBps, 2_000);
});

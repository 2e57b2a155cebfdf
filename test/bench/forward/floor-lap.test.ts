import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CASES } from './cases.ts';
import { burstsOf, burstWaitMs, sinksOf } from './floor-lap.ts';
import { rateOf, streamsOf } from './traffic.ts';

function planOf(name: string) {
  return CASES.find(found => found.name === name)!.plan();
}

test('a webinar goes out as many times as it has subscribers', () => {
  const streams = streamsOf(planOf('webinar-200'));
  assert.deepEqual(
    streams.map(({ program, fanOut }) => [program.kind, fanOut]),
    [
      ['audio', 200],
      ['video', 200],
    ],
  );
  const { inPps, outPps } = rateOf(streams);
  assert.ok(Math.abs(outPps / inPps - 200) < 0.01);
  assert.ok(inPps > 250 && inPps < 400, `${inPps}`);
});

test('in a meeting everybody hears all others, sees one large and seven small, and nobody sees himself', () => {
  const { endpoints } = planOf('meeting-40');
  for (const [self, { subscriptions }] of endpoints.entries()) {
    assert.ok(subscriptions.every(({ publisher }) => publisher !== self));
    assert.equal(subscriptions.filter(({ sourceId }) => sourceId === 1).length, 39);
    const seen = subscriptions.filter(({ sourceId, isEnabled }) => sourceId === 2 && isEnabled);
    assert.deepEqual(seen.map(({ layerMax }) => layerMax).toSorted(), [0, 0, 0, 0, 0, 0, 0, 2]);
  }
});

test('the floor has the mix of the plan: packets of each kind in proportion, and sizes alike', () => {
  for (const { name, plan } of CASES) {
    const streams = streamsOf(plan());
    const bursts = burstsOf(plan());
    const packets = bursts.reduce((sum, { lengths, sinks }) => sum + lengths.length * sinks.length, 0);
    const bytes = bursts.reduce((sum, { lengths, sinks }) => sum + sinks.length * lengths.reduce((a, b) => a + b), 0);
    const { payloadBytes } = rateOf(streams);
    assert.ok(
      Math.abs((bytes / packets - 44) / payloadBytes - 1) < 0.1,
      `${name}: ${bytes / packets}, ${payloadBytes}`,
    );
    const places = sinksOf(plan());
    assert.ok(bursts.every(({ sinks }) => sinks.every(sink => sink < places) && new Set(sinks).size === sinks.length));
  }
});

test('a packet waits for those before it in its burst', () => {
  const burst = { lengths: [1_000, 1_000], sinks: Array.from({ length: 50 }, (_, sink) => sink) };
  assert.deepEqual(burstWaitMs([burst], 10), { p50: 0.5, p99: 0.99 });
  assert.deepEqual(burstWaitMs([{ lengths: [100], sinks: [0] }], 10), { p50: 0.01, p99: 0.01 });
});

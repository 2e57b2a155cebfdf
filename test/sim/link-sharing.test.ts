/** Several links through one bottleneck. Jain's index of their rates: 1 for equal shares, 1/n when one has all. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LayeredSender } from './layered-sender.fixture.ts';
import { LinkWorld } from './link-path.fixture.ts';

const SEEDS = [1, 2, 3];

/** Links that want twice their share, in steps of 350 kbit/s so that shares can be met. */
function contenders(seed: number, links: number, shareBps: number) {
  const world = new LinkWorld({ seed, links, forward: { rateBps: links * shareBps } });
  const senders = world.pairs.map(
    ({ sender }) =>
      new LayeredSender(sender, world.chance, { cameras: 12, layersBps: [150_000, 500_000], stepMs: 500 }),
  );
  return { world, senders };
}

/** Bit/s that each link brings over, mean of `durationMs`. */
function ratesBps(world: LinkWorld, durationMs: number, senders: readonly LayeredSender[]): number[] {
  const before = world.pairs.map(pair => pair.bytes);
  world.run(durationMs, nowMs => {
    for (const sender of senders) sender.step(nowMs);
  });
  return world.pairs.map((pair, index) => ((pair.bytes - before[index]) * 8000) / durationMs);
}

function jain(rates: readonly number[]): number {
  const sum = rates.reduce((total, rate) => total + rate, 0);
  return sum ** 2 / (rates.length * rates.reduce((total, rate) => total + rate ** 2, 0));
}

for (const links of [2, 4]) {
  test(`${links} equal links share a bottleneck equally, and use it`, () => {
    const indices: number[] = [];
    for (const seed of SEEDS) {
      const { world, senders } = contenders(seed, links, 3_000_000);
      ratesBps(world, 30_000, senders);
      const rates = ratesBps(world, 30_000, senders);
      const text = `seed ${seed}: ${rates.map(rate => Math.round(rate / 1000))} kbit/s`;
      indices.push(jain(rates));
      assert.ok(jain(rates) >= 0.9, text);
      const mean = rates.reduce((sum, rate) => sum + rate) / links;
      assert.ok(mean > 0.75 * 3_000_000, text);
    }
    const mean = indices.reduce((sum, index) => sum + index) / indices.length;
    assert.ok(mean >= 0.97, `Jain's index ${indices}`);
  });
}

test('a link that comes later gets its share within 30 s', () => {
  for (const seed of SEEDS) {
    const { world, senders } = contenders(seed, 2, 3_000_000);
    ratesBps(world, 20_000, senders.slice(0, 1));
    ratesBps(world, 30_000, senders);
    const rates = ratesBps(world, 30_000, senders);
    assert.ok(jain(rates) >= 0.95, `seed ${seed}: ${rates.map(rate => Math.round(rate / 1000))} kbit/s`);
  }
});

test('when one of two links ends, the other takes what it left', () => {
  for (const seed of SEEDS) {
    const { world, senders } = contenders(seed, 2, 3_000_000);
    ratesBps(world, 20_000, senders);
    const [before] = ratesBps(world, 10_000, senders);
    ratesBps(world, 15_000, senders.slice(0, 1));
    const [after] = ratesBps(world, 10_000, senders.slice(0, 1));
    assert.ok(after > 1.4 * before, `seed ${seed}: ${before}, then ${after}`);
  }
});

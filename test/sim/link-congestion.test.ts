/** One link with a sender that obeys its budget, over paths that are limited, lossy, or only look so. In virtual time; a failure names its seed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { REKEY_AGE_MS } from '../../bridge/relay/link-session.ts';
import type { EndpointId } from '../../protocol/ids.ts';
import { FRAME_REPORT } from '../../protocol/octo/header.ts';
import type { PathSettings } from '../wan/path-settings.ts';
import { LayeredSender, type SenderOptions } from './layered-sender.fixture.ts';
import { CONFERENCE, LinkWorld, type WorldOptions } from './link-path.fixture.ts';

const SEEDS = [1, 2, 3];
const LIMIT_BPS = 1_800_000;

/** Three cameras of 1.7 Mbit/s, so 5.4 Mbit/s with headers. */
function start(options: WorldOptions, sender: Partial<SenderOptions> = {}) {
  const world = new LinkWorld(options);
  const [pair] = world.pairs;
  return {
    world,
    pair,
    link: pair.sender,
    cameras: new LayeredSender(pair.sender, world.chance, { cameras: 3, ...sender }),
  };
}

for (const queueMs of [50, 200]) {
  test(`a path that falls to a third, with ${queueMs} ms of queue: little queue within 1.5 s, the new rate is used, and all is back within 10 s`, () => {
    for (const seed of SEEDS) {
      const { world, pair, link, cameras } = start({ seed }, { stepMs: 500 });
      const step = (nowMs: number) => cameras.step(nowMs);
      world.run(10_000, step);
      assert.equal(link.sendBudgetBps, Number.POSITIVE_INFINITY, `seed ${seed}`);
      world.forward.change({ rateBps: LIMIT_BPS, queueMs });
      world.run(1_500, step);
      const budgetsBps: number[] = [];
      const delaysMs: number[] = [];
      world.run(18_500, nowMs => {
        cameras.step(nowMs);
        delaysMs.push(pair.delayMs - 25);
        if (delaysMs.length > 500) budgetsBps.push(link.sendBudgetBps / LIMIT_BPS);
      });
      const slow = delaysMs.filter(delayMs => delayMs > 60).length / delaysMs.length;
      assert.ok(slow < 0.1, `seed ${seed}: over 60 ms of queue for ${slow} of the time`);
      const mean = budgetsBps.reduce((sum, share) => sum + share) / budgetsBps.length;
      assert.ok(mean >= 0.7 && mean <= 1, `seed ${seed}: budget ${mean} of the path`);
      assert.ok(cameras.stepsUp <= 12, `seed ${seed}: ${cameras.stepsUp} key frames for steps up`);
      world.forward.change({ rateBps: 0 });
      const wholeMs = world.runUntil(() => cameras.isWhole, 10_000, step);
      assert.ok(wholeMs <= 10_000);
      world.runUntil(() => link.sendBudgetBps === Number.POSITIVE_INFINITY, 20_000, step);
      const reasons = link.congestion.budget.log.changes.map(({ reason }) => reason);
      assert.ok(reasons.includes('probe-passed') && reasons.at(-1) === 'unlimited', `seed ${seed}: ${reasons}`);
    }
  });
}

const HARMLESS: readonly (readonly [name: string, forward: Partial<PathSettings>, options?: WorldOptions])[] = [
  ['two per cent lost at random', { randomLossShare: 0.02 }],
  ['ten per cent lost in bursts of five', { lossShare: 0.1, burstLength: 5 }],
  ['10 ms of jitter', { jitterMs: 10 }],
  ['clocks that drift by 100 ppm', {}, { driftPpm: 100 }],
  ['clocks that drift by -100 ppm', {}, { driftPpm: -100 }],
  ['reordering and duplicates', { reorderShare: 0.05, duplicateShare: 0.02 }],
  ['a path of twice the rate', { rateBps: 11_000_000 }],
];

for (const [name, forward, options] of HARMLESS) {
  test(`${name}: no reason to send less`, () => {
    for (const seed of SEEDS) {
      const { world, link, cameras } = start({ ...options, seed, forward });
      world.run(90_000, nowMs => cameras.step(nowMs));
      const { changes } = link.congestion.budget.log;
      assert.deepEqual(changes, [], `seed ${seed}`);
      assert.equal(cameras.stepsDown, 0);
    }
  });
}

test('a policer that queues nothing is noticed within 5 s, whether or not the rate swings, and afterwards little is lost to it', () => {
  for (const seed of SEEDS) {
    for (const variation of [0, 0.3]) {
      const { world, link, cameras } = start({ seed }, { variation, stepMs: 500 });
      const step = (nowMs: number) => cameras.step(nowMs);
      world.run(10_000, step);
      world.forward.change({ rateBps: LIMIT_BPS, queueMs: 12 });
      world.runUntil(() => link.sendBudgetBps < Number.POSITIVE_INFINITY, 5_000, step);
      assert.equal(link.congestion.budget.log.changes[0].reason, 'loss-with-rate');
      world.run(3_000, step);
      const before = { ...world.forward.counters };
      world.run(20_000, step);
      const dropped = world.forward.counters.queueFull - before.queueFull;
      const share = dropped / (world.forward.counters.offered - before.offered);
      assert.ok(share < 0.08, `seed ${seed}: ${share} dropped`);
      assert.ok(link.sendBudgetBps < 1.4 * LIMIT_BPS, `${link.sendBudgetBps}`);
    }
  }
});

test('a route that is 80 ms longer is taken for what it is within 3 s', () => {
  for (const seed of SEEDS) {
    const { world, link, cameras } = start({ seed });
    const step = (nowMs: number) => cameras.step(nowMs);
    world.run(10_000, step);
    world.forward.change({ delayMs: 105 });
    world.run(3_000, step);
    assert.equal(link.sendBudgetBps, Number.POSITIVE_INFINITY, `seed ${seed}`);
    const count = link.congestion.budget.log.changes.length;
    world.run(60_000, step);
    world.forward.change({ delayMs: 25 });
    world.run(60_000, step);
    assert.equal(
      link.congestion.budget.log.changes.length,
      count,
      `seed ${seed}: nothing after, and nothing on the way back`,
    );
    assert.ok(cameras.isWhole);
  }
});

test('with everything held back nothing flows that could be measured: more is tried all the same', () => {
  const { world, link, cameras } = start({ seed: 8 });
  world.forward.change({ rateBps: 200_000 });
  world.run(8_000, nowMs => cameras.step(nowMs));
  assert.ok(link.sendBudgetBps < 300_000, `${link.sendBudgetBps}`);
  world.forward.change({ rateBps: 0 });
  link.demandBps = 3_000_000;
  world.run(15_000);
  assert.ok(link.sendBudgetBps > 2_000_000, `${link.sendBudgetBps}`);
});

test('a link that falls silent while its queue drains has no budget some time later', () => {
  const { world, link, cameras } = start({ seed: 9 });
  world.forward.change({ rateBps: LIMIT_BPS });
  world.runUntil(
    () => link.sendBudgetBps < Number.POSITIVE_INFINITY,
    3_000,
    nowMs => cameras.step(nowMs),
  );
  link.demandBps = 0;
  world.run(13_000);
  assert.equal(link.sendBudgetBps, Number.POSITIVE_INFINITY);
});

test('messages that wait are a reason to try for more', () => {
  const { world, link } = start({ seed: 10 });
  const { sender } = world.pairs[0];
  const send = () => sender.sendMessage(world.nowMs, CONFERENCE, 7 as EndpointId, true, Buffer.alloc(60_000));
  world.forward.change({ rateBps: 300_000 });
  world.run(6_000, () => {
    if (link.dialogue.queuedBytes < 200_000) send();
  });
  assert.ok(link.sendBudgetBps < 400_000, `${link.sendBudgetBps}`);
  world.forward.change({ rateBps: 0 });
  while (link.dialogue.queuedBytes < 1_000_000) send();
  const tookMs = world.runUntil(() => link.dialogue.queuedBytes === 0, 10_000);
  assert.ok(tookMs < 10_000, `${tookMs} ms`);
});

test('a third of the reports lost and the rest late: the path is measured all the same', () => {
  const { world, link, cameras } = start(
    { seed: 4, backward: { randomLossShare: 0.33, jitterMs: 20 } },
    { stepMs: 500 },
  );
  const step = (nowMs: number) => cameras.step(nowMs);
  world.run(30_000, step);
  assert.deepEqual(link.congestion.budget.log.changes, []);
  world.forward.change({ rateBps: LIMIT_BPS });
  world.run(20_000, step);
  assert.ok(link.sendBudgetBps > 0.6 * LIMIT_BPS && link.sendBudgetBps < 1.2 * LIMIT_BPS, `${link.sendBudgetBps}`);
  world.forward.change({ rateBps: 0 });
  world.runUntil(() => cameras.isWhole, 10_000, step);
});

test('without a single report nothing is limited, and nothing tried', () => {
  const { world, link, cameras } = start({ seed: 5 });
  world.filter = (bytes, isForward) => isForward || (bytes[0] & 0x0f) !== FRAME_REPORT;
  world.forward.change({ rateBps: LIMIT_BPS });
  world.run(10_000, nowMs => cameras.step(nowMs));
  assert.equal(link.sendBudgetBps, Number.POSITIVE_INFINITY);
  assert.equal(link.counters.probesOut, 0);
});

test('new keys in the middle of a limit change nothing about it', () => {
  const { world, pair, link, cameras } = start({ seed: 6 }, { stepMs: 500 });
  const step = (nowMs: number) => cameras.step(nowMs);
  world.run(REKEY_AGE_MS - 12_000);
  world.run(5_000, step);
  world.forward.change({ rateBps: LIMIT_BPS });
  world.run(5_000, step);
  const handshakes = link.counters.handshakes;
  let [lowest, highest] = [Number.POSITIVE_INFINITY, 0];
  world.run(12_000, nowMs => {
    cameras.step(nowMs);
    lowest = Math.min(lowest, link.sendBudgetBps);
    highest = Math.max(highest, link.sendBudgetBps);
  });
  assert.ok(link.counters.handshakes > handshakes, 'there were new keys');
  assert.ok(lowest > 0.5 * LIMIT_BPS && highest < 1.3 * LIMIT_BPS, `${lowest} to ${highest}`);
  assert.ok(pair.delayMs < 150, `${pair.delayMs}`);
});

test('a voice is sent whole however small the budget', () => {
  const { world, pair, link, cameras } = start({ seed: 7 });
  world.forward.change({ rateBps: 150_000 });
  world.run(5_000, nowMs => cameras.step(nowMs));
  const before = { sent: link.counters.packetsOut, came: pair.audioPackets };
  world.run(20_000, nowMs => cameras.step(nowMs));
  const came = pair.audioPackets - before.came;
  assert.ok(came >= 990, `${came} of 1000 packets of audio`);
  assert.ok(link.sendBudgetBps < 300_000, `${link.sendBudgetBps}`);
});

test('the same seed is the same run', () => {
  const changes = [1, 1].map(seed => {
    const { world, link, cameras } = start({ seed, forward: { jitterMs: 3 } });
    world.forward.change({ rateBps: LIMIT_BPS });
    world.run(15_000, nowMs => cameras.step(nowMs));
    return link.congestion.budget.log.changes;
  });
  assert.ok(changes[0].length > 3);
  assert.deepEqual(changes[0], changes[1]);
});

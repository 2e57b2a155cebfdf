import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../relay/simulated-pair.ts';
import { LossRelation, type LossVerdict } from './loss-relation.ts';

const REPORT_MS = 50;
const SEEDS = 20;

/** Frames in 50 ms of a video of about 400 a second whose rate swings by `swing`, slowly, as pictures do. */
function frames(random: () => number, step: number, swing: number): number {
  const slow = Math.sin(step / 9) + Math.sin(step / 23);
  return Math.max(1, Math.round(20 * (1 + (swing * slow) / 2 + 0.1 * (2 * random() - 1))));
}

/** All verdicts of `seconds` on a path that says how many of `sent` arrive. */
function verdicts(seed: number, seconds: number, swing: number, path: (random: () => number, sent: number) => number) {
  const random = seededRandom(seed);
  const relation = new LossRelation();
  const seen: LossVerdict[] = [];
  for (let step = 0; step < (seconds * 1000) / REPORT_MS; step++) {
    const sent = frames(random, step, swing);
    relation.add(REPORT_MS, sent, path(random, sent));
    seen.push(relation.verdict);
  }
  return seen;
}

function randomLoss(share: number) {
  return (random: () => number, sent: number) => {
    let arrived = 0;
    for (let frame = 0; frame < sent; frame++) if (random() >= share) arrived++;
    return arrived;
  };
}

/** Gilbert and Elliott: `share` lost in bursts of five on average. */
function burstLoss(share: number) {
  const toGood = 1 / 5;
  const toBad = (toGood * share) / (1 - share);
  let isBad = false;
  return (random: () => number, sent: number) => {
    let arrived = 0;
    for (let frame = 0; frame < sent; frame++) {
      isBad = isBad ? random() >= toGood : random() < toBad;
      if (!isBad) arrived++;
    }
    return arrived;
  };
}

test('loss at random, of two per cent or in bursts of ten, never looks like that of a rate', () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    for (const swing of [0, 0.1, 0.3]) {
      assert.ok(!verdicts(seed, 120, swing, randomLoss(0.02)).includes('with-rate'), `seed ${seed}, random`);
      assert.ok(!verdicts(seed, 120, swing, burstLoss(0.1)).includes('with-rate'), `seed ${seed}, bursts`);
    }
  }
});

test('what a policer drops is loss that comes with the rate: known within three seconds of a video that swings', () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const seen = verdicts(seed, 6, 0.3, (_random, sent) => Math.min(sent, 12));
    const atMs = seen.indexOf('with-rate') * REPORT_MS;
    assert.ok(atMs >= 0 && atMs <= 3_000, `seed ${seed}: ${atMs} ms`);
  }
});

test('a constant rate leaves it unsure, and a third more for half a second tells', () => {
  const relation = new LossRelation();
  const run = (steps: number, sent: number) => {
    for (let step = 0; step < steps; step++) relation.add(REPORT_MS, sent, 12);
  };
  run(100, 20);
  assert.equal(relation.verdict, 'unsure');
  run(10, 26);
  assert.equal(relation.verdict, 'with-rate');
});

test('a path without loss is not judged', () => {
  assert.deepEqual(new Set(verdicts(1, 30, 0.3, (_random, sent) => sent)), new Set(['none']));
});

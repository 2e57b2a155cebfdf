import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Chance } from '../soak/chance.ts';
import { BurstLoss, burstLossShareMax, gilbertElliott } from './burst-loss.ts';

const DATAGRAMS = 200_000;
const SEEDS = [1, 2, 3];
/** Chance of a false alarm: 1 in 16,000 a comparison, and the seeds are fixed. */
const SIGMAS = 4;

function losses(seed: number, lossShare: number, burstLength: number, randomLossShare = 0): boolean[] {
  const chance = new Chance(seed);
  const loss = new BurstLoss(() => chance.fraction(), gilbertElliott(lossShare, burstLength, randomLossShare));
  return Array.from({ length: DATAGRAMS }, () => loss.next() !== undefined);
}

function shareOf(lost: readonly boolean[]): number {
  return lost.filter(Boolean).length / lost.length;
}

function runsOf(lost: readonly boolean[]): number[] {
  const runs: number[] = [];
  for (const [index, isLost] of lost.entries()) {
    if (!isLost) continue;
    if (index > 0 && lost[index - 1]) runs[runs.length - 1]++;
    else runs.push(1);
  }
  return runs;
}

test('the four parameters give back the share and the length they were made from', () => {
  for (const [share, length] of [
    [0.02, 1],
    [0.1, 5],
    [0.3, 20],
    [0.5, 1],
  ]) {
    const { toBad, toGood, lossInBad } = gilbertElliott(share, length, 0);
    assert.ok(Math.abs((toBad / (toBad + toGood)) * lossInBad - share) < 1e-12);
    assert.ok(Math.abs(1 / toGood - length) < 1e-12);
  }
  assert.equal(gilbertElliott(burstLossShareMax(5), 5, 0).toBad, 1);
});

test('bursts lose the share asked for, in runs of the mean length asked for', () => {
  for (const seed of SEEDS) {
    for (const [share, length] of [
      [0.02, 1.5],
      [0.1, 5],
      [0.3, 20],
    ]) {
      const lost = losses(seed, share, length);
      const { toBad, toGood } = gilbertElliott(share, length, 0);
      // A chain's mean varies more than that of independent trials, by (1+c)/(1-c), where c = 1-p-r is its correlation from one step to the next.
      const c = 1 - toBad - toGood;
      const shareDeviation = Math.sqrt((share * (1 - share) * ((1 + c) / (1 - c))) / DATAGRAMS);
      assert.ok(
        Math.abs(shareOf(lost) - share) < SIGMAS * shareDeviation,
        `seed ${seed}: ${shareOf(lost)} of ${share}`,
      );
      const runs = runsOf(lost);
      const mean = runs.reduce((sum, run) => sum + run, 0) / runs.length;
      // Runs are geometric: variance B(B-1).
      const meanDeviation = Math.sqrt((length * (length - 1)) / runs.length);
      assert.ok(Math.abs(mean - length) < SIGMAS * meanDeviation, `seed ${seed}: ${mean} of ${length}`);
    }
  }
});

test('runs are geometric: each loss is followed by another with the same probability', () => {
  const length = 5;
  const runs = runsOf(losses(7, 0.1, length));
  for (const least of [2, 5, 10, 15]) {
    const expected = (1 - 1 / length) ** (least - 1);
    const share = runs.filter(run => run >= least).length / runs.length;
    const deviation = Math.sqrt((expected * (1 - expected)) / runs.length);
    assert.ok(
      Math.abs(share - expected) < SIGMAS * deviation,
      `${share} of runs are ${least} or longer, not ${expected}`,
    );
  }
});

test('without a burst length losses are independent of each other', () => {
  for (const seed of SEEDS) {
    const share = 0.1;
    const lost = losses(seed, share, 0);
    const deviation = Math.sqrt((share * (1 - share)) / DATAGRAMS);
    assert.ok(Math.abs(shareOf(lost) - share) < SIGMAS * deviation);
    const afterLoss = lost.filter((_, index) => index > 0 && lost[index - 1]);
    const afterDeviation = Math.sqrt((share * (1 - share)) / afterLoss.length);
    assert.ok(Math.abs(shareOf(afterLoss) - share) < SIGMAS * afterDeviation);
  }
});

test('random loss takes its share of what the bursts leave', () => {
  const lost = losses(4, 0.1, 5, 0.2);
  const expected = 0.1 + 0.9 * 0.2;
  // The burst part alone has correlation c = 1-p-r; taking it for all of the variance is on the safe side.
  const { toBad, toGood } = gilbertElliott(0.1, 5, 0);
  const c = 1 - toBad - toGood;
  const deviation = Math.sqrt((expected * (1 - expected) * ((1 + c) / (1 - c))) / DATAGRAMS);
  assert.ok(Math.abs(shareOf(lost) - expected) < SIGMAS * deviation);
});

test('nothing is lost from the moment that loss is turned off, everything once it is total', () => {
  const chance = new Chance(5);
  const loss = new BurstLoss(() => chance.fraction(), gilbertElliott(0.5, 100, 0));
  while (loss.next() === undefined);
  loss.change(gilbertElliott(0, 100, 0));
  for (let index = 0; index < 1000; index++) assert.equal(loss.next(), undefined);
  loss.change(gilbertElliott(1, 0, 0));
  for (let index = 0; index < 1000; index++) assert.equal(loss.next(), 'loss');
});

test('the first datagram is lost as often as any other', () => {
  const paths = 20_000;
  const share = 0.2;
  let lost = 0;
  for (let seed = 0; seed < paths; seed++) {
    const chance = new Chance(seed);
    if (new BurstLoss(() => chance.fraction(), gilbertElliott(share, 10, 0)).next() !== undefined) lost++;
  }
  assert.ok(Math.abs(lost / paths - share) < SIGMAS * Math.sqrt((share * (1 - share)) / paths), `${lost / paths}`);
});

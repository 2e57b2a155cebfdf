/** Distributions that the simulated people follow, drawn from the seeded chance. */
import type { Chance } from '../soak/chance.ts';

/** A uniform uint32, as placement wants its draws. */
export function uint32(chance: Chance): number {
  return Math.floor(chance.fraction() * 0x1_0000_0000);
}

/** A whole number from `min` to `max`, both possible. */
export function between(chance: Chance, min: number, max: number): number {
  return min + chance.below(max - min + 1);
}

export function exponential(chance: Chance, mean: number): number {
  return -mean * Math.log(1 - chance.fraction());
}

/** Box and Muller. */
export function normal(chance: Chance, mean: number, deviation: number): number {
  const radius = Math.sqrt(-2 * Math.log(1 - chance.fraction()));
  return mean + deviation * radius * Math.cos(2 * Math.PI * chance.fraction());
}

/** How often something rare happens: Knuth's method up to a mean of 30, the normal approximation beyond. */
export function poisson(chance: Chance, mean: number): number {
  if (mean > 30) return Math.max(0, Math.round(normal(chance, mean, Math.sqrt(mean))));
  const limit = Math.exp(-mean);
  let count = 0;
  for (let product = chance.fraction(); product > limit; product *= chance.fraction()) count++;
  return count;
}

/** An index with a chance in proportion to its weight. */
export function weighted(chance: Chance, weights: readonly number[]): number {
  let left = chance.fraction() * weights.reduce((sum, weight) => sum + weight, 0);
  for (const [index, weight] of weights.entries()) {
    left -= weight;
    if (left < 0) return index;
  }
  return weights.length - 1;
}

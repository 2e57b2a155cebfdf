/**
 * Worlds that once failed, and what they showed. Each fault has a unit test beside the code it was in; these say that the whole still holds where it once did
 * not. A change of what a seed makes of a world takes the point from its line: then the unit test is what is left.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderFailure } from './render.ts';
import { runWorld } from './run-world.ts';

const SEEDS: readonly (readonly [readonly number[], string])[] = [
  [[20, 66, 111], 'what a source went on sending while it was muted is not asked for again when it is unmuted'],
  [
    [55, 78, 146],
    'a restarted bridge is back soon although its peer heard of its certificate too late for the first handshake',
  ],
  [[42, 59, 107], 'a frame that was put together from parity is taken in like any other'],
  [[333], 'a picture that is disabled and enabled again does not use a sequence number twice'],
];

for (const [seeds, claim] of SEEDS) {
  test(`${claim} (worlds ${seeds.join(', ')})`, () => {
    for (const seed of seeds) {
      const report = runWorld(seed);
      assert.equal(report.failure, undefined, renderFailure(report));
    }
  });
}

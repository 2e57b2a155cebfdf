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
  [[77, 676, 1150], 'a jittery path with little on it gets no budget, and messages that wait are worth a probe'],
  [[1980, 11747, 17177, 17344], 'a budget is gone within 24 s after what it was about'],
  [[633], 'the clock of a picture that begins behind an outage is not set back'],
  [[10150, 24397, 31986], 'after an outage or a silence a key frame is asked for at once'],
  [[16510], 'nothing is due again and again in one moment'],
  [[21320], 'a key frame that comes a second time is not sent under its old numbers'],
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

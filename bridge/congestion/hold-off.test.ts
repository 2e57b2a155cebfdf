import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HoldOff } from './hold-off.ts';

/** How long it lasts after a failure at `nowMs`. */
function lengthMs(holdOff: HoldOff, nowMs: number): number {
  let ms = 0;
  while (!holdOff.isOver(nowMs + ms)) ms += 10;
  return ms;
}

test('a hold-off doubles from one second to thirty with each failure, and begins anew after a success', () => {
  const holdOff = new HoldOff();
  const lengths: number[] = [];
  for (let failure = 0; failure < 8; failure++) {
    holdOff.handleFailure(0, 1e9);
    lengths.push(lengthMs(holdOff, 0));
  }
  assert.deepEqual(lengths, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
  holdOff.restart(100);
  assert.equal(lengthMs(holdOff, 0), 100);
  holdOff.handleFailure(0, 1e9);
  assert.equal(lengthMs(holdOff, 0), 1_000);
});

test('a limit that is young is tried again soon, however many trials have failed', () => {
  const holdOff = new HoldOff();
  for (let failure = 0; failure < 8; failure++) holdOff.handleFailure(0, 20_000);
  assert.equal(lengthMs(holdOff, 0), 5_000);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkRatios } from './guard.ts';

const RECORDED = { fastToFloor: 1.3, portableToFloor: 5 };

test('a ratio that is a fifth worse than on record still holds, one beyond it does not', () => {
  const holding = checkRatios(RECORDED, { fastToFloor: 1.55, portableToFloor: 4 });
  assert.deepEqual(
    holding.map(({ ratio, holds }) => [ratio, holds]),
    [
      ['fastToFloor', true],
      ['portableToFloor', true],
    ],
  );
  const sliding = checkRatios(RECORDED, { fastToFloor: 1.57, portableToFloor: 4 });
  assert.deepEqual(
    sliding.map(({ holds }) => holds),
    [false, true],
  );
});

test('what is on record and cannot be measured any more does not hold', () => {
  const checks = checkRatios(RECORDED, { fastToFloor: null, portableToFloor: null });
  assert.ok(checks.every(({ holds }) => !holds));
});

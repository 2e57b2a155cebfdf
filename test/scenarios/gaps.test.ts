import assert from 'node:assert/strict';
import { test } from 'node:test';
import { longestGap, outageMs } from './gaps.ts';

test('the longest gap is one that ended after the fault, also when it began before it', () => {
  assert.deepEqual(longestGap([0, 500, 600, 700, 900, 1_000], 650), { fromMs: 700, toMs: 900 });
  assert.deepEqual(longestGap([0, 500, 600], 100), { fromMs: 0, toMs: 500 });
  assert.equal(longestGap([0, 500], 501), undefined);
  assert.equal(longestGap([700], 0), undefined);
});

test('an outage lasts from the fault to the frame that ends the gap; frames that were under way do not end it', () => {
  assert.equal(outageMs([0, 66, 133, 1_900, 1_966], 100, 300), 1_800);
});

test('frames that keep coming are no outage, and none at all is one without an end', () => {
  assert.equal(outageMs([0, 66, 133, 200], 100, 300), 0);
  assert.equal(outageMs([0, 66], 100, 300), Number.POSITIVE_INFINITY);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TokenBucket } from './token-bucket.ts';

test('a burst is allowed at once, after that only the rate', () => {
  const bucket = new TokenBucket(10, 3, 0);
  assert.deepEqual([bucket.take(0), bucket.take(0), bucket.take(0), bucket.take(0)], [true, true, true, false]);
  assert.equal(bucket.take(99), false);
  assert.equal(bucket.take(100), true);
  assert.equal(bucket.take(100), false);
  assert.equal(bucket.take(300, 3), false);
  assert.equal(bucket.take(400, 3), true);
});

test('over any time no more are allowed than burst and rate together', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 300 }), { maxLength: 200 }), gapsMs => {
      const bucket = new TokenBucket(10, 5, 0);
      let nowMs = 0;
      let taken = 0;
      for (const gapMs of gapsMs) {
        nowMs += gapMs;
        if (bucket.take(nowMs)) taken++;
      }
      assert.ok(taken <= 5 + nowMs / 100 + 1e-6);
    }),
  );
});

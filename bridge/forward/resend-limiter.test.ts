import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ResendLimiter } from './resend-limiter.ts';

test('a packet is not resent within the shorter of 0.9 RTT and RTT - 5 ms', () => {
  const limiter = new ResendLimiter();
  assert.equal(limiter.allows(0, 70_000, 100), true);
  assert.equal(limiter.allows(89.9, 70_000, 100), false);
  assert.equal(limiter.allows(90, 70_000, 100), true);
  assert.equal(limiter.allows(104.9, 70_000, 20), false);
  assert.equal(limiter.allows(105, 70_000, 20), true);
});

test('other packets are not held back, nor is anything on a path without delay', () => {
  const limiter = new ResendLimiter();
  limiter.allows(0, 1, 100);
  assert.equal(limiter.allows(1, 2, 100), true);
  assert.equal(limiter.allows(2, 1, 0), true);
});

test('a refused resend does not prolong the wait', () => {
  const limiter = new ResendLimiter();
  limiter.allows(0, 1, 100);
  limiter.allows(60, 1, 100);
  assert.equal(limiter.allows(95, 1, 100), true);
});

test('packets that fall on one place are told apart while both are under way', () => {
  const limiter = new ResendLimiter();
  const sequences = Array.from({ length: 300 }, (_, index) => 70_000 + index);
  for (const sequence of sequences) assert.equal(limiter.allows(10, sequence, 200), true);
  for (const sequence of sequences) assert.equal(limiter.allows(20, sequence, 200), false, `${sequence}`);
  for (const sequence of sequences) assert.equal(limiter.allows(200, sequence, 200), true);
});

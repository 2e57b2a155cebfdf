import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SequenceCount } from './sequence-count.ts';

function after(...sequences: number[]): SequenceCount {
  const count = new SequenceCount();
  for (const sequence of sequences) count.handle(sequence, 0);
  return count;
}

test('a stream without gaps misses nothing, across the wrap too', () => {
  const count = after(65_534, 65_535, 0, 1);
  assert.equal(count.received, 4);
  assert.equal(count.missing.size, 0);
  assert.equal(count.highest, 65_537);
});

test('a gap is missing until a late packet or a retransmission fills it', () => {
  const count = after(10, 14);
  assert.deepEqual([...count.missing.keys()], [11, 12, 13]);
  count.handle(12, 0);
  assert.equal(count.recover(13), true);
  assert.deepEqual([...count.missing.keys()], [11]);
  assert.deepEqual([count.received, count.reordered, count.recovered], [3, 1, 1]);
});

test('a second copy is a duplicate, and a retransmission of what is here recovers nothing', () => {
  const count = after(10, 11, 11);
  assert.equal(count.duplicates, 1);
  assert.equal(count.recover(11), false);
  assert.equal(count.received, 2);
});

test('what is missing is asked for after a delay, not twice within the interval, and not for ever', () => {
  const count = after(10);
  count.handle(13, 100);
  const out = new Uint16Array(8);
  assert.equal(count.pollMissing(109, 10, 50, 2, out), 0);
  assert.equal(count.pollMissing(110, 10, 50, 2, out), 2);
  assert.deepEqual([...out.subarray(0, 2)], [11, 12]);
  assert.equal(count.pollMissing(150, 10, 50, 2, out), 0);
  assert.equal(count.pollMissing(160, 10, 50, 2, out), 2);
  assert.equal(count.pollMissing(900, 10, 50, 2, out), 0);
});

test('a new count goes on in the stream where the old one ended, and a gap between them is not its own', () => {
  const count = after(10, 13);
  count.reset();
  count.handle(17, 0);
  assert.deepEqual([count.received, count.missing.size], [1, 0]);
  count.handle(19, 0);
  assert.deepEqual([...count.missing.keys()], [18]);
});

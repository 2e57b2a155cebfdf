import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DueQueue } from './due-queue.ts';

test('what is due comes out by time, and in the order it came where times are equal', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20), { maxLength: 200 }), fc.nat(20), (times, untilMs) => {
      const queue = new DueQueue<number>(1_000, 1_000);
      for (const [index, dueMs] of times.entries()) queue.push(dueMs, index, 1);
      const expected = times
        .map((dueMs, index) => ({ dueMs, index }))
        .sort((a, b) => a.dueMs - b.dueMs || a.index - b.index);
      const drain = (nowMs: number) => {
        const out: number[] = [];
        for (let item = queue.shift(nowMs); item !== undefined; item = queue.shift(nowMs)) out.push(item);
        return out;
      };
      const isDue = ({ dueMs }: { dueMs: number }) => dueMs <= untilMs;
      assert.deepEqual(
        drain(untilMs),
        expected.filter(isDue).map(({ index }) => index),
      );
      const later = expected.filter(one => !isDue(one));
      assert.equal(queue.nextDueMs, later[0]?.dueMs ?? Number.POSITIVE_INFINITY);
      assert.deepEqual(
        drain(20),
        later.map(({ index }) => index),
      );
      assert.deepEqual([queue.size, queue.bytes], [0, 0]);
    }),
  );
});

test('a full queue takes nothing more, by number or by bytes, until something has left', () => {
  const queue = new DueQueue<string>(2, 100);
  assert.equal(queue.push(1, 'a', 90), true);
  assert.equal(queue.push(1, 'b', 11), false);
  assert.equal(queue.push(1, 'c', 10), true);
  assert.equal(queue.push(1, 'd', 0), false);
  assert.equal(queue.shift(1), 'a');
  assert.equal(queue.push(1, 'e', 90), true);
  assert.equal(queue.bytes, 100);
});

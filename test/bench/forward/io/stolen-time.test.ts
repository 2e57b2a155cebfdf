import assert from 'node:assert/strict';
import { test } from 'node:test';
import { timeIn } from './stolen-time.ts';

test('the stolen time is the eighth of the first line, and guests are not counted twice', () => {
  const table = 'cpu  100 20 30 400 5 6 7 50 90 9\ncpu0 1 1 1 1 1 1 1 1 1 1\nintr 5\n';
  assert.deepEqual(timeIn(table), { stolen: 50, all: 618 });
});

test('a kernel that does not know of hypervisors has none of it stolen', () => {
  assert.deepEqual(timeIn('cpu  1 2 3 4\n'), { stolen: 0, all: 10 });
});

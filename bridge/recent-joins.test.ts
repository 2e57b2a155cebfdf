import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RecentJoins } from './recent-joins.ts';

test('a join counts whole at first, half after 10 s, and not at all after 20 s', () => {
  const joins = new RecentJoins();
  joins.note(5_000);
  assert.deepEqual(
    [5_000, 15_000, 25_000].map(ms => joins.unsettled(ms)),
    [1, 0.5, 0],
  );
});

test('a join is of the last minute for a minute', () => {
  const joins = new RecentJoins();
  for (const ms of [0, 30_000, 30_500]) joins.note(ms);
  assert.deepEqual(
    [59_000, 60_000, 89_000, 90_000].map(ms => joins.lastMinute(ms)),
    [3, 2, 2, 0],
  );
});

test('nothing is left of joins before a long silence', () => {
  const joins = new RecentJoins();
  for (let ms = 0; ms < 60_000; ms += 1_000) joins.note(ms);
  assert.equal(joins.lastMinute(10_000_000), 0);
  joins.note(10_000_000);
  assert.equal(joins.unsettled(10_000_000), 1);
});

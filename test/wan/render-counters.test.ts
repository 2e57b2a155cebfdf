import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ProxyCounters } from './io/departures.ts';
import { renderProgress, renderTable } from './render-counters.ts';

const ZERO: ProxyCounters = {
  offered: 0,
  offeredBytes: 0,
  sent: 0,
  sentBytes: 0,
  cut: 0,
  queueFull: 0,
  lost: 0,
  lostRandomly: 0,
  heldBack: 0,
  duplicated: 0,
  delivered: 0,
  overLimit: 0,
  strangers: 0,
  sendErrors: 0,
};

test('a progress line tells what happened since the last one', () => {
  const before = [{ name: 'path 1 forth', counters: { ...ZERO, sent: 100, sentBytes: 50_000, lost: 3 } }];
  const now = [{ name: 'path 1 forth', counters: { ...ZERO, sent: 180, sentBytes: 90_000, lost: 5, queueFull: 1 } }];
  assert.equal(renderProgress(12, before, now), '   12 s  path 1 forth 320 kbit 80 sent, lost 2, queue full 1');
});

test('the table has a row for every counter of datagrams, a column for each direction', () => {
  const table = renderTable([
    { name: 'forth', counters: { ...ZERO, offered: 12345 } },
    { name: 'back', counters: { ...ZERO, duplicated: 7 } },
  ]).split('\n');
  assert.equal(table[0], 'datagrams       forth  back');
  assert.equal(table[1], 'offered         12345     0');
  assert.ok(table.includes('duplicated          0     7'));
  const counted = Object.keys(ZERO).filter(key => !key.endsWith('Bytes'));
  assert.equal(table.length, 1 + counted.length);
});

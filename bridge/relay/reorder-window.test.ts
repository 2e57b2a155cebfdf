import assert from 'node:assert/strict';
import { test } from 'node:test';
import { REORDER_MS_MIN, ReorderWindow } from './reorder-window.ts';

test('the window is a little wider than the latest frame of the last seconds, and no wider than allowed', () => {
  const window = new ReorderWindow();
  assert.equal(window.windowMs(0, 50), REORDER_MS_MIN);
  window.handleLate(10, 8);
  window.handleLate(20, 4);
  assert.equal(window.windowMs(30, 50), 10);
  assert.equal(window.windowMs(30, 7), 7);
  window.handleLate(40, 100);
  assert.equal(window.windowMs(50, 50), 50);
});

test('a straggler is remembered for four seconds at least and eight at most', () => {
  const window = new ReorderWindow();
  window.handleLate(0, 20);
  assert.equal(window.windowMs(3999, 50), 25);
  assert.equal(window.windowMs(4000, 50), 25);
  assert.equal(window.windowMs(8000, 50), REORDER_MS_MIN);
  window.handleLate(20_000, 20);
  assert.equal(window.windowMs(28_000, 50), REORDER_MS_MIN, 'however long nobody has asked');
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createStealMeter, parseCpuTimes } from './cpu-steal.ts';

test('steal is the eighth time of the line of all CPUs, and guests are not counted twice', () => {
  const stat = 'cpu  100 10 50 800 5 1 4 30 25 5\ncpu0 1 1 1 1 1 1 1 1 1 1\nintr 7\n';
  assert.deepEqual(parseCpuTimes(stat), { steal: 30, total: 1000 });
});

test('a system that does not tell has no times', () => {
  assert.equal(parseCpuTimes(''), undefined);
  assert.equal(parseCpuTimes('cpu  1 2 3 4\n'), undefined);
});

test('the share is of the time since the last call', () => {
  const stats = ['cpu  0 0 0 100 0 0 0 0 0 0', 'cpu  50 0 0 125 0 0 0 25 0 0', 'cpu  50 0 0 225 0 0 0 25 0 0'];
  const steal = createStealMeter(() => stats.shift()!);
  assert.deepEqual([steal(), steal(), steal()], [0, 0.25, 0]);
});

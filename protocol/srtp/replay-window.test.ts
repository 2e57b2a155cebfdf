import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { REPLAY_WINDOW, ReplayWindow } from './replay-window.ts';

test('the window holds at least the 64 packets of RFC 3711', () => {
  assert.ok(REPLAY_WINDOW >= 128);
});

test('an index is fresh until accepted, then never again; older than the window is never fresh', () => {
  const window = new ReplayWindow();
  assert.equal(window.isFresh(0), true);
  window.accept(5000);
  assert.equal(window.isFresh(5000), false);
  assert.equal(window.isFresh(5000 - REPLAY_WINDOW + 1), true);
  assert.equal(window.isFresh(5000 - REPLAY_WINDOW), false);
  assert.equal(window.isFresh(5001), true);
});

test('it agrees with a set of everything accepted, whatever the order and the jumps', () => {
  const step = fc.oneof(
    fc.integer({ min: -1100, max: 40 }),
    fc.integer({ min: -3, max: 3 }),
    fc.integer({ min: 1000, max: 5000 }),
  );
  fc.assert(
    fc.property(fc.nat(2 ** 40), fc.array(step, { maxLength: 200 }), (start, steps) => {
      const window = new ReplayWindow();
      const accepted = new Set<number>();
      let highest = -1;
      for (const step of [0, ...steps]) {
        const index = Math.max(0, (highest < 0 ? start : highest) + step);
        const isFresh = !accepted.has(index) && index > highest - REPLAY_WINDOW;
        assert.equal(window.isFresh(index), isFresh || highest < 0);
        if (!isFresh) continue;
        window.accept(index);
        accepted.add(index);
        highest = Math.max(highest, index);
      }
    }),
  );
});

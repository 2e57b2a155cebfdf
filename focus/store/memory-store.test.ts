import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMemoryStore } from './memory-store.ts';
import { testStore } from './store-contract.ts';

/** Mulberry32: a seeded generator, so that a failure repeats. */
function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

testStore('memory', async () => {
  let nowMs = 1_700_000_000_000;
  return {
    store: createMemoryStore(() => nowMs, seededRandom(1)),
    advanceMs: ms => {
      nowMs += ms;
    },
    driftMsMax: 1,
  };
});

test('a random number that gives 0 or an ID in use is drawn again', async () => {
  const draws = [0.25, 0, 0.25, 0.5];
  const store = createMemoryStore(
    () => 0,
    () => draws.shift()!,
  );
  assert.equal((await store.openConference('a', 'RM_a', 'focus-1')).conferenceId, 0x40000000);
  assert.equal((await store.openConference('b', 'RM_b', 'focus-1')).conferenceId, 0x80000000);
});

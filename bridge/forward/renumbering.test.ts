import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Renumbering } from './renumbering.ts';

test('what is removed closes up, what has not come keeps its place', () => {
  const numbers = new Renumbering();
  numbers.restart(100, 1_000);
  assert.equal(numbers.keep(101), 1_001);
  numbers.remove(102);
  assert.equal(numbers.keep(104), 1_003);
  assert.equal(numbers.outOf(103), 1_002);
  assert.equal(numbers.outOf(101), 1_001);
  assert.equal(numbers.outOf(102), -1);
  assert.equal(numbers.valueOf(1_002), 103);
  assert.equal(numbers.highestOut, 1_003);
});

test('values before the start and after the highest have no place', () => {
  const numbers = new Renumbering();
  assert.equal(numbers.outOf(0), -1);
  assert.equal(numbers.valueOf(0), -1);
  numbers.restart(100, 1_000);
  numbers.keep(110);
  assert.equal(numbers.outOf(99), -1);
  assert.equal(numbers.outOf(111), -1);
  assert.equal(numbers.valueOf(999), -1);
  assert.equal(numbers.valueOf(1_011), -1);
});

test('a restart forgets what was removed before', () => {
  const numbers = new Renumbering();
  numbers.restart(1, 1);
  numbers.remove(2);
  numbers.restart(2, 50);
  assert.equal(numbers.outOf(2), 50);
  assert.equal(numbers.keep(3), 51);
});

/** Steps of 1 to 5, each kept or removed. */
const histories = fc.array(fc.tuple(fc.integer({ min: 1, max: 5 }), fc.boolean()), { maxLength: 400 });

test('both directions agree with counting, at any time', () => {
  fc.assert(
    fc.property(histories, fc.nat(100_000), (steps, startOut) => {
      const numbers = new Renumbering();
      numbers.restart(1_000, startOut);
      const removed = new Set<number>();
      let value = 1_000;
      for (const [step, isKept] of steps) {
        value += step;
        if (isKept) {
          const before = [...removed].filter(other => other < value).length;
          assert.equal(numbers.keep(value), startOut + value - 1_000 - before);
        } else {
          removed.add(value);
          numbers.remove(value);
        }
      }
      let expected = startOut;
      for (let i = 1_000; i <= value; i++) {
        if (removed.has(i)) {
          assert.equal(numbers.outOf(i), -1);
          continue;
        }
        assert.equal(numbers.outOf(i), expected);
        assert.equal(numbers.valueOf(expected), i);
        expected++;
      }
      assert.equal(numbers.highestOut, expected - 1);
    }),
    { numRuns: 50 },
  );
});

test('what lies further back than is remembered has no place, rather than a wrong one', () => {
  const numbers = new Renumbering();
  numbers.restart(0, 0);
  for (let value = 1; value <= 4_000; value++) {
    if (value % 2 === 0) numbers.remove(value);
    else numbers.keep(value);
  }
  for (let value = 1; value <= 4_000; value += 2) {
    const out = numbers.outOf(value);
    assert.ok(out === -1 || out === (value + 1) / 2, `${value} became ${out}`);
    const back = numbers.valueOf((value + 1) / 2);
    assert.ok(back === -1 || back === value, `${(value + 1) / 2} was ${back}`);
  }
  assert.equal(numbers.outOf(1), -1);
  assert.equal(numbers.valueOf(1), -1);
  assert.equal(numbers.outOf(3_001), 1_501);
  assert.equal(numbers.valueOf(1_501), 3_001);
});

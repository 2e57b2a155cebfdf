import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { distance16, distance32, EXTENDED_START, Extender16, extend16, extend32 } from './sequence.ts';

const uint16 = fc.integer({ min: 0, max: 0xffff });
const uint32 = fc.integer({ min: 0, max: 0xffffffff });

test('a distance is signed and adds up again', () => {
  assert.equal(distance16(2, 0xfffe), 4);
  assert.equal(distance16(0xfffe, 2), -4);
  assert.equal(distance32(2, 0xfffffffe), 4);
  assert.equal(distance32(0xfffffffe, 2), -4);
  assert.equal(distance32(0x80000000, 0), -0x80000000);
  fc.assert(fc.property(uint16, uint16, (a, b) => assert.equal((b + distance16(a, b)) & 0xffff, a)));
  fc.assert(fc.property(uint32, uint32, (a, b) => assert.equal((b + distance32(a, b)) >>> 0, a)));
});

test('an extended number keeps its low bits and is the nearest to the reference', () => {
  const reference = fc.integer({ min: EXTENDED_START, max: 2 ** 48 });
  fc.assert(
    fc.property(uint16, reference, (value, near) => {
      const extended = extend16(value, near);
      assert.equal(extended % 0x10000, value);
      assert.ok(Math.abs(extended - near) <= 0x8000 && extended >= 0);
    }),
  );
  fc.assert(
    fc.property(uint32, fc.integer({ min: 2 ** 32, max: 2 ** 48 }), (value, near) => {
      const extended = extend32(value, near);
      assert.equal(extended % 2 ** 32, value);
      assert.ok(Math.abs(extended - near) <= 2 ** 31 && extended >= 0);
    }),
  );
});

test('an extender follows a stream with gaps and reordering over many wraps', () => {
  fc.assert(
    fc.property(uint16, fc.array(fc.integer({ min: -500, max: 3000 }), { maxLength: 500 }), (start, steps) => {
      const extender = new Extender16();
      assert.equal(extender.extend(start), EXTENDED_START + start);
      let truth = EXTENDED_START + start;
      let highest = truth;
      for (const step of steps) {
        truth = highest + step;
        assert.equal(extender.extend(truth % 0x10000), truth);
        highest = Math.max(highest, truth);
        assert.equal(extender.highest, highest);
      }
    }),
  );
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SLOT_BYTES } from '../../arena.ts';
import { NOT_HERE } from './native.platform.ts';
import { NativeSlots } from './native-slots.ts';

describe('native slots', { skip: NOT_HERE }, () => {
  test('a pointer is ready for every fourth byte of a slot’s first 128, and points there', context => {
    const slots = openSlots(context, 3);
    for (let offset = 0; offset < 3 * SLOT_BYTES; offset++) {
      const inSlot = offset % SLOT_BYTES;
      const isReady = inSlot < 128 && inSlot % 4 === 0;
      assert.equal(
        slots.readyPointer(offset, 1),
        isReady ? slots.memory.pointer(offset, 1) : undefined,
        `offset ${offset}`,
      );
    }
  });

  test('no pointer is ready for bytes that leave their slot', context => {
    const slots = openSlots(context, 2);
    assert.notEqual(slots.readyPointer(0, SLOT_BYTES), undefined);
    assert.equal(slots.readyPointer(0, SLOT_BYTES + 1), undefined);
    assert.notEqual(slots.readyPointer(20, SLOT_BYTES - 20), undefined);
    assert.equal(slots.readyPointer(20, SLOT_BYTES - 19), undefined);
    assert.equal(slots.readyPointer(2 * SLOT_BYTES, 0), undefined, 'the slot after the last');
    for (const bad of [-4, 0.5, Number.NaN, 2 ** 32, 2 ** 53, '0', undefined, null]) {
      assert.equal(slots.readyPointer(bad as number, 4), undefined, `offset ${bad}`);
      assert.equal(slots.readyPointer(0, bad as number), undefined, `length ${bad}`);
    }
  });

  test('slots are found by their bytes until they are closed, and by no other view of them', context => {
    const one = openSlots(context, 1);
    const other = openSlots(context, 1);
    assert.equal(NativeSlots.of(one.bytes), one);
    assert.equal(NativeSlots.of(other.bytes), other);
    assert.equal(NativeSlots.of(one.bytes.subarray(0)), undefined);
    one.close();
    one.close();
    assert.equal(NativeSlots.of(one.bytes), undefined);
    assert.equal(NativeSlots.of(other.bytes), other);
  });

  test('no slots, half a slot and more than memory allows are refused', () => {
    for (const bad of [0, -1, 0.5, Number.NaN, 2 ** 30, '1'])
      assert.throws(() => new NativeSlots(bad as number), RangeError, String(bad));
  });
});

function openSlots(context: { after(end: () => void): void }, count: number): NativeSlots {
  const slots = new NativeSlots(count);
  context.after(() => slots.close());
  return slots;
}

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { loadForeign } from './foreign.ts';
import { NOT_HERE } from './native.platform.ts';
import { NATIVE_MEMORY_BYTES_MAX, NativeMemory } from './native-memory.ts';

const BAD_NUMBERS: readonly unknown[] = [
  -1,
  0.5,
  Number.NaN,
  Infinity,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  '0',
  null,
  undefined,
  {},
  [],
  true,
];

describe('native memory', { skip: NOT_HERE }, () => {
  test('a pointer is made of an offset and a length inside, and of nothing else', () => {
    const memory = new NativeMemory(128);
    const start = memory.pointer(0, 128);
    assert.equal(memory.pointer(5, 123), start + 5n);
    assert.equal(memory.pointer(128, 0), start + 128n);
    for (const bad of [...BAD_NUMBERS, 129]) {
      assert.throws(() => memory.pointer(bad as number, 0), RangeError, `offset ${bad}`);
      assert.throws(() => memory.pointer(0, bad as number), RangeError, `length ${bad}`);
    }
    assert.throws(() => memory.pointer(100, 29), { name: 'RangeError', message: '29 bytes at 100 of 128' });
  });

  test('an address written in words is the pointer, wherever the memory lies', () => {
    const memory = new NativeMemory(4096);
    fc.assert(
      fc.property(fc.nat(4096), offset => {
        const words = new Uint32Array(4);
        memory.writeAddress(offset, 0, words, 1);
        assert.equal(new BigUint64Array([(BigInt(words[2]) << 32n) | BigInt(words[1])])[0], memory.pointer(offset, 0));
        assert.deepEqual([words[0], words[3]], [0, 0]);
      }),
    );
  });

  test('memory across a multiple of 4 GiB is not used: the upper half of its addresses would differ', () => {
    const foreign = loadForeign() as { addressOf(buffer: ArrayBuffer): bigint };
    const { addressOf } = foreign;
    const claimed = [0x1_ffff_ff80n, 0x1_0000_0000n - 192n, 0x7000_0000_0000n];
    foreign.addressOf = () => claimed.shift()!;
    try {
      const memory = new NativeMemory(64);
      assert.equal(memory.pointer(0, 0), 0x7000_0000_0040n);
      const words = new Uint32Array(2);
      memory.writeAddress(64, 0, words, 0);
      assert.deepEqual([...words], [0x80, 0x7000]);
    } finally {
      foreign.addressOf = addressOf;
    }
  });

  test('an address that would be written past the end of a structure is refused', () => {
    const memory = new NativeMemory(64);
    const words = new Uint32Array(4);
    for (const bad of [...BAD_NUMBERS, 3, 4])
      assert.throws(() => memory.writeAddress(0, 8, words, bad as number), RangeError, String(bad));
    assert.throws(() => memory.writeAddress(60, 8, words, 0), RangeError);
    assert.deepEqual([...words], [0, 0, 0, 0]);
  });

  test('sizes are whole cache lines; none, too many and no number of bytes are refused', () => {
    assert.equal(new NativeMemory(1).byteLength, 64);
    assert.equal(new NativeMemory(65).bytes.length, 128);
    for (const bad of [...BAD_NUMBERS.filter(value => value !== 2 ** 31), 0, NATIVE_MEMORY_BYTES_MAX + 1]) {
      assert.throws(() => new NativeMemory(bad as number), RangeError, String(bad));
    }
  });

  test('nobody can take the buffer away from under its pointers', () => {
    const { bytes } = new NativeMemory(64);
    const buffer = bytes.buffer as ArrayBuffer;
    assert.throws(() => buffer.transfer(), TypeError);
    assert.throws(() => structuredClone(buffer, { transfer: [buffer] }));
    assert.throws(() => buffer.resize(0), TypeError);
    assert.equal(bytes.length, 64);
  });
});

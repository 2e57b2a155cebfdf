import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DecodeError } from '../errors.ts';
import { primaryOf, RED_REDUNDANT_MAX, RedBlocks, rewriteRedPayloadTypes } from './red.ts';

/** Two redundant blocks (960 and 480 ticks older, of 2 and 3 bytes) and a primary of 1 byte. */
const PACKET = Uint8Array.from([
  0x80 | 111,
  0x0f,
  0x00,
  0x02,
  0x80 | 111,
  0x07,
  0x80,
  0x03,
  111,
  0xa1,
  0xa2,
  0xb1,
  0xb2,
  0xb3,
  0xc1,
]);

test('RFC 2198: blocks lie after their headers, the primary last', () => {
  const blocks = new RedBlocks();
  blocks.decode(PACKET, 0, PACKET.length);
  assert.equal(blocks.count, 3);
  assert.deepEqual([...blocks.payloadTypes.subarray(0, 3)], [111, 111, 111]);
  assert.deepEqual([...blocks.timestampOffsets.subarray(0, 3)], [960, 480, 0]);
  assert.deepEqual([...blocks.offsets.subarray(0, 3)], [9, 11, 14]);
  assert.deepEqual([...blocks.lengths.subarray(0, 3)], [2, 3, 1]);
  assert.equal(primaryOf(PACKET, 0, PACKET.length), 14);
});

test('payload types are rewritten in every block header and nowhere else', () => {
  const bytes = PACKET.slice();
  rewriteRedPayloadTypes(bytes, 0, bytes.length, 109);
  const expected = PACKET.slice();
  expected[0] = 0x80 | 109;
  expected[4] = 0x80 | 109;
  expected[8] = 109;
  assert.deepEqual(bytes, expected);
});

const REFUSED: readonly [string, number[], string][] = [
  ['an empty payload', [], 'red-short'],
  ['headers without a primary', [0xef, 0x0f, 0x00, 0x02], 'red-short'],
  ['half a header', [0xef, 0x0f], 'red-short'],
  ['a block that runs over the end', [0xef, 0x0f, 0x00, 0x05, 0x6f, 1, 2], 'red-blocks'],
  [
    'more blocks than any sender makes',
    [...Array(RED_REDUNDANT_MAX + 1).fill([0xef, 0, 0, 0]), 0x6f].flat(),
    'red-count',
  ],
];

for (const [name, bytes, reason] of REFUSED) {
  test(`${name} is refused`, () => {
    const expected = (error: unknown) => error instanceof DecodeError && error.reason === reason;
    assert.throws(() => new RedBlocks().decode(Uint8Array.from(bytes), 0, bytes.length), expected);
    assert.throws(() => primaryOf(Uint8Array.from(bytes), 0, bytes.length), expected);
  });
}

test('any bytes are decoded or refused alike by all three, and none outside the payload matter', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 48 }), fc.nat(255), (payload, filler) => {
      const outcome = (around: number) => {
        const bytes = new Uint8Array(payload.length + 16).fill(around);
        bytes.set(payload, 8);
        const blocks = new RedBlocks();
        try {
          blocks.decode(bytes, 8, payload.length);
        } catch (error) {
          assert.ok(error instanceof DecodeError);
          return error.reason;
        }
        const last = blocks.count - 1;
        assert.equal(primaryOf(bytes, 8, payload.length), blocks.offsets[last]);
        assert.equal(blocks.offsets[last] + blocks.lengths[last], 8 + payload.length);
        rewriteRedPayloadTypes(bytes, 8, payload.length, 5);
        blocks.decode(bytes, 8, payload.length);
        for (let i = 0; i <= last; i++) assert.equal(blocks.payloadTypes[i], 5);
        for (let i = 0; i < bytes.length; i++) {
          if (i < 8 || i >= 8 + payload.length) assert.equal(bytes[i], around);
        }
        return JSON.stringify(blocks);
      };
      assert.equal(outcome(0), outcome(filler));
    }),
  );
});

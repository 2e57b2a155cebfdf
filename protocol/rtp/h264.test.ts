import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DecodeError } from '../errors.ts';
import { H264_STARTS_FRAME, H264_STARTS_KEY_FRAME, inspectH264 } from './h264.ts';

const KEY = H264_STARTS_FRAME | H264_STARTS_KEY_FRAME;

const CASES: readonly [string, number[], number][] = [
  ['a single SPS', [0x67, 0x42, 0xe0, 0x1f], KEY],
  ['a single PPS alone', [0x68, 0x4e], 0],
  ['the first slice of an IDR picture', [0x65, 0x88, 0x84], KEY],
  ['a later slice of an IDR picture (first_mb_in_slice = 3)', [0x65, 0x20, 0x84], 0],
  ['the first slice of another picture', [0x41, 0x9a, 0x00], H264_STARTS_FRAME],
  ['a later slice of another picture', [0x41, 0x1a, 0x00], 0],
  ['STAP-A of SPS and PPS', [0x78, 0, 3, 0x67, 0x42, 0xe0, 0, 2, 0x68, 0x4e], KEY],
  ['STAP-A of SEI and a slice', [0x78, 0, 2, 0x06, 0x05, 0, 2, 0x41, 0x9a], H264_STARTS_FRAME],
  ['the first fragment of an IDR slice', [0x7c, 0x85, 0x88], KEY],
  ['a middle fragment of an IDR slice', [0x7c, 0x05, 0x88], 0],
  ['the last fragment of an IDR slice', [0x7c, 0x45, 0x88], 0],
  ['the first fragment of another slice', [0x5c, 0x81, 0x9a], H264_STARTS_FRAME],
];

for (const [name, bytes, expected] of CASES) {
  test(`${name} is seen for what it starts`, () => {
    assert.equal(inspectH264(Uint8Array.from(bytes), 0, bytes.length), expected);
  });
}

const REFUSED: readonly [string, number[], string][] = [
  ['an empty payload', [], 'h264-short'],
  ['a fragment without data', [0x7c, 0x85], 'h264-short'],
  ['an aggregate whose unit runs over the end', [0x78, 0, 9, 0x67, 0x42], 'h264-aggregate'],
  ['an aggregate with an empty unit', [0x78, 0, 0, 0x67], 'h264-aggregate'],
  ['an aggregate with half a size', [0x78, 0], 'h264-aggregate'],
  ['STAP-B, of another packetization mode', [0x79, 0, 0, 0, 1, 0x67], 'h264-type'],
  ['a reserved type', [0x7f, 0], 'h264-type'],
];

for (const [name, bytes, reason] of REFUSED) {
  test(`${name} is refused`, () => {
    assert.throws(
      () => inspectH264(Uint8Array.from(bytes), 0, bytes.length),
      error => error instanceof DecodeError && error.reason === reason,
    );
  });
}

test('any bytes are understood or refused, and none outside the payload matter', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 24 }), fc.nat(255), (payload, filler) => {
      const outcome = (around: number) => {
        const bytes = new Uint8Array(payload.length + 16).fill(around);
        bytes.set(payload, 8);
        try {
          return inspectH264(bytes, 8, payload.length);
        } catch (error) {
          assert.ok(error instanceof DecodeError);
          return error.reason;
        }
      };
      assert.equal(outcome(0), outcome(filler));
    }),
  );
});

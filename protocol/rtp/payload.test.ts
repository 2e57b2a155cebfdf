import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DecodeError } from '../errors.ts';
import { describePayload, type PayloadDescription } from './payload.ts';
import { CODECS, PT_H264, PT_OPUS, PT_RED, PT_VP8 } from './table.ts';

function describe(payloadType: number, bytes: number[]): PayloadDescription {
  const description = { startsKeyFrame: true, startsFrame: true, temporalLayer: 9, isLayerSync: true };
  describePayload(payloadType, Uint8Array.from(bytes), 0, bytes.length, description);
  return description;
}

test('audio can be decoded from every packet on', () => {
  for (const [payloadType, bytes] of [
    [PT_OPUS, [0xfc]],
    [PT_RED, [111, 0xfc]],
  ] as const) {
    const expected = { startsKeyFrame: true, startsFrame: true, temporalLayer: 0, isLayerSync: false };
    assert.deepEqual(describe(payloadType, [...bytes]), expected);
  }
});

test('VP8 tells key frames, temporal layer and layer sync', () => {
  const key = describe(PT_VP8, [0x90, 0x80, 0x11, 0x10]);
  assert.deepEqual(key, { startsKeyFrame: true, startsFrame: true, temporalLayer: 0, isLayerSync: false });
  const delta = describe(PT_VP8, [0x90, 0x20, 0xa0, 0x11]);
  assert.deepEqual(delta, { startsKeyFrame: false, startsFrame: true, temporalLayer: 2, isLayerSync: true });
});

test('H.264 tells key frames', () => {
  assert.equal(describe(PT_H264, [0x67, 0x42]).startsKeyFrame, true);
  assert.equal(describe(PT_H264, [0x41, 0x9a]).startsKeyFrame, false);
});

test('padding alone starts nothing, whatever the codec', () => {
  for (const { payloadType } of CODECS) {
    const nothing = { startsKeyFrame: false, startsFrame: false, temporalLayer: 0, isLayerSync: false };
    assert.deepEqual(describe(payloadType, []), nothing);
  }
});

test('a payload type outside the table is refused', () => {
  assert.throws(() => describe(0, [1]), DecodeError);
});

test('no payload of any codec throws anything but DecodeError', () => {
  const payloadTypes = fc.constantFrom(...CODECS.map(codec => codec.payloadType));
  fc.assert(
    fc.property(payloadTypes, fc.uint8Array({ maxLength: 64 }), (payloadType, bytes) => {
      try {
        describe(payloadType, [...bytes]);
      } catch (error) {
        assert.ok(error instanceof DecodeError);
      }
    }),
  );
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DecodeError } from '../errors.ts';
import { Vp8Descriptor, writeVp8PictureId } from './vp8.ts';

function decode(...bytes: number[]): Vp8Descriptor {
  const descriptor = new Vp8Descriptor();
  descriptor.decode(Uint8Array.from(bytes), 0, bytes.length);
  return descriptor;
}

function refuse(reason: string, ...bytes: number[]): void {
  assert.throws(
    () => decode(...bytes),
    error => error instanceof DecodeError && error.reason === reason,
  );
}

test('RFC 7741 section 4.6.1: a key frame with a picture id of 17 in 7 bits', () => {
  const descriptor = decode(0x90, 0x80, 0x11, 0x10, 0x02);
  assert.equal(descriptor.length, 3);
  assert.equal(descriptor.pictureId, 17);
  assert.equal(descriptor.pictureIdBits, 7);
  assert.equal(descriptor.pictureIdOffset, 2);
  assert.equal(descriptor.startsKeyFrame, true);
});

test('RFC 7741 section 4.6.2: no extension, only the start of a partition', () => {
  const descriptor = decode(0x10, 0x01);
  assert.equal(descriptor.length, 1);
  assert.equal(descriptor.pictureIdBits, 0);
  assert.equal(descriptor.startsFrame, true);
  assert.equal(descriptor.startsKeyFrame, false);
});

test('RFC 7741 section 4.6.5: a picture id of 4711 in 15 bits', () => {
  const descriptor = decode(0x90, 0x80, 0x92, 0x67, 0x01);
  assert.equal(descriptor.pictureIdBits, 15);
  assert.equal(descriptor.pictureId, 4711);
  assert.equal(descriptor.length, 4);
});

test('all fields of a descriptor are read where they are', () => {
  //                       X N S PID0   I L T K  M + 0x1234  TL0   TID 2, Y, KEYIDX 21
  const descriptor = decode(0xb0, 0xf0, 0x92, 0x34, 0x56, 0xb5, 0x01);
  assert.equal(descriptor.isNonReference, true);
  assert.equal(descriptor.pictureId, 0x1234);
  assert.equal(descriptor.tl0PicIdx, 0x56);
  assert.equal(descriptor.tl0PicIdxOffset, 4);
  assert.equal(descriptor.temporalLayer, 2);
  assert.equal(descriptor.isLayerSync, true);
  assert.equal(descriptor.keyIndex, 21);
  assert.equal(descriptor.layerOffset, 5);
  assert.equal(descriptor.length, 6);
});

test('a later packet of a key frame, or of a later partition, starts nothing', () => {
  assert.equal(decode(0x80, 0x80, 0x11, 0x10).startsFrame, false);
  assert.equal(decode(0x91, 0x80, 0x11, 0x10).startsFrame, false);
});

test('a payload that ends inside its descriptor is refused', () => {
  refuse('vp8-short', 0x90);
  refuse('vp8-short', 0x90, 0x80);
  refuse('vp8-short', 0x90, 0x80, 0x92);
  refuse('vp8-short', 0x90, 0xc0, 0x11);
  refuse('vp8-short', 0x90, 0x20);
  refuse('vp8-empty', 0x90, 0x80, 0x11);
});

const descriptors = fc
  .record({
    startsPartition: fc.boolean(),
    partition: fc.nat(7),
    isNonReference: fc.boolean(),
    pictureIdBits: fc.constantFrom(0, 7, 15),
    pictureId: fc.nat(0x7fff),
    hasTl0: fc.boolean(),
    tl0PicIdx: fc.nat(255),
    hasTemporalLayer: fc.boolean(),
    temporalLayer: fc.nat(3),
    isLayerSync: fc.boolean(),
    hasKeyIndex: fc.boolean(),
    keyIndex: fc.nat(31),
  })
  .map(({ hasTl0, ...fields }) => {
    const descriptor = Object.assign(new Vp8Descriptor(), fields);
    if (fields.pictureIdBits === 0) descriptor.pictureId = 0;
    if (fields.pictureIdBits === 7) descriptor.pictureId &= 0x7f;
    descriptor.tl0PicIdxOffset = hasTl0 ? 0 : -1;
    if (!hasTl0) descriptor.tl0PicIdx = 0;
    if (!fields.hasTemporalLayer) {
      descriptor.temporalLayer = 0;
      descriptor.isLayerSync = false;
    }
    if (!fields.hasKeyIndex) descriptor.keyIndex = 0;
    return descriptor;
  });

test('what is encoded is decoded again', () => {
  fc.assert(
    fc.property(descriptors, fc.nat(20), (descriptor, offset) => {
      const bytes = new Uint8Array(40);
      const end = descriptor.encode(bytes, offset);
      const again = new Vp8Descriptor();
      again.decode(bytes, offset, end + 1 - offset);
      assert.equal(again.length, end - offset);
      for (const key of [
        'startsPartition',
        'partition',
        'isNonReference',
        'pictureIdBits',
        'pictureId',
        'tl0PicIdx',
        'temporalLayer',
        'isLayerSync',
        'keyIndex',
      ] as const) {
        assert.equal(again[key], descriptor[key], key);
      }
    }),
  );
});

test('any bytes are decoded or refused, and none outside the payload matter', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 12 }), fc.nat(255), (payload, filler) => {
      const outcome = (around: number) => {
        const bytes = new Uint8Array(payload.length + 16).fill(around);
        bytes.set(payload, 8);
        const descriptor = new Vp8Descriptor();
        try {
          descriptor.decode(bytes, 8, payload.length);
        } catch (error) {
          assert.ok(error instanceof DecodeError);
          return error.reason;
        }
        assert.ok(descriptor.length < payload.length);
        return JSON.stringify(descriptor);
      };
      assert.equal(outcome(0), outcome(filler));
    }),
  );
});

test('a picture id is rewritten in the width it has', () => {
  const bytes = Uint8Array.of(0xff, 0xff, 0xff);
  writeVp8PictureId(bytes, 0, 15, 0x8001);
  assert.deepEqual([...bytes], [0x80, 0x01, 0xff]);
  writeVp8PictureId(bytes, 2, 7, 0x85);
  assert.equal(bytes[2], 0x05);
});

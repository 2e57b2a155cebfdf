import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Vp8Descriptor } from '../../protocol/rtp/vp8.ts';
import { Vp8Numbering } from './vp8-numbering.ts';

interface Shape {
  bits?: number;
  picture: number;
  tl0?: number;
  tid?: number;
  key?: number;
}

function descriptorOf({ bits = 15, picture, tl0 = 0, tid = 0, key = 0 }: Shape): Vp8Descriptor {
  const made = new Vp8Descriptor();
  made.pictureIdBits = bits;
  made.pictureId = picture;
  made.tl0PicIdxOffset = 0;
  made.tl0PicIdx = tl0;
  made.hasTemporalLayer = true;
  made.temporalLayer = tid;
  made.hasKeyIndex = true;
  made.keyIndex = key;
  const bytes = new Uint8Array(16);
  const end = made.encode(bytes, 0);
  made.decode(bytes, 0, end + 1);
  return made;
}

/** The counters a subscriber sees. */
function seen(numbering: Vp8Numbering, shape: Shape): { picture: number; tl0: number; key: number } {
  const descriptor = descriptorOf(shape);
  const bytes = new Uint8Array(16);
  const end = descriptor.encode(bytes, 3);
  numbering.rewrite(descriptor, numbering.pictureOf(descriptor), bytes, 3);
  const out = new Vp8Descriptor();
  out.decode(bytes, 3, end + 1 - 3);
  assert.equal(out.temporalLayer, descriptor.temporalLayer);
  return { picture: out.pictureId, tl0: out.tl0PicIdx, key: out.keyIndex };
}

function begun(shape: Shape, pictureId = 100): Vp8Numbering {
  const fresh = new Vp8Numbering();
  fresh.seed(pictureId);
  const numbering = new Vp8Numbering();
  numbering.follow(fresh, descriptorOf(shape));
  return numbering;
}

test('picture ids close up where a frame is dropped, and wrap', () => {
  const numbering = begun({ picture: 0x7ffe });
  numbering.remove(descriptorOf({ picture: 0x7fff, tid: 2 }));
  numbering.keep(descriptorOf({ picture: 0, tid: 1 }));
  assert.equal(seen(numbering, { picture: 0x7ffe }).picture, 100);
  assert.equal(seen(numbering, { picture: 0, tid: 1 }).picture, 101);
  assert.equal(numbering.pictureOf(descriptorOf({ picture: 0x7fff })), -1);
});

test('all counters follow on those of the run before', () => {
  const before = begun({ picture: 5, tl0: 200, key: 30 });
  before.keep(descriptorOf({ picture: 6, tl0: 201, key: 30 }));
  const last = seen(before, { picture: 6, tl0: 201, key: 30 });
  const numbering = new Vp8Numbering();
  numbering.follow(before, descriptorOf({ picture: 9_000, tl0: 7, key: 3 }));
  const first = seen(numbering, { picture: 9_000, tl0: 7, key: 3 });
  assert.equal(first.picture, last.picture + 1);
  assert.equal(first.tl0, (last.tl0 + 1) & 0xff);
  assert.equal(first.key, (last.key + 1) & 0x1f);
});

test('picture ids of 7 bits stay 7 bits wide and wrap there', () => {
  const numbering = begun({ bits: 7, picture: 126 }, 0x7fff);
  numbering.keep(descriptorOf({ bits: 7, picture: 127 }));
  numbering.keep(descriptorOf({ bits: 7, picture: 0 }));
  assert.equal(seen(numbering, { bits: 7, picture: 126 }).picture, 0x7f);
  assert.equal(seen(numbering, { bits: 7, picture: 0 }).picture, 1);
});

test('a base frame that was lost is counted by the frames that name it', () => {
  const before = begun({ picture: 5, tl0: 10 });
  before.keep(descriptorOf({ picture: 7, tl0: 11, tid: 2 }));
  const lost = seen(before, { picture: 6, tl0: 11 });
  const numbering = new Vp8Numbering();
  numbering.follow(before, descriptorOf({ picture: 1, tl0: 1 }));
  assert.equal(seen(numbering, { picture: 1, tl0: 1 }).tl0, (lost.tl0 + 1) & 0xff);
});

test('a dropped frame names it just as well', () => {
  const before = begun({ picture: 5, tl0: 10 });
  const first = seen(before, { picture: 5, tl0: 10 });
  before.remove(descriptorOf({ picture: 7, tl0: 11, tid: 2 }));
  const numbering = new Vp8Numbering();
  numbering.follow(before, descriptorOf({ picture: 1, tl0: 1 }));
  assert.equal(seen(numbering, { picture: 1, tl0: 1 }).tl0, (first.tl0 + 2) & 0xff);
});

test('a stream without picture ids is left as it is, and may get them later', () => {
  const numbering = begun({ bits: 0, picture: 0 }, 500);
  assert.equal(numbering.pictureOf(descriptorOf({ bits: 0, picture: 0 })), -1);
  numbering.keep(descriptorOf({ picture: 77 }));
  assert.equal(seen(numbering, { picture: 77 }).picture, 500);
});

test('a picture id that does not follow is noticed', () => {
  const numbering = begun({ picture: 50 });
  assert.equal(numbering.isNext(descriptorOf({ picture: 51 }), 100), true);
  assert.equal(numbering.isNext(descriptorOf({ picture: 49 }), 100), false);
  assert.equal(numbering.isNext(descriptorOf({ picture: 151 }), 100), false);
});

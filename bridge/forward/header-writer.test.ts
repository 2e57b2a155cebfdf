import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RtpPacket } from '../../protocol/rtp/packet.ts';
import { EXT_AUDIO_LEVEL, EXT_MID, EXT_VIDEO_ORIENTATION } from '../../protocol/rtp/table.ts';
import { HeaderWriter } from './header-writer.ts';
import { subscriberFormat } from './subscriber-format.ts';

/** Normalised: level 0x95 as extension 1, orientation 3 as extension 2, payload 0xee. */
const PACKET = Uint8Array.from([
  0x90,
  0x80 | 96,
  0x12,
  0x34,
  0,
  0,
  0,
  1,
  9,
  9,
  9,
  9,
  0xbe,
  0xde,
  0,
  1,
  0x10,
  0x95,
  0x20,
  3,
  0xee,
]);

function write(ids: Record<string, number>, withMid: boolean, source = PACKET, mid = 'ab'): number[] {
  const extensions = Object.entries(ids).map(([uri, id]) => ({ uri, id }));
  const writer = new HeaderWriter(subscriberFormat([], extensions), mid);
  const rtp = new RtpPacket();
  rtp.decode(source, 0, source.length);
  const out = new Uint8Array(64).fill(0x77);
  const end = writer.write(out, 4, rtp, 0xaabbccdd, 120, true, 0x1fffe, 0x100000007, withMid);
  assert.deepEqual([...out.subarray(0, 4)], [0x77, 0x77, 0x77, 0x77]);
  assert.equal(out[end], 0x77);
  return [...out.subarray(4, end)];
}

const FIXED = [0x80 | 120, 0xff, 0xfe, 0, 0, 0, 7, 0xaa, 0xbb, 0xcc, 0xdd];

test('a subscriber that asked for no extension gets none', () => {
  assert.deepEqual(write({}, true), [0x80, ...FIXED]);
});

test('extensions travel under the ids of the subscriber', () => {
  const bytes = write({ [EXT_AUDIO_LEVEL]: 7, [EXT_VIDEO_ORIENTATION]: 3 }, false);
  assert.deepEqual(bytes, [0x90, ...FIXED, 0xbe, 0xde, 0, 1, 0x70, 0x95, 0x30, 3]);
});

test('the mid is written when asked for, and padded to a word', () => {
  const bytes = write({ [EXT_MID]: 4 }, true);
  assert.deepEqual(bytes, [0x90, ...FIXED, 0xbe, 0xde, 0, 1, 0x41, 0x61, 0x62, 0]);
  assert.deepEqual(write({ [EXT_MID]: 4 }, false), [0x80, ...FIXED]);
});

test('an id above 14 needs two-byte elements', () => {
  const bytes = write({ [EXT_AUDIO_LEVEL]: 15, [EXT_MID]: 2 }, true);
  assert.deepEqual(bytes, [0x90, ...FIXED, 0x10, 0, 0, 2, 15, 1, 0x95, 2, 2, 0x61, 0x62, 0]);
});

test('a packet without extensions gets no empty block', () => {
  const plain = Uint8Array.from([0x80, 96, 0, 1, 0, 0, 0, 1, 9, 9, 9, 9, 0xee]);
  assert.deepEqual(write({ [EXT_AUDIO_LEVEL]: 7 }, false, plain), [0x80, ...FIXED]);
});

test('the longest mid fits', () => {
  const bytes = write({ [EXT_MID]: 1 }, true, PACKET, 'x'.repeat(16));
  assert.equal(bytes.length, 12 + 4 + 20);
  assert.equal(bytes[16], 0x1f);
});

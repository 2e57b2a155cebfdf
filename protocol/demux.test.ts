import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DTLS, firstByteKind, isRtcp, OCTO, RTP, STUN, UNKNOWN } from './demux.ts';

test('every first byte has the protocol that RFC 7983 gives it', () => {
  const edges: [number, number, number][] = [
    [0, 3, STUN],
    [4, 19, UNKNOWN],
    [20, 63, DTLS],
    [64, 127, UNKNOWN],
    [128, 191, RTP],
    [192, 255, OCTO],
  ];
  let covered = 0;
  for (const [from, to, kind] of edges) {
    for (let byte = from; byte <= to; byte++, covered++) assert.equal(firstByteKind(byte), kind, `byte ${byte}`);
  }
  assert.equal(covered, 256);
});

test('sender reports and feedback are RTCP, dynamic payload types with the marker bit are not', () => {
  for (const type of [192, 200, 201, 205, 206, 223]) assert.equal(isRtcp(Uint8Array.of(0xff, 0x80, type), 1), true);
  for (const type of [96, 111, 0x80 | 96, 0x80 | 127, 0x80 | 63, 63]) {
    assert.equal(isRtcp(Uint8Array.of(0x80, type), 0), false);
  }
});

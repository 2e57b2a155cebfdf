import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RtpPacket } from './packet.ts';
import { padRtp } from './padding.ts';

function packet(payloadBytes: number): Uint8Array {
  const bytes = new Uint8Array(64).fill(0xee);
  bytes.set([0x80, 96, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3]);
  bytes.fill(7, 12, 12 + payloadBytes);
  return bytes;
}

test('a padded packet has the length asked for, the same payload, and says how much of it is padding', () => {
  for (let payloadBytes = 0; payloadBytes <= 32; payloadBytes++) {
    const bytes = packet(payloadBytes);
    const length = padRtp(bytes, 0, 12 + payloadBytes, 8);
    assert.equal(length % 8, 0);
    const rtp = new RtpPacket();
    rtp.decode(bytes, 0, length);
    assert.deepEqual([rtp.payloadLength, rtp.paddingLength], [payloadBytes, length - 12 - payloadBytes]);
    assert.ok(bytes.subarray(12, 12 + payloadBytes).every(byte => byte === 7));
    assert.equal(bytes[length], 0xee, 'nothing behind the packet is touched');
  }
});

test('a packet of the right length already stays as it is', () => {
  const bytes = packet(4);
  assert.equal(padRtp(bytes, 0, 16, 8), 16);
  assert.equal(bytes[0], 0x80);
});

test('padding of every length that one byte can say, for every multiple, is taken off again', () => {
  for (const multiple of [2, 8, 16, 255, 256]) {
    for (let length = 12; length < 12 + multiple; length++) {
      const bytes = new Uint8Array(700).fill(0xee);
      bytes.set([0x80, 96, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3]);
      const padded = padRtp(bytes, 0, length, multiple);
      assert.ok(padded % multiple === 0 && padded - length < multiple);
      const rtp = new RtpPacket();
      rtp.decode(bytes, 0, padded);
      assert.deepEqual([rtp.payloadLength, rtp.paddingLength], [length - 12, padded - length]);
    }
  }
});

test('the same packet gets the same bytes, whatever was in the slot before: it may be sent again under one nonce', () => {
  const [one, other] = [packet(5), packet(5)];
  other.fill(0x77, 17);
  const length = padRtp(one, 0, 17, 16);
  assert.equal(padRtp(other, 0, 17, 16), length);
  assert.deepEqual(one.subarray(0, length), other.subarray(0, length));
});

test('a packet somewhere in an arena is padded where it lies', () => {
  const bytes = new Uint8Array(128).fill(0xee);
  bytes.set(packet(5).subarray(0, 17), 40);
  assert.equal(padRtp(bytes, 40, 17, 8), 24);
  assert.deepEqual([bytes[40], bytes[63], bytes[64], bytes[39]], [0xa0, 7, 0xee, 0xee]);
});

test('packets that differ by less than the multiple mostly become equal', () => {
  const lengths = [1001, 1002].map(length => padRtp(new Uint8Array(2048), 0, length, 8));
  assert.deepEqual(lengths, [1008, 1008]);
});

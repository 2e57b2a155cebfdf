import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { RtpPacket, writeUint16, writeUint32 } from '../../protocol/rtp/packet.ts';
import { unwrapRtx } from './rtx.ts';

/** An RTP packet in the middle of a larger buffer, decoded. */
function packetOf(hex: string): RtpPacket {
  const content = Buffer.from(hex.replace(/\s/g, ''), 'hex');
  const bytes = new Uint8Array(content.length + 40).fill(0xee);
  bytes.set(content, 20);
  const packet = new RtpPacket();
  packet.decode(bytes, 20, content.length);
  return packet;
}

function hexOf(packet: RtpPacket): string {
  const hex = Buffer.from(packet.bytes.subarray(packet.offset, packet.offset + packet.length)).toString('hex');
  return hex.replace(/(.{8})(?=.)/g, '$1 ');
}

test('the original comes back with its own sequence, payload type and SSRC', () => {
  const packet = packetOf('80e10007 00000001 22222222 3039 aabbcc');
  assert.equal(unwrapRtx(packet, 96, 0x11111111), true);
  assert.equal(hexOf(packet), '80e03039 00000001 11111111 aabbcc');
  assert.equal(packet.marker, true);
  assert.deepEqual(
    [packet.payloadType, packet.sequence, packet.ssrc, packet.payloadLength],
    [96, 12345, 0x11111111, 3],
  );
  assert.equal(packet.offset, 22);
});

test('contributing sources, extensions and padding stay', () => {
  const packet = packetOf('b1610007 00000001 22222222 0000000a bede0001 10850000 3039 aabb 0002');
  assert.equal(unwrapRtx(packet, 96, 0x11111111), true);
  assert.equal(hexOf(packet), 'b1603039 00000001 11111111 0000000a bede0001 10850000 aabb0002');
  assert.equal(packet.findExtension(1), true);
  assert.deepEqual([packet.payloadLength, packet.paddingLength], [2, 2]);
});

test('a probe has no original inside and is left as it was', () => {
  for (const hex of [
    'a0610007 00000001 22222222 00000004',
    '80610007 00000001 22222222',
    '80610007 00000001 22222222 30',
  ]) {
    const packet = packetOf(hex);
    const before = hexOf(packet);
    assert.equal(unwrapRtx(packet, 96, 0x11111111), false);
    assert.equal(hexOf(packet), before);
    assert.deepEqual([packet.offset, packet.payloadType], [20, 97]);
  }
});

test('every packet comes back from its retransmission, and nothing around it is touched', () => {
  const header = fc.record({
    marker: fc.boolean(),
    sequence: fc.integer({ min: 0, max: 0xffff }),
    csrcs: fc.integer({ min: 0, max: 15 }),
    payload: fc.uint8Array({ maxLength: 60 }),
    extensionWords: fc.option(fc.integer({ min: 0, max: 4 })),
  });
  fc.assert(
    fc.property(header, ({ marker, sequence, csrcs, payload, extensionWords }) => {
      const headerBytes = 12 + csrcs * 4 + (extensionWords === null ? 0 : 4 + extensionWords * 4);
      const original = new Uint8Array(headerBytes + payload.length);
      original[0] = 0x80 | csrcs | (extensionWords === null ? 0 : 0x10);
      original[1] = (marker ? 0x80 : 0) | 96;
      writeUint16(original, 2, sequence);
      writeUint32(original, 8, 0x11111111);
      if (extensionWords !== null) writeUint32(original, 12 + csrcs * 4, 0xbede0000 | extensionWords);
      original.set(payload, headerBytes);

      const length = original.length + 2;
      const bytes = new Uint8Array(length + 20).fill(0xee);
      bytes.set(original.subarray(0, headerBytes), 10);
      bytes[11] = (marker ? 0x80 : 0) | 97;
      writeUint16(bytes, 12, 77);
      writeUint32(bytes, 18, 0x22222222);
      writeUint16(bytes, 10 + headerBytes, sequence);
      bytes.set(payload, 12 + headerBytes);

      const packet = new RtpPacket();
      packet.decode(bytes, 10, length);
      assert.equal(unwrapRtx(packet, 96, 0x11111111), true);
      assert.deepEqual(bytes.subarray(packet.offset, packet.offset + packet.length), original);
      assert.ok([...bytes.subarray(0, 10), ...bytes.subarray(10 + length)].every(byte => byte === 0xee));
    }),
  );
});

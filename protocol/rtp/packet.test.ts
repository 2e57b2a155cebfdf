import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { DecodeError } from '../errors.ts';
import { RtpPacket, readUint16, readUint32, writeUint16, writeUint32 } from './packet.ts';

const FIXED = '906f 3039 00010203 cafebabe'; // V=2 X, PT 111, sequence 12345

function bytesOf(...parts: string[]): Uint8Array {
  return Uint8Array.from(Buffer.from(parts.join('').replace(/\s/g, ''), 'hex'));
}

function decode(...parts: string[]): RtpPacket {
  const bytes = bytesOf(...parts);
  const packet = new RtpPacket();
  packet.decode(bytes, 0, bytes.length);
  return packet;
}

test('the fixed header is read field by field', () => {
  const packet = decode('80', 'ef', 'fffe', '89abcdef', 'deadbeef', '010203');
  assert.equal(packet.marker, true);
  assert.equal(packet.payloadType, 111);
  assert.equal(packet.sequence, 0xfffe);
  assert.equal(packet.timestamp, 0x89abcdef);
  assert.equal(packet.ssrc, 0xdeadbeef);
  assert.equal(packet.payloadOffset, 12);
  assert.equal(packet.payloadLength, 3);
  assert.equal(packet.extensionProfile, 0);
});

test('contributing sources and padding are no payload', () => {
  const packet = decode('a2', '60', '0001', '00000002', '00000003', '0000000a 0000000b', 'aabb', '000003');
  assert.equal(packet.payloadOffset, 20);
  assert.equal(packet.payloadLength, 2);
  assert.equal(packet.paddingLength, 3);
});

test('a packet of padding only has no payload', () => {
  const packet = decode('a0', '60', '0001', '00000002', '00000003', '00000004');
  assert.equal(packet.payloadLength, 0);
  assert.equal(packet.paddingLength, 4);
});

test('one-byte extension elements are found, over fill bytes between them', () => {
  const packet = decode(FIXED, 'bede 0003', '10 85', '0000', '22 010203', '31 1234 00', '77');
  assert.equal(packet.extensionProfile, 0xbede);
  assert.equal(packet.findExtension(1), true);
  assert.deepEqual([packet.bytes[packet.elementOffset], packet.elementLength], [0x85, 1]);
  assert.equal(packet.findExtension(2), true);
  assert.deepEqual([readUint16(packet.bytes, packet.elementOffset), packet.elementLength], [0x0102, 3]);
  assert.equal(packet.findExtension(3), true);
  assert.deepEqual([readUint16(packet.bytes, packet.elementOffset), packet.elementLength], [0x1234, 2]);
  assert.equal(packet.findExtension(4), false);
  assert.equal(packet.findExtension(0), false);
  assert.equal(packet.payloadLength, 1);
});

test('two-byte extension elements may be empty and have IDs over 14', () => {
  const packet = decode(FIXED, '1003 0002', '05 00', 'c8 02 beef', '00 00', '77');
  assert.equal(packet.extensionProfile, 0x1000);
  assert.equal(packet.findExtension(5), true);
  assert.equal(packet.elementLength, 0);
  assert.equal(packet.findExtension(200), true);
  assert.equal(readUint16(packet.bytes, packet.elementOffset), 0xbeef);
});

test('an extension of an unknown profile is passed over whole', () => {
  const packet = decode(FIXED, '1234 0001', '10 85 0000', '77');
  assert.equal(packet.extensionProfile, 0);
  assert.equal(packet.findExtension(1), false);
  assert.equal(packet.payloadOffset, 20);
});

test('elements behind a reserved ID, behind an ID of zero with a length, or over the end are not found', () => {
  for (const elements of ['f0 10 85 00 00 00 00 00', '01 00 00 10 85 00 00 00', '1f 85 00 00 00 00 00 00']) {
    const packet = decode(FIXED, 'bede 0002', elements, '77');
    assert.equal(packet.findExtension(1), false, elements);
  }
  assert.equal(decode(FIXED, '1000 0001', '01 03 8500', '77').findExtension(1), false);
  assert.equal(decode(FIXED, '1000 0001', '02 01 55 01', '77').findExtension(1), false);
});

test('lengths that do not hold are refused with their reason', () => {
  const refused: [string, string][] = [
    ['rtp-short', '8060 0001 00000002 000000'],
    ['rtp-version', '4060 0001 00000002 00000003'],
    ['rtp-csrc', '8160 0001 00000002 00000003 000000'],
    ['rtp-extension', '9060 0001 00000002 00000003 bede00'],
    ['rtp-extension', '9060 0001 00000002 00000003 bede0001 102233'],
    ['rtp-padding', 'a060 0001 00000002 00000003'],
    ['rtp-padding', 'a060 0001 00000002 00000003 00'],
    ['rtp-padding', 'a060 0001 00000002 00000003 02'],
  ];
  for (const [reason, hex] of refused) {
    assert.throws(
      () => decode(hex),
      error => error instanceof DecodeError && error.reason === reason,
      hex,
    );
  }
});

/** Everything a caller can see of a packet, as numbers. */
function observe(bytes: Uint8Array, offset: number, length: number): unknown[] {
  const packet = new RtpPacket();
  try {
    packet.decode(bytes, offset, length);
  } catch (error) {
    assert.ok(error instanceof DecodeError);
    return [error.reason];
  }
  const seen: unknown[] = [packet.marker, packet.payloadType, packet.sequence, packet.timestamp, packet.ssrc];
  seen.push(packet.payloadOffset, packet.payloadLength, packet.paddingLength, packet.extensionProfile);
  assert.ok(packet.payloadOffset + packet.payloadLength + packet.paddingLength === offset + length);
  for (let id = 0; id < 256; id++) {
    if (!packet.findExtension(id)) continue;
    assert.ok(packet.elementOffset >= packet.extensionOffset);
    assert.ok(packet.elementOffset + packet.elementLength <= packet.extensionOffset + packet.extensionLength);
    seen.push(id, packet.elementOffset, packet.elementLength);
  }
  return seen;
}

test('whatever the bytes, decoding throws nothing but DecodeError and does not depend on what lies around them', () => {
  const first = fc.integer({ min: 0x80, max: 0xbf });
  const extension = fc.oneof(fc.constant([0xbe, 0xde, 0]), fc.constant([0x10, 0, 0]), fc.constant([]));
  const hostile = fc
    .tuple(first, fc.uint8Array({ minLength: 11, maxLength: 11 }), extension, fc.uint8Array({ maxLength: 80 }))
    .map(([head, fixed, ext, rest]) => Uint8Array.from([head, ...fixed, ...ext, ...rest]));
  fc.assert(
    fc.property(fc.oneof(hostile, fc.uint8Array({ maxLength: 100 })), data => {
      const zeros = new Uint8Array(data.length + 600);
      const ones = new Uint8Array(data.length + 600).fill(0xff);
      zeros.set(data, 300);
      ones.set(data, 300);
      assert.deepEqual(observe(zeros, 300, data.length), observe(ones, 300, data.length));
    }),
    { numRuns: 1000 },
  );
});

test('words are written and read big-endian', () => {
  const bytes = new Uint8Array(8);
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0xffffffff }), value => {
      writeUint32(bytes, 1, value);
      assert.equal(readUint32(bytes, 1), value);
      assert.equal(new DataView(bytes.buffer).getUint32(1), value);
      writeUint16(bytes, 6, value & 0xffff);
      assert.equal(readUint16(bytes, 6), value & 0xffff);
    }),
  );
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NORMALISED_HEADER_BYTES_MAX, normalise } from './normalise.ts';
import { RtpPacket } from './packet.ts';
import { EXT_ID_AUDIO_LEVEL, EXT_ID_VIDEO_ORIENTATION, PT_OPUS } from './table.ts';

/** CSRCs, one-byte extensions (id 3 of two bytes, 10: audio level, 13: orientation), padding. */
const FULL = Buffer.from(
  [
    'b1' + 'ed' + '1234' + '00112233' + 'aabbccdd', // V=2 P X CC=1, M PT=109
    'deadbeef', // CSRC
    'bede0002' + '31ffff' + 'a085' + 'd003' + '00', // extensions
    '0102030405', // payload
    '000003', // padding
  ].join(''),
  'hex',
);

function decoded(bytes: Buffer, length = bytes.length): RtpPacket {
  const packet = new RtpPacket();
  packet.decode(bytes, 0, length);
  return packet;
}

test('a packet keeps its identity and payload, and loses what belongs to one hop', () => {
  const out = Buffer.alloc(64);
  const length = normalise(decoded(FULL), PT_OPUS, 10, 13, out, 0);
  assert.equal(
    out.subarray(0, length).toString('hex'),
    '90ef' + '1234' + '00112233' + 'aabbccdd' + 'bede0001' + '1085' + '2003' + '0102030405',
  );
});

test('without extensions that travel there is no extension block', () => {
  const out = Buffer.alloc(64);
  const length = normalise(decoded(FULL), PT_OPUS, 0, 0, out, 0);
  assert.equal(out.subarray(0, length).toString('hex'), '80ef' + '1234' + '00112233' + 'aabbccdd' + '0102030405');
});

test('any packet that decodes normalises to one that says the same', () => {
  fc.assert(
    fc.property(
      fc.record({
        marker: fc.boolean(),
        sequence: fc.nat(0xffff),
        timestamp: fc.nat(0xffffffff),
        ssrc: fc.nat(0xffffffff),
        csrcs: fc.nat(15),
        level: fc.option(fc.nat(0xff), { nil: undefined }),
        orientation: fc.option(fc.nat(0xff), { nil: undefined }),
        payload: fc.uint8Array({ maxLength: 100 }),
        padding: fc.nat(20),
      }),
      fields => {
        const source = build(fields);
        const out = Buffer.alloc(fields.payload.length + NORMALISED_HEADER_BYTES_MAX);
        const length = normalise(decoded(source), 96, 5, 6, out, 0);
        const result = decoded(out, length);
        assert.equal(result.payloadType, 96);
        assert.equal(result.marker, fields.marker);
        assert.equal(result.sequence, fields.sequence);
        assert.equal(result.timestamp, fields.timestamp);
        assert.equal(result.ssrc, fields.ssrc);
        assert.equal(result.paddingLength, 0);
        assert.deepEqual(
          out.subarray(result.payloadOffset, result.payloadOffset + result.payloadLength),
          Buffer.from(fields.payload),
        );
        const extension = (id: number) => (result.findExtension(id) ? out[result.elementOffset] : undefined);
        assert.equal(extension(EXT_ID_AUDIO_LEVEL), fields.level);
        assert.equal(extension(EXT_ID_VIDEO_ORIENTATION), fields.orientation);
      },
    ),
  );
});

function build(fields: {
  marker: boolean;
  sequence: number;
  timestamp: number;
  ssrc: number;
  csrcs: number;
  level: number | undefined;
  orientation: number | undefined;
  payload: Uint8Array;
  padding: number;
}): Buffer {
  const header = Buffer.alloc(12);
  header[0] = 0x90 | (fields.padding > 0 ? 0x20 : 0) | fields.csrcs;
  header[1] = (fields.marker ? 0x80 : 0) | 111;
  header.writeUInt16BE(fields.sequence, 2);
  header.writeUInt32BE(fields.timestamp, 4);
  header.writeUInt32BE(fields.ssrc, 8);
  const elements = [
    ...(fields.level === undefined ? [] : [0x50, fields.level]),
    ...(fields.orientation === undefined ? [] : [0x60, fields.orientation]),
  ];
  const block = Buffer.alloc(8);
  block.writeUInt32BE(0xbede0001, 0);
  Buffer.from(elements).copy(block, 4);
  const padding = Buffer.alloc(fields.padding);
  if (fields.padding > 0) padding[fields.padding - 1] = fields.padding;
  return Buffer.concat([header, Buffer.alloc(fields.csrcs * 4), block, fields.payload, padding]);
}

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { DecodeError } from '../errors.ts';
import {
  firCommandSequence,
  firCount,
  firSsrc,
  readNack,
  rembBitrateBps,
  writeFir,
  writeNack,
  writePli,
} from './feedback.ts';
import { PSFB_FIR, PSFB_PLI, RTCP_PSFB, RtcpPacket } from './packet.ts';
import { byeSsrc, SdesItem, writeBye, writeSdesCname } from './sdes.ts';

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.replace(/\s/g, ''), 'hex'));
}

function hexOf(bytes: Uint8Array, end: number): string {
  return Buffer.from(bytes.subarray(0, end))
    .toString('hex')
    .replace(/(.{8})(?=.)/g, '$1 ');
}

function open(bytes: Uint8Array, end = bytes.length): RtcpPacket {
  const packet = new RtcpPacket();
  packet.begin(bytes, 0, end);
  assert.equal(packet.next(), true);
  return packet;
}

test('a NACK packs what lies within 16 of its packet ID into the bitmask', () => {
  const bytes = new Uint8Array(64);
  const end = writeNack(bytes, 0, 1, 2, Uint16Array.of(10, 11, 26, 27, 0), 4);
  assert.equal(hexOf(bytes, end), '81cd0004 00000001 00000002 000a8001 001b0000');
});

test('a NACK goes on over the wrap of the sequence', () => {
  const bytes = new Uint8Array(64);
  const end = writeNack(bytes, 0, 1, 2, Uint16Array.of(0xffff, 0, 5), 3);
  assert.equal(hexOf(bytes, end), '81cd0003 00000001 00000002 ffff0021');
  const out = new Uint16Array(8);
  assert.equal(readNack(open(bytes, end), out), 3);
  assert.deepEqual([...out.subarray(0, 3)], [0xffff, 0, 5]);
});

test('every list of lost packets comes back from its NACK', () => {
  const steps = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0xffff }), steps, (start, gaps) => {
      const lost = Uint16Array.from(gaps);
      let sequence = start;
      gaps.forEach((gap, index) => {
        sequence += gap;
        lost[index] = sequence;
      });
      const bytes = new Uint8Array(12 + 4 * lost.length);
      const end = writeNack(bytes, 0, 1, 2, lost, lost.length);
      const out = new Uint16Array(lost.length);
      assert.equal(readNack(open(bytes, end), out), lost.length);
      assert.deepEqual(out, lost);
    }),
  );
});

test('a NACK that asks for more than there is room for is cut there', () => {
  const out = new Uint16Array(5);
  assert.equal(readNack(open(bytesOf('81cd0003 00000001 00000002 0001ffff')), out), 5);
  assert.deepEqual([...out], [1, 2, 3, 4, 5]);
});

test('a NACK without a whole item is refused', () => {
  const isNackError = (error: unknown) => error instanceof DecodeError && error.reason === 'rtcp-nack';
  assert.throws(() => readNack(open(bytesOf('81cd0002 00000001 00000002')), new Uint16Array(1)), isNackError);
  assert.throws(() => readNack(open(bytesOf('a1cd0003 00000001 00000002 00010001')), new Uint16Array(1)), isNackError);
});

test('PLI and FIR are written as their RFCs draw them, and read', () => {
  const bytes = new Uint8Array(64);
  let end = writePli(bytes, 0, 0x11111111, 0x22222222);
  assert.equal(hexOf(bytes, end), '81ce0002 11111111 22222222');
  const pli = open(bytes, end);
  assert.deepEqual([pli.type, pli.count, pli.ssrc, pli.mediaSsrc], [RTCP_PSFB, PSFB_PLI, 0x11111111, 0x22222222]);
  end = writeFir(bytes, 0, 0x11111111, 0x22222222, 7);
  assert.equal(hexOf(bytes, end), '84ce0004 11111111 00000000 22222222 07000000');
  const fir = open(bytes, end);
  assert.deepEqual(
    [fir.count, firCount(fir), firSsrc(fir, 0), firCommandSequence(fir, 0)],
    [PSFB_FIR, 1, 0x22222222, 7],
  );
});

test('a FIR without a whole item is refused', () => {
  assert.throws(() => firCount(open(bytesOf('84ce0002 00000001 00000000'))), DecodeError);
  assert.throws(() => firCount(open(bytesOf('84ce0003 00000001 00000000 22222222'))), DecodeError);
});

test('a REMB tells its bit rate, other application feedback none, a damaged one is refused', () => {
  assert.equal(rembBitrateBps(open(bytesOf('8fce0005 00000001 00000000 52454d42 0107d090 22222222'))), 250_000 * 2);
  assert.equal(rembBitrateBps(open(bytesOf('8fce0005 00000001 00000000 52454d42 010bd090 22222222'))), 250_000 * 4);
  assert.equal(rembBitrateBps(open(bytesOf('8fce0003 00000001 00000000 41424344'))), -1);
  assert.equal(rembBitrateBps(open(bytesOf('81ce0002 00000001 00000002'))), -1);
  assert.throws(() => rembBitrateBps(open(bytesOf('8fce0004 00000001 00000000 52454d42 0103d090'))), DecodeError);
});

test('an SDES names its source, and every CNAME ends on a word', () => {
  const bytes = new Uint8Array(300);
  assert.equal(hexOf(bytes, writeSdesCname(bytes, 0, 7, 'ab')), '81ca0003 00000007 01026162 00000000');
  for (let length = 1; length <= 255; length++) {
    const end = writeSdesCname(bytes, 0, 7, 'x'.repeat(length));
    const item = new SdesItem();
    item.begin(open(bytes, end));
    assert.equal(item.next(), true);
    assert.deepEqual([item.ssrc, item.itemType, item.textLength], [7, 1, length]);
    assert.equal(item.next(), false);
  }
});

test('an SDES of several sources is read item by item', () => {
  const item = new SdesItem();
  item.begin(open(bytesOf('82ca0006 00000001 01016102 01620000 00000002 01036364 65000000')));
  const seen: number[][] = [];
  while (item.next()) seen.push([item.ssrc, item.itemType, item.textLength]);
  assert.deepEqual(seen, [
    [1, 1, 1],
    [1, 2, 1],
    [2, 1, 3],
  ]);
});

test('an SDES whose items run over its end, or without an end, is refused', () => {
  for (const hex of ['81ca0002 00000001 01ff6162', '81ca0002 00000001 01026162', '81ca0001 00000001', '81ca0000']) {
    const item = new SdesItem();
    item.begin(open(bytesOf(hex)));
    assert.throws(() => {
      while (item.next());
    }, DecodeError);
  }
});

test('a BYE names who leaves', () => {
  const bytes = new Uint8Array(16);
  const end = writeBye(bytes, 0, 0xdeadbeef);
  assert.equal(hexOf(bytes, end), '81cb0001 deadbeef');
  assert.equal(byeSsrc(open(bytes, end), 0), 0xdeadbeef);
});

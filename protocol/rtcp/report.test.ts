import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { RtcpPacket } from './packet.ts';
import {
  ntpMiddle,
  ReportBlock,
  SenderInfo,
  writeReceiverReport,
  writeReportBlock,
  writeSenderReport,
} from './report.ts';

const uint32 = fc.integer({ min: 0, max: 0xffffffff });

function hexOf(bytes: Uint8Array, end: number): string {
  return Buffer.from(bytes.subarray(0, end))
    .toString('hex')
    .replace(/(.{8})(?=.)/g, '$1 ');
}

function open(bytes: Uint8Array, end: number): RtcpPacket {
  const packet = new RtcpPacket();
  packet.begin(bytes, 0, end);
  assert.equal(packet.next(), true);
  return packet;
}

test('a sender report is written as RFC 3550 section 6.4.1 draws it', () => {
  const bytes = new Uint8Array(64);
  let end = writeSenderReport(bytes, 0, 0xcafebabe, 0xe1234567, 0x80000000, 90_000, 10, 12_000, 1);
  assert.equal(end, 28);
  end = writeReportBlock(bytes, end, 0xdeadbeef, 64, -2, 0x00010002, 90, 0x45678000, 0x00010000);
  assert.equal(
    hexOf(bytes, end),
    '81c8000c cafebabe e1234567 80000000 00015f90 0000000a 00002ee0 deadbeef 40fffffe 00010002 0000005a 45678000 00010000',
  );
  assert.equal(ntpMiddle(0xe1234567, 0x80000000), 0x45678000);
});

test('a receiver report may have its header written after its blocks', () => {
  const bytes = new Uint8Array(64);
  const end = writeReportBlock(bytes, 8, 7, 0, 3, 4, 5, 6, 8);
  writeReceiverReport(bytes, 0, 9, 1);
  assert.equal(hexOf(bytes, end), '81c90007 00000009 00000007 00000003 00000004 00000005 00000006 00000008');
});

test('reports come back as they were written', () => {
  const block = fc.record({
    ssrc: uint32,
    fractionLost: fc.integer({ min: 0, max: 255 }),
    cumulativeLost: fc.integer({ min: -0x800000, max: 0x7fffff }),
    highestSequence: uint32,
    jitter: uint32,
    lastSr: uint32,
    delaySinceLastSr: uint32,
  });
  const info = fc.record({
    ntpSeconds: uint32,
    ntpFraction: uint32,
    rtpTimestamp: uint32,
    packets: uint32,
    octets: uint32,
  });
  fc.assert(
    fc.property(uint32, fc.option(info), fc.array(block, { maxLength: 31 }), (ssrc, sender, blocks) => {
      const bytes = new Uint8Array(1000);
      let end =
        sender === null
          ? writeReceiverReport(bytes, 0, ssrc, blocks.length)
          : writeSenderReport(
              bytes,
              0,
              ssrc,
              sender.ntpSeconds,
              sender.ntpFraction,
              sender.rtpTimestamp,
              sender.packets,
              sender.octets,
              blocks.length,
            );
      for (const b of blocks) {
        end = writeReportBlock(
          bytes,
          end,
          b.ssrc,
          b.fractionLost,
          b.cumulativeLost,
          b.highestSequence,
          b.jitter,
          b.lastSr,
          b.delaySinceLastSr,
        );
      }
      const packet = open(bytes, end);
      assert.equal(packet.ssrc, ssrc);
      assert.equal(packet.count, blocks.length);
      assert.equal(packet.end, end);
      if (sender !== null) {
        const read = new SenderInfo();
        read.read(packet);
        assert.deepEqual({ ...read }, { ...sender });
      }
      const read = new ReportBlock();
      blocks.forEach((expected, index) => {
        read.read(packet, index);
        assert.deepEqual({ ...read }, { ...expected });
      });
    }),
  );
});

test('a cumulative loss beyond 24 bits stays at their limit', () => {
  const bytes = new Uint8Array(32);
  const block = new ReportBlock();
  for (const [lost, told] of [
    [10_000_000, 0x7fffff],
    [-10_000_000, -0x800000],
  ]) {
    writeReportBlock(bytes, 8, 1, 0, lost, 0, 0, 0, 0);
    block.read(open(bytes, writeReceiverReport(bytes, 0, 1, 1) + 24), 0);
    assert.equal(block.cumulativeLost, told);
  }
});

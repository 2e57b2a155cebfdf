import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { DecodeError } from '../errors.ts';
import { firCommandSequence, firCount, firSsrc, readNack, rembBitrateBps } from './feedback.ts';
import {
  PSFB_FIR,
  PSFB_PLI,
  RTCP_BYE,
  RTCP_PSFB,
  RTCP_RR,
  RTCP_RTPFB,
  RTCP_SDES,
  RTCP_SR,
  RTPFB_NACK,
  RTPFB_TRANSPORT_CC,
  RtcpPacket,
} from './packet.ts';
import { ReportBlock, SenderInfo } from './report.ts';
import { byeSsrc, SdesItem } from './sdes.ts';
import { TransportCcStatus } from './transport-cc.ts';

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.replace(/\s/g, ''), 'hex'));
}

function typesOf(hex: string): number[] {
  const bytes = bytesOf(hex);
  const packet = new RtcpPacket();
  packet.begin(bytes, 0, bytes.length);
  const types: number[] = [];
  while (packet.next()) types.push(packet.type);
  return types;
}

test('a compound packet is walked packet by packet, unknown types passed over', () => {
  const compound = `
    80c90001 00000001                             RR without blocks
    81ca0003 00000001 01036162 63000000           SDES, CNAME abc
    80cf0002 00000001 deadbeef                    XR
    81cb0001 00000001                             BYE
  `;
  const hex = compound.replace(/ {2,}[A-Z].*$/gm, '');
  assert.deepEqual(typesOf(hex), [RTCP_RR, RTCP_SDES, 207, RTCP_BYE]);
});

test('padding is left out of the content, whole words or single bytes of it', () => {
  const bytes = bytesOf('a1cd0004 00000001 00000002 00070000 00000004');
  const packet = new RtcpPacket();
  packet.begin(bytes, 0, bytes.length);
  assert.equal(packet.next(), true);
  assert.equal(packet.end, 16);
  assert.equal(readNack(packet, new Uint16Array(4)), 1);
  assert.equal(packet.next(), false);
});

test('lengths that do not hold are refused with their reason', () => {
  const refused: [string, string][] = [
    ['rtcp-short', '80c900'],
    ['rtcp-version', '40c90001 00000001'],
    ['rtcp-length', '80c90002 00000001'],
    ['rtcp-padding', 'a0c90001 00000000'],
    ['rtcp-padding', 'a0c90001 00000005'],
    ['rtcp-padding', 'a0c90000'],
    ['rtcp-content', '81c90001 00000001'],
    ['rtcp-content', '80c80001 00000001'],
    ['rtcp-content', '81cd0001 00000001'],
    ['rtcp-content', '82cb0001 00000001'],
    ['rtcp-short', '80c90001 00000001 80'],
  ];
  for (const [reason, hex] of refused) {
    assert.throws(
      () => typesOf(hex),
      error => error instanceof DecodeError && error.reason === reason,
      hex,
    );
  }
});

/** All that the readers can tell of a compound packet, up to its first error. */
function observe(bytes: Uint8Array, offset: number, length: number): unknown[] {
  const seen: unknown[] = [];
  const packet = new RtcpPacket();
  packet.begin(bytes, offset, length);
  try {
    while (packet.next()) {
      assert.ok(packet.offset >= offset && packet.end <= offset + length);
      seen.push(packet.type, packet.count, packet.offset, packet.end, packet.ssrc, packet.mediaSsrc);
      observeContent(packet, seen);
    }
  } catch (error) {
    assert.ok(error instanceof DecodeError, String(error));
    seen.push(error.reason);
  }
  return seen;
}

function observeContent(packet: RtcpPacket, seen: unknown[]): void {
  const nacked = new Uint16Array(64);
  const info = new SenderInfo();
  switch (packet.type) {
    case RTCP_SR:
    case RTCP_RR:
      if (packet.type === RTCP_SR) info.read(packet);
      seen.push({ ...info });
      for (let index = 0; index < packet.count; index++) {
        const block = new ReportBlock();
        block.read(packet, index);
        seen.push({ ...block });
      }
      break;
    case RTCP_SDES: {
      const item = new SdesItem();
      item.begin(packet);
      while (item.next()) seen.push(item.ssrc, item.itemType, item.textOffset, item.textLength);
      break;
    }
    case RTCP_BYE:
      for (let index = 0; index < packet.count; index++) seen.push(byeSsrc(packet, index));
      break;
    case RTCP_RTPFB:
      if (packet.count === RTPFB_NACK) seen.push(readNack(packet, nacked), [...nacked]);
      if (packet.count === RTPFB_TRANSPORT_CC) {
        const status = new TransportCcStatus();
        status.begin(packet);
        while (status.next()) seen.push(status.sequence, status.isReceived, status.arrivalTicks);
      }
      break;
    case RTCP_PSFB:
      seen.push(rembBitrateBps(packet));
      if (packet.count === PSFB_FIR) {
        for (let index = 0; index < firCount(packet); index++) {
          seen.push(firSsrc(packet, index), firCommandSequence(packet, index));
        }
      }
      break;
  }
}

test('whatever the bytes, reading throws nothing but DecodeError and does not depend on what lies around them', () => {
  const type = fc.constantFrom(RTCP_SR, RTCP_RR, RTCP_SDES, RTCP_BYE, RTCP_RTPFB, RTCP_PSFB, 204, 207);
  const format = fc.constantFrom(0, 1, 2, RTPFB_NACK, RTPFB_TRANSPORT_CC, PSFB_PLI, PSFB_FIR, 31);
  const hostile = fc
    .tuple(type, format, fc.boolean(), fc.uint8Array({ maxLength: 120 }), fc.integer({ min: -1, max: 1 }))
    .map(([packetType, count, hasPadding, rest, lie]) => {
      const words = Math.max(0, Math.floor(rest.length / 4) + (lie === 1 ? 1 : 0));
      return Uint8Array.from([(hasPadding ? 0xa0 : 0x80) | count, packetType, 0, words, ...rest]);
    });
  const compound = fc.array(hostile, { maxLength: 3 }).map(parts => Uint8Array.from(parts.flatMap(part => [...part])));
  fc.assert(
    fc.property(fc.oneof(compound, fc.uint8Array({ maxLength: 100 })), data => {
      const zeros = new Uint8Array(data.length + 600);
      const ones = new Uint8Array(data.length + 600).fill(0xff);
      zeros.set(data, 300);
      ones.set(data, 300);
      assert.deepEqual(observe(zeros, 300, data.length), observe(ones, 300, data.length));
    }),
    { numRuns: 2000 },
  );
});

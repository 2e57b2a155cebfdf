import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DecodeError } from '../errors.ts';
import { checkSctpPacket } from './sctp-packet.ts';

const HEADER = '1388138811223344aabbccdd';
const packet = (...chunks: string[]) => Buffer.from((HEADER + chunks.join('')).replace(/\s/g, ''), 'hex');

const DATA = '00030011 00000001 0000 0000 00000035 41 000000';
const INIT = '0100001a 11111111 00100000 ffff ffff 00000001 80080006c0820000';
const SACK = '0300001c 00000005 00100000 0002 0001 0002 0003 0005 0005 00000001';

const sound: [string, Buffer][] = [
  ['DATA', packet(DATA)],
  ['two DATA', packet(DATA, DATA)],
  ['INIT with extensions', packet(INIT)],
  ['SACK with gaps and a duplicate', packet(SACK)],
  ['COOKIE ECHO', packet('0a000008 01020304')],
  ['HEARTBEAT', packet('0400000c 00010008 00000001')],
  ['FORWARD TSN for one stream', packet('c000000c 00000007 0000 0001')],
  ['stream reset', packet('82000016 000d0012 00000001 00000001 00000001 0000 0000')],
  ['SHUTDOWN COMPLETE', packet('0e000004')],
];
for (const [what, bytes] of sound) {
  test(`accepted: ${what}`, () => checkSctpPacket(bytes));
}

const unsound: [string, Buffer, string][] = [
  ['no chunk', packet(), 'sctp-short'],
  ['a chunk of length 0', packet('00000000'), 'sctp-chunk'],
  ['a chunk beyond the packet', packet('0a000010 01020304'), 'sctp-chunk'],
  ['a chunk head cut short', packet(DATA, '0000'), 'sctp-chunk'],
  ['DATA without data', packet('00030010 00000001 0000 0000 00000035'), 'sctp-data'],
  ['a stream far away', packet('00030011 00000001 4000 0000 00000035 41 000000'), 'sctp-stream'],
  ['INIT and something else', packet(INIT, DATA), 'sctp-init'],
  ['INIT cut short', packet('01000008 11111111'), 'sctp-init'],
  ['a parameter of length 0', packet('01000018 11111111 00100000 ffff ffff 00000001 80080000'), 'sctp-parameter'],
  ['a SACK with more gaps than bytes', packet('03000010 00000005 00100000 ffff 0000'), 'sctp-sack'],
  ['a SACK that names the whole number space', packet('03000014 00000005 00100000 0001 0000 0001ffff'), 'sctp-sack'],
  ['a gap that ends before it begins', packet('03000014 00000005 00100000 0001 0000 00050001'), 'sctp-sack'],
  [
    'a stream reset of half a stream',
    packet('82000015 000d0011 00000001 00000001 00000001 00 000000'),
    'sctp-reconfig',
  ],
  ['FORWARD TSN of half a stream', packet('c000000a 00000007 0000 0000'), 'sctp-forward-tsn'],
  ['an unknown chunk', packet('3f000004'), 'sctp-chunk-type'],
];
for (const [what, bytes, reason] of unsound) {
  test(`refused: ${what}`, () => assert.throws(() => checkSctpPacket(bytes), new DecodeError(reason)));
}

test('hostile bytes raise nothing but DecodeError', () => {
  const damaged = fc
    .tuple(
      fc.constantFrom(...sound.map(([, bytes]) => bytes)),
      fc.array(fc.tuple(fc.nat(60), fc.nat(255)), { maxLength: 4 }),
      fc.nat(60),
    )
    .map(([bytes, changes, cut]) => {
      const copy = Buffer.from(bytes.subarray(0, Math.max(1, cut)));
      for (const [at, value] of changes) copy[at % copy.length] = value;
      return copy;
    });
  fc.assert(
    fc.property(fc.oneof(damaged, fc.uint8Array({ maxLength: 80 })), bytes => {
      try {
        checkSctpPacket(bytes);
      } catch (error) {
        assert.ok(error instanceof DecodeError);
      }
    }),
    { numRuns: 500 },
  );
});

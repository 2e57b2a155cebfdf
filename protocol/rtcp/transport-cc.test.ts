import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { DecodeError } from '../errors.ts';
import { RtcpPacket } from './packet.ts';
import { TransportCcStatus } from './transport-cc.ts';
import { STATUSES_MAX, TransportCcBuilder } from './transport-cc-builder.ts';

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.replace(/\s/g, ''), 'hex'));
}

function hexOf(bytes: Uint8Array, end: number): string {
  return Buffer.from(bytes.subarray(0, end))
    .toString('hex')
    .replace(/(.{8})(?=.)/g, '$1 ');
}

/** Sequence and arrival ticks (-1: not received) of each status. */
function statusesOf(bytes: Uint8Array, end = bytes.length): [number, number][] {
  const packet = new RtcpPacket();
  packet.begin(bytes, 0, end);
  assert.equal(packet.next(), true);
  const status = new TransportCcStatus();
  status.begin(packet);
  const found: [number, number][] = [];
  while (status.next()) found.push([status.sequence, status.isReceived ? status.arrivalTicks : -1]);
  return found;
}

const HEADER = '8fcd LLLL 00000001 00000002';

function feedback(words: number, rest: string): Uint8Array {
  return bytesOf(HEADER.replace('LLLL', words.toString(16).padStart(4, '0')) + rest);
}

test('run lengths, one-bit and two-bit vectors are read', () => {
  // Base 5, 2 statuses, reference 1 * 64 ms, feedback 3: a run of two small deltas.
  assert.deepEqual(statusesOf(feedback(5, '0005 0002 000001 03  2002 10 20')), [
    [5, 256 + 16],
    [6, 256 + 48],
  ]);
  // One-bit vector 101, at the wrap of the sequence.
  assert.deepEqual(statusesOf(feedback(5, 'ffff 0003 000000 00  a800 04 08')), [
    [0xffff, 4],
    [0, -1],
    [1, 12],
  ]);
  // Two-bit vector: large negative delta, lost, small; two zeros fill the word.
  assert.deepEqual(statusesOf(feedback(6, '0001 0003 000001 00  e100 ffff 01 000000')), [
    [1, 255],
    [2, -1],
    [3, 256],
  ]);
});

test('a reference time before zero is negative', () => {
  assert.deepEqual(statusesOf(feedback(5, '0001 0001 ffffff 00  2001 00 00')), [[1, -256]]);
});

test('chunks and deltas that do not add up are refused', () => {
  const refused: [string, Uint8Array][] = [
    ['twcc-short', feedback(3, '00010001')],
    ['twcc-empty', feedback(4, '0001 0000 000000 00')],
    ['twcc-chunks', feedback(4, '0001 0001 000000 00')],
    ['twcc-chunks', feedback(5, '0001 0002 000000 00  2000 0000')],
    ['twcc-symbol', feedback(5, '0001 0001 000000 00  6001 0000')],
    ['twcc-deltas', feedback(5, '0001 0003 000000 00  2003 0000')],
    ['twcc-deltas', feedback(6, '0001 0001 000000 00  2001 0000 00000000')],
  ];
  for (const [reason, bytes] of refused) {
    assert.throws(
      () => statusesOf(bytes),
      error => error instanceof DecodeError && error.reason === reason,
      reason,
    );
  }
});

test('feedback is written as the draft draws it', () => {
  const bytes = new Uint8Array(100);
  const builder = new TransportCcBuilder(100);
  builder.begin(0x1_0005);
  for (const ticks of [260, -1, 300, 290]) assert.equal(builder.add(ticks), true);
  // Two-bit vector 01 00 01 10, deltas 4, 40 and -10, padded by 2 that are declared.
  assert.equal(
    hexOf(bytes, builder.write(bytes, 0, 1, 2, 0x107)),
    'afcd0006 00000001 00000002 00050004 00000107 d1800428 fff60002',
  );
});

test('statuses come back as they were added, within the bytes allowed', () => {
  const arrival = fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 0, max: 200 }) },
    { weight: 2, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.integer({ min: -500, max: 32_000 }) },
  );
  const runs = fc.array(fc.tuple(arrival, fc.integer({ min: 1, max: 60 })), { minLength: 1, maxLength: 40 });
  const builder = new TransportCcBuilder(1200);
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 0xffff }),
      fc.integer({ min: 1000, max: 4_000_000 }),
      runs,
      (base, start, parts) => {
        builder.begin(base);
        let ticks = start;
        const added: [number, number][] = [];
        const add = (value: number) => {
          if (!builder.add(value)) return false;
          added.push([(base + added.length) & 0xffff, value]);
          return true;
        };
        assert.equal(add(ticks), true);
        for (const [step, length] of parts) {
          for (let index = 0; index < length; index++) {
            if (step !== undefined) ticks = Math.max(0, ticks + step);
            if (!add(step === undefined ? -1 : ticks)) break;
          }
        }
        assert.equal(builder.count, added.length);
        const bytes = new Uint8Array(1300);
        const end = builder.write(bytes, 0, 1, 2, 0);
        assert.ok(end <= 1200 && end % 4 === 0);

        assert.deepEqual(statusesOf(bytes, end), added);
      },
    ),
    { numRuns: 500 },
  );
});

test('a builder takes what fits and says when it is full', () => {
  const full = new TransportCcBuilder(1200);
  full.begin(0);
  full.add(0);
  while (full.add(-1));
  assert.equal(full.count, STATUSES_MAX);

  const large = new TransportCcBuilder(1200);
  large.begin(0);
  let ticks = 0;
  while (large.add(ticks)) ticks += 300;
  const bytes = new Uint8Array(1200);
  const end = large.write(bytes, 0, 1, 2, 0);
  assert.ok(end > 1000 && end <= 1200, `${end}`);
  assert.equal(statusesOf(bytes, end).length, large.count);
});

test('an arrival over 8.19 s after the one before belongs into the next feedback', () => {
  const builder = new TransportCcBuilder(1200);
  builder.begin(0);
  assert.equal(builder.add(1000), true);
  assert.equal(builder.add(1000 + 0x8000), false);
  assert.equal(builder.add(1000 + 0x7fff), true);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DecodeError } from '../errors.ts';
import type { EndpointId, SourceId } from '../ids.ts';
import { PORTABLE_FRAME_CIPHERS } from './aead.ts';
import { FecPayload } from './fec.ts';
import { describeFrameCiphers } from './frame-ciphers.contract.ts';
import {
  FRAME_CLOSE,
  FRAME_MEDIA,
  FRAME_OVERHEAD_BYTES,
  FrameHeader,
  isMediaFrame,
  PAYLOAD_BYTES_MAX,
  writeHeader,
} from './header.ts';
import {
  decodeLossy,
  decodeReliable,
  FRAGMENTS_MAX,
  RELIABLE_FRAGMENT_BYTES_MAX,
  writeLossy,
  writeReliable,
} from './message.ts';
import { ACK_BITMAP_BYTES_MAX, decodeMessageAck, HELD_SENDERS_MAX, writeMessageAck } from './message-ack.ts';
import { countNackBlocks, NACK_BLOCKS_MAX, readNackFirst, readNackMask, writeNack } from './nack.ts';
import { decodePing, decodePong, writePing, writePong } from './ping.ts';
import { REPLAY_WINDOW, ReplayWindow } from './replay-window.ts';
import { decodeStateAck, type StateFormat, writeStateAck } from './state-part.ts';
import { layerMaskOf, VIEWERS_MAX, WANTS, type Want } from './wants.ts';
import { WITHHELD, type Withheld } from './withheld.ts';

const uint32 = fc.integer({ min: 0, max: 0xffffffff });
const micros = fc.integer({ min: 0, max: 2 ** 53 - 1 });

/** Of all sizes, with many of the sizes that small formats have, and many small numbers. */
const payload = fc.oneof(
  fc.uint8Array({ maxLength: 1300 }),
  fc.uint8Array({ maxLength: 40 }),
  fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 60 }).map(bytes => Uint8Array.from(bytes)),
);

const DECODERS = {
  header: (bytes: Uint8Array, offset: number, length: number) => new FrameHeader().decode(bytes, offset, length),
  reliable: decodeReliable,
  lossy: decodeLossy,
  messageAck: decodeMessageAck,
  wants: (bytes: Uint8Array, offset: number, length: number) => WANTS.decodePart(bytes, offset, length),
  withheld: (bytes: Uint8Array, offset: number, length: number) => WITHHELD.decodePart(bytes, offset, length),
  stateAck: decodeStateAck,
  ping: decodePing,
  pong: decodePong,
  fec: (bytes: Uint8Array, offset: number, length: number) => new FecPayload().decode(bytes, offset, length),
  nack: (_bytes: Uint8Array, _offset: number, length: number) => countNackBlocks(length),
};

for (const [name, decode] of Object.entries(DECODERS)) {
  test(`the ${name} decoder throws nothing but DecodeError, and what surrounds the bytes does not change its answer`, () => {
    fc.assert(
      fc.property(payload, fc.uint8Array({ maxLength: 8 }), (bytes, around) => {
        const surrounded = Uint8Array.from([...around, ...bytes, ...around]);
        const alone = outcome(() => decode(bytes, 0, bytes.length));
        const inside = outcome(() => decode(surrounded, around.length, bytes.length));
        assert.deepEqual(inside, alone);
      }),
    );
  });
}

function outcome(decode: () => unknown): unknown {
  try {
    return decode();
  } catch (error) {
    assert.ok(error instanceof DecodeError, String(error));
    return error.reason;
  }
}

describeFrameCiphers('on node:crypto', PORTABLE_FRAME_CIPHERS);

test('payloads round-trip', () => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: RELIABLE_FRAGMENT_BYTES_MAX });
  const place = fc
    .integer({ min: 1, max: FRAGMENTS_MAX })
    .chain(count => fc.record({ count: fc.constant(count), index: fc.integer({ min: 0, max: count - 1 }) }));
  fc.assert(
    fc.property(
      uint32,
      uint32,
      uint32,
      micros,
      micros,
      bytes,
      place,
      (one, two, three, clock, other, content, where) => {
        const fsn = Math.max(where.index + 1, two);
        const first = where.index === 0 ? fsn : 1 + (one % (fsn - where.index));
        const reliable = { incarnation: one, fsn, first, previous: three % first, ...where, bytes: content };
        assert.deepEqual(roundTrip(writeReliable, decodeReliable, reliable), reliable);
        const lossy = { message: one, ...where, bytes: content };
        assert.deepEqual(roundTrip(writeLossy, decodeLossy, lossy), lossy);
        const held = Array.from({ length: two % (HELD_SENDERS_MAX + 1) }, () => ({
          conferenceId: two,
          endpointId: one,
        }));
        const bitmap = content.subarray(0, ACK_BITMAP_BYTES_MAX);
        const ack = { incarnation: one, lowest: Math.max(1, two), bitmap, held };
        assert.deepEqual(roundTrip(writeMessageAck, decodeMessageAck, ack), ack);
        const stateAck = { incarnation: one, version: two };
        assert.deepEqual(roundTrip(writeStateAck, decodeStateAck, stateAck), stateAck);
        const ping = { incarnation: one, number: two, sentMicros: clock, expected: three, lost: one, bursts: two };
        assert.deepEqual(roundTrip(writePing, decodePing, ping), ping);
        const pong = { number: one, receivedMicros: clock, sentMicros: other };
        assert.deepEqual(roundTrip(writePong, decodePong, pong), pong);
      },
    ),
  );
});

function roundTrip<T>(
  write: (bytes: Uint8Array, offset: number, value: T) => number,
  decode: (bytes: Uint8Array, offset: number, length: number) => T,
  value: T,
): T {
  const buffer = new Uint8Array(PAYLOAD_BYTES_MAX + 3);
  const length = write(buffer, 3, value);
  assert.ok(length <= PAYLOAD_BYTES_MAX);
  return decode(buffer, 3, length);
}

const source = {
  endpointId: fc.integer({ min: 1, max: 0xffffffff }).map(id => id as EndpointId),
  sourceId: fc.integer({ min: 0, max: 255 }).map(id => id as SourceId),
};
const viewers = fc.integer({ min: 0, max: 255 });
const want: fc.Arbitrary<Want> = fc
  .record({ ...source, viewers: fc.tuple(viewers, viewers, viewers) })
  .map(entry => ({ ...entry }))
  .filter(entry => layerMaskOf(entry) !== 0);
const withheld: fc.Arbitrary<Withheld> = fc
  .record({
    ...source,
    withheldMask: fc.integer({ min: 1, max: 7 }),
    reason: fc.integer({ min: 0, max: 255 }),
  })
  .map(entry => ({ ...entry }));

function describeState<Entry>(name: string, format: StateFormat<Entry>, entry: fc.Arbitrary<Entry>): void {
  test(`${name} of any number come back from their parts`, () => {
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 3 * format.entriesPerPart }), entries => {
        const seen: Entry[] = [];
        for (let part = 0; part < format.partsOf(entries.length); part++) {
          const buffer = new Uint8Array(PAYLOAD_BYTES_MAX);
          const length = format.writePart(buffer, 0, 5, 6, part, entries);
          const decoded = format.decodePart(buffer, 0, length);
          const { incarnation, version, parts } = decoded;
          assert.deepEqual([incarnation, version, decoded.part, parts], [5, 6, part, format.partsOf(entries.length)]);
          seen.push(...decoded.entries);
        }
        assert.deepEqual(seen, entries);
      }),
      { numRuns: 30 },
    );
  });
}

describeState('wants', WANTS, want);
describeState('withheld layers', WITHHELD, withheld);

test('more viewers than a byte holds are told as 255', () => {
  const buffer = new Uint8Array(PAYLOAD_BYTES_MAX);
  const crowd: Want = { endpointId: 5 as EndpointId, sourceId: 1 as SourceId, viewers: [0, 300, 1] };
  const length = WANTS.writePart(buffer, 0, 5, 6, 0, [crowd]);
  assert.deepEqual(WANTS.decodePart(buffer, 0, length).entries, [{ ...crowd, viewers: [0, VIEWERS_MAX, 1] }]);
});

test('an entry that says nothing, or names no layer or endpoint there is, is refused', () => {
  const header = '112233440000000300000001';
  const refused: [StateFormat<unknown>, string][] = [
    [WANTS, '00000002' + '00' + '000000'],
    [WANTS, '00000000' + '00' + '000001'],
    [WITHHELD, '00000002' + '00' + '00' + '01'],
    [WITHHELD, '00000002' + '00' + '08' + '01'],
    [WITHHELD, '00000000' + '00' + '04' + '01'],
  ];
  for (const [format, entry] of refused) {
    const bytes = Buffer.from(header + entry, 'hex');
    assert.throws(() => format.decodePart(bytes, 0, bytes.length), DecodeError, entry);
  }
});

test('a nack names exactly the missing numbers, up to what 128 blocks hold', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 6000 }), { minLength: 1, maxLength: 400 }), numbers => {
      numbers.sort((left, right) => left - right);
      const missing = Float64Array.from(numbers).map(number => number + 2 ** 32 - 3000);
      const buffer = new Uint8Array(PAYLOAD_BYTES_MAX);
      const length = writeNack(buffer, 0, missing, missing.length);
      const blocks = countNackBlocks(length);
      assert.ok(blocks <= NACK_BLOCKS_MAX);
      const named: number[] = [];
      for (let block = 0; block < blocks; block++) {
        const first = readNackFirst(buffer, 0, block);
        named.push(first);
        for (let bit = 0; bit < 32; bit++) {
          if ((readNackMask(buffer, 0, block) & (1 << bit)) !== 0) named.push((first + 1 + bit) % 2 ** 32);
        }
      }
      const expected = Array.from(missing, number => number % 2 ** 32).slice(0, named.length);
      assert.deepEqual(named, expected);
      if (blocks < NACK_BLOCKS_MAX) assert.equal(named.length, missing.length);
    }),
  );
});

test('a frame of another version, without hops, or too short for a tag is refused', () => {
  const bytes = Buffer.alloc(FRAME_OVERHEAD_BYTES);
  const header = new FrameHeader();
  writeHeader(bytes, 0, 0, 0, 0, 1, 2, 3);
  header.decode(bytes, 0, bytes.length);
  assert.throws(() => header.decode(bytes, 0, bytes.length - 1), { reason: 'octo-short' });
  bytes[1] = 0x00;
  assert.throws(() => header.decode(bytes, 0, bytes.length), { reason: 'octo-hops' });
  bytes[1] = 0x10;
  bytes[0] = 0xf0;
  assert.throws(() => header.decode(bytes, 0, bytes.length), { reason: 'octo-version' });
  bytes[0] = 0x80;
  assert.throws(() => header.decode(bytes, 0, bytes.length), { reason: 'octo-version' });
});

test('the replay window takes every number once, as a set would, within its width', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: -REPLAY_WINDOW - 50, max: 2 * REPLAY_WINDOW }), { maxLength: 200 }),
      steps => {
        const window = new ReplayWindow();
        const accepted = new Set<number>();
        let highest = -1;
        let sequence = 100_000;
        for (const step of steps) {
          sequence = Math.max(0, step < 40 && step > -40 ? sequence + step : sequence + Math.trunc(step / 7));
          const isExpected = sequence > highest || (sequence > highest - REPLAY_WINDOW && !accepted.has(sequence));
          assert.equal(window.isFresh(sequence), isExpected, `${sequence} after ${highest}`);
          if (!isExpected) continue;
          window.accept(sequence);
          accepted.add(sequence);
          highest = Math.max(highest, sequence);
          assert.equal(window.highest, highest);
        }
      },
    ),
  );
});

test('the first byte of a frame says whether it carries media', () => {
  const bytes = new Uint8Array(FRAME_OVERHEAD_BYTES);
  for (let type = FRAME_MEDIA; type <= FRAME_CLOSE; type++) {
    writeHeader(bytes, 0, type, 0, 0, 1, 2, 3);
    assert.equal(isMediaFrame(bytes[0]), type === FRAME_MEDIA);
  }
});

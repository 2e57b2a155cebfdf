import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { DecodeError } from '../errors.ts';
import {
  FEC_SPAN_MAX,
  FecPayload,
  fecPrefixBytes,
  readSymbol,
  SYMBOL_BYTES_MAX,
  SYMBOL_PREFIX_BYTES,
  writeFecPrefix,
  writeSymbol,
} from './fec.ts';
import { addMultiple, divide, multiply } from './galois-field.ts';
import { FrameHeader, HEADER_BYTES, writeHeader } from './header.ts';
import { coefficient, DATA_SYMBOLS_MAX, invert, PARITY_SYMBOLS_MAX } from './reed-solomon.ts';

interface FecVectors {
  readonly media: readonly {
    readonly sequence: number;
    readonly source: number;
    readonly conferenceId: number;
    readonly endpointId: number;
    readonly sendTime: number;
    readonly payload: string;
    readonly symbol: string;
  }[];
  readonly parity: readonly { readonly row: number; readonly payload: string }[];
}

const vectors: FecVectors = JSON.parse(readFileSync(new URL('./vectors.json', import.meta.url), 'utf8')).fec;

const byte = fc.integer({ min: 0, max: 255 });

test('multiplication is that of polynomials modulo 0x11d, and division undoes it', () => {
  fc.assert(
    fc.property(byte, fc.integer({ min: 1, max: 255 }), (a, b) => {
      let product = 0;
      for (let bit = 7; bit >= 0; bit--) {
        product <<= 1;
        if (product & 0x100) product ^= 0x11d;
        if (b & (1 << bit)) product ^= a;
      }
      assert.equal(multiply(a, b), product);
      assert.equal(divide(product, b), a);
    }),
    { numRuns: 2000 },
  );
});

test('words are multiplied byte by byte, whatever lies around them', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), byte, (bytes, factor) => {
      const source = new Uint32Array(bytes.slice().buffer);
      const target = new Uint32Array(6).fill(0x01020304);
      addMultiple(target, 1, source, 1, 2, factor);
      const expected = new Uint32Array(6).fill(0x01020304);
      const expectedBytes = new Uint8Array(expected.buffer);
      for (let index = 0; index < 8; index++) expectedBytes[4 + index] ^= multiply(factor, bytes[4 + index]);
      assert.deepEqual(target, expected);
    }),
  );
});

test('the first parity symbol is the XOR of the data', () => {
  for (let index = 0; index < DATA_SYMBOLS_MAX; index++) assert.equal(coefficient(0, index), 1);
});

/** `count` distinct numbers below `limit`, ascending. */
const someOf = (limit: number, count: number) =>
  fc
    .uniqueArray(fc.integer({ min: 0, max: limit - 1 }), { minLength: count, maxLength: count })
    .map(numbers => numbers.sort((a, b) => a - b));

test('any lost symbols come back from as many parity symbols, whichever these are', () => {
  const scene = fc
    .record({ count: fc.integer({ min: 1, max: DATA_SYMBOLS_MAX }), lost: fc.integer({ min: 1, max: 8 }) })
    .chain(({ count, lost }) => {
      const missing = Math.min(lost, count);
      return fc.record({
        data: fc.array(fc.uint8Array({ minLength: 12, maxLength: 12 }), { minLength: count, maxLength: count }),
        missing: someOf(count, missing),
        rows: someOf(PARITY_SYMBOLS_MAX, missing),
      });
    });
  fc.assert(
    fc.property(scene, ({ data, missing, rows }) => {
      const symbols = data.map(bytes => new Uint32Array(bytes.slice().buffer));
      const parity = new Uint32Array(rows.length * 3);
      // What is left of the parity when the present symbols are taken out is what the missing ones have put in.
      for (const [place, row] of rows.entries()) {
        for (const [index, symbol] of symbols.entries()) {
          addMultiple(parity, place * 3, symbol, 0, 3, coefficient(row, index));
        }
        for (const [index, symbol] of symbols.entries()) {
          if (!missing.includes(index)) addMultiple(parity, place * 3, symbol, 0, 3, coefficient(row, index));
        }
      }
      const inverse = new Uint8Array(rows.length ** 2);
      invert(Uint8Array.from(rows), Uint8Array.from(missing), rows.length, inverse);
      for (const [place, index] of missing.entries()) {
        const recovered = new Uint32Array(3);
        for (let row = 0; row < rows.length; row++) {
          addMultiple(recovered, 0, parity, row * 3, 3, inverse[place * rows.length + row]);
        }
        assert.deepEqual(recovered, symbols[index]);
      }
    }),
    { numRuns: 500 },
  );
});

test('the symbols and parity of the vectors are ours', () => {
  const words = SYMBOL_BYTES_MAX / 4;
  const parity = new Uint32Array(words * PARITY_SYMBOLS_MAX);
  for (const [index, { source, conferenceId, endpointId, sendTime, payload, symbol }] of vectors.media.entries()) {
    const frame = Buffer.alloc(200, 0xee);
    writeHeader(frame, 0, 0, source, 0, conferenceId, endpointId, sendTime);
    frame.write(payload, HEADER_BYTES, 'hex');
    const bytes = new Uint8Array(SYMBOL_BYTES_MAX).fill(0xff);
    const length = writeSymbol(bytes, 0, frame, 0, payload.length / 2);
    assert.equal(Buffer.from(bytes).toString('hex', 0, length), symbol);
    const symbolWords = new Uint32Array(bytes.buffer, 0, (length + 3) >> 2);
    for (let row = 0; row < PARITY_SYMBOLS_MAX; row++) {
      addMultiple(parity, row * words, symbolWords, 0, symbolWords.length, coefficient(row, index));
    }
  }
  for (const { row, payload } of vectors.parity) {
    const fec = new FecPayload();
    const bytes = Buffer.from(payload, 'hex');
    fec.decode(bytes, 0, bytes.length);
    const made = Buffer.from(parity.buffer, row * SYMBOL_BYTES_MAX, fec.symbolBytes);
    assert.equal(bytes.toString('hex', fec.symbolOffset), made.toString('hex'), `row ${row}`);
  }
});

const group = fc
  .uniqueArray(fc.integer({ min: 1, max: FEC_SPAN_MAX - 1 }), { maxLength: DATA_SYMBOLS_MAX - 1 })
  .map(distances => Uint16Array.from([0, ...distances.sort((a, b) => a - b)]));

test('payloads round-trip', () => {
  fc.assert(
    fc.property(
      group,
      fc.integer({ min: 0, max: 2 ** 48 - 1 }),
      fc.integer({ min: 0, max: PARITY_SYMBOLS_MAX - 1 }),
      byte,
      fc.integer({ min: SYMBOL_PREFIX_BYTES + 1, max: SYMBOL_BYTES_MAX }),
      (distances, first, row, previous, symbolBytes) => {
        const bytes = new Uint8Array(1500).fill(0xaa);
        const prefix = writeFecPrefix(bytes, 5, first, row, previous, distances, distances.length);
        assert.equal(prefix, fecPrefixBytes(distances[distances.length - 1]));
        const fec = new FecPayload();
        fec.decode(bytes, 5, prefix + symbolBytes);
        assert.deepEqual(fec.distances.subarray(0, fec.count), distances);
        assert.deepEqual(
          [fec.first, fec.row, fec.previous, fec.symbolOffset, fec.symbolBytes],
          [first % 2 ** 32, row, previous, 5 + prefix, symbolBytes],
        );
      },
    ),
  );
});

const SYMBOL = '00'.repeat(SYMBOL_PREFIX_BYTES + 1);

for (const [name, hex, reason] of [
  ['without a symbol', '00000001 00 00 00', 'octo-fec-length'],
  ['with a symbol of no payload', `00000001 00 00 00 ${SYMBOL.slice(2)}`, 'octo-fec-length'],
  ['with a symbol too long', `00000001 00 00 00 ${'00'.repeat(SYMBOL_BYTES_MAX + 1)}`, 'octo-fec-length'],
  ['of row 8', `00000001 08 00 00 ${SYMBOL}`, 'octo-fec-row'],
  ['with a bitmap of 33 bytes', `00000001 00 00 21 ${'80'.repeat(33)} ${SYMBOL}`, 'octo-fec-bitmap'],
  ['with a bitmap longer than it need be', `00000001 00 00 02 8000 ${SYMBOL}`, 'octo-fec-bitmap'],
  ['of 25 frames', `00000001 00 00 03 ffffff ${SYMBOL}`, 'octo-fec-count'],
  ['with a bitmap beyond its end', '00000001 00 00 20 ff', 'octo-fec-length'],
] as const) {
  test(`an FEC payload ${name} is refused`, () => {
    const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex');
    assert.throws(() => new FecPayload().decode(bytes, 0, bytes.length), new DecodeError(reason));
  });
}

test('a symbol gives back the frame that it was made of, and one that no frame has is refused', () => {
  const frame = Buffer.alloc(HEADER_BYTES + 100, 7);
  writeHeader(frame, 0, 0, 3, 2, 0x11223344, 0x55667788, 0x99aabbcc);
  const bytes = new Uint8Array(200);
  const length = writeSymbol(bytes, 4, frame, 0, 99);
  assert.equal(length, SYMBOL_PREFIX_BYTES + 99);
  const header = new FrameHeader();
  assert.equal(readSymbol(bytes, 4, 130, 1, header), 99);
  const { type, hops, source, layer, conferenceId, endpointId, sendTime } = header;
  assert.deepEqual(
    [type, hops, source, layer, conferenceId, endpointId, sendTime],
    [0, 1, 3, 2, 0x11223344, 0x55667788, 0x99aabbcc],
  );
  assert.deepEqual(bytes.subarray(4 + SYMBOL_PREFIX_BYTES, 4 + length), new Uint8Array(99).fill(7));
  const refused = new DecodeError('octo-fec-symbol');
  assert.throws(() => readSymbol(bytes, 4, length - 1, 1, header), refused, 'longer than the group');
  bytes[4 + length + 5] = 1;
  assert.throws(() => readSymbol(bytes, 4, 130, 1, header), refused, 'something behind its end');
  assert.throws(() => readSymbol(new Uint8Array(20), 0, 20, 1, header), refused, 'empty');
});

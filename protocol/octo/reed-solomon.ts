/**
 * Systematic Reed-Solomon code for erasures, over GF(2^8): up to 24 data symbols and 8 parity symbols of one length; any as many of them as there
 * are data symbols give back the rest.
 *
 * Parity symbol r is the sum over all data symbols i of c(r, i) times symbol i, with
 *
 *     c(r, i) = (8 + i) / ((8 + i) XOR r)
 *
 * That is a Cauchy matrix, 1 / (x_r + y_i) with x_r = r and y_i = 8 + i, whose columns are scaled so that row 0 is all ones: a single parity symbol is the XOR
 * of the data. Every square part of a Cauchy matrix can be inverted, and scaling columns does not change that (Bloemer et al., "An XOR-based
 * erasure-resilient coding scheme", ICSI TR-95-048).
 */
import { divide, multiply } from './galois-field.ts';

export const DATA_SYMBOLS_MAX = 24;
export const PARITY_SYMBOLS_MAX = 8;

const coefficients = new Uint8Array(PARITY_SYMBOLS_MAX * DATA_SYMBOLS_MAX);
for (let row = 0; row < PARITY_SYMBOLS_MAX; row++) {
  for (let index = 0; index < DATA_SYMBOLS_MAX; index++) {
    const y = PARITY_SYMBOLS_MAX + index;
    coefficients[row * DATA_SYMBOLS_MAX + index] = divide(y, y ^ row);
  }
}

/** What data symbol `index` (0 to 23) is multiplied with in parity symbol `row` (0 to 7). Never 0. */
export function coefficient(row: number, index: number): number {
  return coefficients[row * DATA_SYMBOLS_MAX + index];
}

/** Work space of {@link invert}. */
const matrix = new Uint8Array(PARITY_SYMBOLS_MAX * PARITY_SYMBOLS_MAX);

/**
 * How `count` missing data symbols follow from as many parity symbols: writes to `inverse` the `count` x `count` matrix (row after row) that gives missing symbol
 * a as the sum over b of inverse(a, b) times what is left of parity symbol `rows[b]` when the present data symbols are taken out of it. `rows` are distinct,
 * and so are `missing`, indices of data symbols.
 */
export function invert(rows: Uint8Array, missing: Uint8Array, count: number, inverse: Uint8Array): void {
  for (let a = 0; a < count; a++) {
    for (let b = 0; b < count; b++) {
      matrix[a * count + b] = coefficient(rows[a], missing[b]);
      inverse[a * count + b] = a === b ? 1 : 0;
    }
  }
  for (let pivot = 0; pivot < count; pivot++) {
    // Every leading minor of a Cauchy matrix is not 0: no pivot is, and rows need not change places.
    const scale = divide(1, matrix[pivot * count + pivot]);
    multiplyRow(matrix, pivot, count, scale);
    multiplyRow(inverse, pivot, count, scale);
    for (let row = 0; row < count; row++) {
      const factor = matrix[row * count + pivot];
      if (row === pivot || factor === 0) continue;
      addRow(matrix, row, pivot, count, factor);
      addRow(inverse, row, pivot, count, factor);
    }
  }
}

function multiplyRow(rows: Uint8Array, row: number, count: number, factor: number): void {
  for (let index = row * count; index < (row + 1) * count; index++) rows[index] = multiply(factor, rows[index]);
}

function addRow(rows: Uint8Array, row: number, from: number, count: number, factor: number): void {
  for (let index = 0; index < count; index++) {
    rows[row * count + index] ^= multiply(factor, rows[from * count + index]);
  }
}

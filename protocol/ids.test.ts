import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { BRIDGE_ENDPOINT_ID, type EndpointId, formatId, parseId } from './ids.ts';

test('an ID is written as eight lower-case hex digits', () => {
  assert.equal(formatId(0x4d2 as EndpointId), '000004d2');
  assert.equal(formatId(0xabcdabcd as EndpointId), 'abcdabcd');
  assert.equal(formatId(BRIDGE_ENDPOINT_ID), 'ffffffff');
});

test('every ID but zero comes back from its text', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 0xffffffff }), value => {
      assert.equal(parseId(formatId(value as EndpointId)), value);
    }),
  );
});

test('only eight lower-case hex digits are an ID, and zero is none', () => {
  for (const text of [
    '',
    '4d2',
    '000004D2',
    '000004d2a',
    '0x0004d2',
    ' 00004d2',
    '000004d2\n',
    '00000000',
    '-00004d2',
  ]) {
    assert.equal(parseId(text), undefined, JSON.stringify(text));
  }
});

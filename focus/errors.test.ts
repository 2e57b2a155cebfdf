import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asFocusError, errorBody, FocusError } from './errors.ts';

test('an error has its code, status and text, and what was asked for after a colon', () => {
  const error = new FocusError('metadata-too-large', '9 of 8 bytes');
  assert.deepEqual([error.code, error.status, error.twirpCode], ['metadata-too-large', 400, 'invalid_argument']);
  assert.equal(error.message, 'metadata size exceeds limits: 9 of 8 bytes');
});

test('an error nobody foresaw is internal to the client, whatever it says', () => {
  for (const error of [new Error('password=hunter2'), 'thrown text', undefined, { statusCode: 404 }]) {
    assert.deepEqual(errorBody(error), { error: { code: 'internal', message: 'internal error' } });
  }
});

test("fastify's own refusals keep their meaning", () => {
  const refusals = [
    [413, 'body-too-large'],
    [415, 'malformed-body'],
    [400, 'invalid-request'],
    [404, 'route-not-found'],
  ] as const;
  for (const [statusCode, code] of refusals) {
    assert.equal(asFocusError(Object.assign(new Error('x'), { statusCode })).code, code);
  }
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { REVOCATIONS_MAX, Revocations } from './revocations.ts';

test('tokens from before a revocation are refused, later ones are not, and one without a time is old', () => {
  const revocations = new Revocations();
  revocations.revoke('talk', 'ann', 1000);
  assert.deepEqual(
    [999, 1000, undefined].map(notBefore => revocations.isRevoked('talk', 'ann', notBefore)),
    [true, false, true],
  );
  assert.equal(revocations.isRevoked('talk', 'bob', 1), false);
  assert.equal(revocations.isRevoked('other', 'ann', 1), false);
});

test('an earlier revocation does not undo a later one', () => {
  const revocations = new Revocations();
  revocations.revoke('talk', 'ann', 1000);
  revocations.revoke('talk', 'ann', 500);
  assert.equal(revocations.isRevoked('talk', 'ann', 999), true);
});

test('names cannot be made to look like others', () => {
  const revocations = new Revocations();
  revocations.revoke('a","b', 'c', 1000);
  assert.equal(revocations.isRevoked('a', 'b","c', 1), false);
});

test('of too many the oldest is forgotten', () => {
  const revocations = new Revocations();
  for (let i = 0; i <= REVOCATIONS_MAX; i++) revocations.revoke('talk', `p${i}`, 1000);
  assert.equal(revocations.isRevoked('talk', 'p0', 1), false);
  assert.equal(revocations.isRevoked('talk', 'p1', 1), true);
});

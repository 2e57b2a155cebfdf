import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createKeyAgreement, NAMED_GROUPS, SECP256R1, X25519 } from './dtls-key-agreement.ts';
import { prf } from './dtls-keys.ts';

test('the pseudo-random function gives the known answer for SHA-256', () => {
  // The vector that the IETF's TLS list agreed on for P_SHA256.
  const output = prf(
    Buffer.from('9bbe436ba940f017b17652849a71db35', 'hex'),
    'test label',
    Buffer.from('a0ba9f936cda311827a6f796ffd5198c', 'hex'),
    100,
  );
  assert.equal(
    output.toString('hex'),
    'e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af0fa022f7077def17abfd3797c0564bab' +
      '4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff70187347b66',
  );
});

for (const group of NAMED_GROUPS) {
  test(`both ends of group ${group} come to one secret of 32 bytes, and a third to another`, () => {
    const [one, other, third] = [createKeyAgreement(group), createKeyAgreement(group), createKeyAgreement(group)];
    const secret = one.agree(other.publicKey);
    assert.equal(secret?.length, 32);
    assert.deepEqual(secret, other.agree(one.publicKey));
    assert.notDeepEqual(secret, third.agree(one.publicKey));
  });
}

test('a public key that is no point of its group, or gives everybody the same secret, is refused', () => {
  const x25519 = createKeyAgreement(X25519);
  for (const bytes of [0, 1, 31, 33]) assert.equal(x25519.agree(Buffer.alloc(bytes, 9)), undefined);
  assert.equal(x25519.agree(Buffer.alloc(32)), undefined);
  assert.equal(x25519.agree(Buffer.alloc(32).fill(1, 0, 1)), undefined);
  const p256 = createKeyAgreement(SECP256R1);
  const offCurve = Buffer.from(createKeyAgreement(SECP256R1).publicKey);
  offCurve[40] ^= 1;
  for (const bytes of [Buffer.alloc(0), Buffer.of(0), Buffer.alloc(65, 4), offCurve]) {
    assert.equal(p256.agree(bytes), undefined);
  }
});

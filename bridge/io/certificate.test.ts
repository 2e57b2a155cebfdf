import assert from 'node:assert/strict';
import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { createCertificate, fingerprintOf, matchesFingerprint } from './certificate.ts';

test('a certificate is ECDSA P-256, its key fits, and its fingerprint is the SHA-256 of its DER', async () => {
  const certificate = await createCertificate();
  const parsed = new X509Certificate(certificate.certPem);
  assert.equal(parsed.publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1');
  assert.equal(parsed.checkPrivateKey(createPrivateKey(certificate.keyPem)), true);
  assert.equal(certificate.fingerprint.algorithm, 'sha-256');
  assert.equal(certificate.fingerprint.value, parsed.fingerprint256);
  assert.match(certificate.fingerprint.value, /^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
});

test('two certificates differ', async () => {
  const [one, other] = await Promise.all([createCertificate(), createCertificate()]);
  assert.notEqual(one.fingerprint.value, other.fingerprint.value);
});

test('only the strongest offered hash decides, and SHA-1 never does', () => {
  const der = Buffer.from('any bytes stand in for a certificate');
  const sha256 = { algorithm: 'sha-256', value: fingerprintOf(der, 'sha-256') ?? '' };
  const sha512 = { algorithm: 'SHA-512', value: fingerprintOf(der, 'sha-512') ?? '' };
  const sha1 = { algorithm: 'sha-1', value: createHash('sha1').update(der).digest('hex').toUpperCase() };
  const wrong = { algorithm: 'sha-512', value: sha256.value };
  assert.equal(matchesFingerprint(der, [sha256]), true);
  assert.equal(matchesFingerprint(der, [wrong, sha512]), true, 'any of the same hash');
  assert.equal(matchesFingerprint(der, [{ ...sha256, value: sha256.value.toLowerCase() }]), true);
  assert.equal(matchesFingerprint(der, [sha256, wrong]), false, 'the weaker one does not rescue');
  assert.equal(matchesFingerprint(der, [sha1]), false);
  assert.equal(matchesFingerprint(der, []), false);
});

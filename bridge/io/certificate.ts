/** The certificate a bridge process shows in every DTLS handshake: with clients and with other bridges. */
import { createHash, createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { CipherContext, HashAlgorithm, NamedCurveAlgorithm, SignatureAlgorithm } from 'werift';

export interface Certificate {
  readonly certPem: string;
  /** As it is sent in a handshake. */
  readonly der: Buffer;
  /** PKCS #8. Never leaves the process. */
  readonly keyPem: string;
  /** The same key, parsed once: ECDSA on P-256, which signs with SHA-256. */
  readonly key: KeyObject;
  readonly fingerprint: Fingerprint;
}

/** Of a certificate in DER, as in SDP (RFC 8122 section 5): algorithm in lower case, value in upper-case pairs joined by colons. */
export interface Fingerprint {
  readonly algorithm: string;
  readonly value: string;
}

/** A new self-signed ECDSA P-256 certificate, valid for ten years: its identity is the fingerprint, published anew at each start. */
export async function createCertificate(): Promise<Certificate> {
  const signatureHash = { hash: HashAlgorithm.sha256_4, signature: SignatureAlgorithm.ecdsa_3 } as const;
  const { certPem, keyPem } = await CipherContext.createSelfSignedCertificateWithKey(
    signatureHash,
    NamedCurveAlgorithm.secp256r1_23,
  );
  const der = new X509Certificate(certPem).raw;
  return Object.freeze({
    certPem,
    der,
    keyPem,
    key: createPrivateKey(keyPem),
    fingerprint: { algorithm: 'sha-256', value: fingerprintOf(der, 'sha-256') ?? '' },
  });
}

/** The fingerprint of a DER certificate, or undefined for a hash that is too weak or unknown (sha-256, sha-384 and sha-512 are accepted). */
export function fingerprintOf(der: Uint8Array, algorithm: string): string | undefined {
  const hash = HASHES.get(algorithm.toLowerCase());
  if (hash === undefined) return undefined;
  const hex = createHash(hash).update(der).digest('hex').toUpperCase();
  return hex.match(/../g)?.join(':');
}

/**
 * True when `der` is the certificate that `offered` announces. Only the strongest hash on offer counts (RFC 8122 section 5), so that a weak one
 * beside it cannot let another certificate in; none that we accept means false.
 */
export function matchesFingerprint(der: Uint8Array, offered: readonly Fingerprint[]): boolean {
  for (const strongest of ['sha-512', 'sha-384', 'sha-256']) {
    const candidates = offered.filter(fingerprint => fingerprint.algorithm.toLowerCase() === strongest);
    if (candidates.length === 0) continue;
    const actual = fingerprintOf(der, strongest);
    return candidates.some(candidate => candidate.value.toUpperCase() === actual);
  }
  return false;
}

const HASHES: ReadonlyMap<string, string> = new Map([
  ['sha-256', 'sha256'],
  ['sha-384', 'sha384'],
  ['sha-512', 'sha512'],
]);

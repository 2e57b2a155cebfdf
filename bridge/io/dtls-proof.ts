/**
 * The proofs of a DTLS 1.2 handshake (RFC 5246 sections 7.4.3, 7.4.8, 7.4.9; RFC 8422 sections 5.4, 5.8). A matching fingerprint alone proves nothing:
 * anybody can show somebody else's certificate. The signature by its key, and the Finished hash, are what makes it the sender's own.
 */
import { type KeyObject, timingSafeEqual, verify, X509Certificate } from 'node:crypto';
import { ECDSA_SHA256, RSA_PKCS1_SHA256 } from './dtls-hello.ts';
import { verifyDataOf } from './dtls-keys.ts';

const NAMED_CURVE = 3;

/** The first certificate of a Certificate message in DER, or undefined for an empty or malformed list. */
export function certificateOf(body: Buffer): Buffer | undefined {
  if (body.length < 6 || body.readUIntBE(0, 3) !== body.length - 3) return undefined;
  const length = body.readUIntBE(3, 3);
  return length === 0 || 6 + length > body.length ? undefined : body.subarray(6, 6 + length);
}

/** Its public key, or undefined for bytes that are no certificate. */
export function publicKeyOf(der: Buffer): KeyObject | undefined {
  try {
    return new X509Certificate(der).publicKey;
  } catch {
    return undefined;
  }
}

/** True when a CertificateVerify message is signed with `key` over `transcript`: all handshake messages before it. */
export function provesPossession(body: Buffer, key: KeyObject, transcript: Buffer): boolean {
  return body.length >= 4 && isSigned(body, 0, key, transcript);
}

/** True when a ServerKeyExchange message (ECDHE) is signed with `key` over both randoms (32 bytes each) and its parameters. */
export function provesKeyExchange(body: Buffer, key: KeyObject, clientRandom: Buffer, serverRandom: Buffer): boolean {
  if (body.length < 4 || body[0] !== NAMED_CURVE) return false;
  const parametersEnd = 4 + body[3];
  if (parametersEnd + 4 > body.length) return false;
  return isSigned(
    body,
    parametersEnd,
    key,
    Buffer.concat([clientRandom, serverRandom, body.subarray(0, parametersEnd)]),
  );
}

/** True when a Finished message of `side` fits the master secret and `transcript`: all handshake messages before it. */
export function provesTranscript(
  body: Buffer,
  side: 'client' | 'server',
  masterSecret: Buffer,
  transcript: Buffer,
): boolean {
  const expected = verifyDataOf(masterSecret, side, transcript);
  return body.length === expected.length && timingSafeEqual(body, expected);
}

/** Reads scheme (16), length (16) and signature that end `body`, and checks them. */
function isSigned(body: Buffer, offset: number, key: KeyObject, signed: Buffer): boolean {
  const scheme = body.readUInt16BE(offset);
  const wanted = scheme === ECDSA_SHA256 ? 'ec' : scheme === RSA_PKCS1_SHA256 ? 'rsa' : undefined;
  if (key.asymmetricKeyType !== wanted || offset + 4 + body.readUInt16BE(offset + 2) !== body.length) return false;
  try {
    return verify('sha256', signed, key, body.subarray(offset + 4));
  } catch {
    return false;
  }
}

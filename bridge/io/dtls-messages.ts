/**
 * The handshake messages of DTLS 1.2 beside the hellos, for ECDHE with ECDSA (RFC 5246 section 7.4, RFC 8422 section 5).
 *
 * Certificate:        list <24> of certificate <24>
 * ServerKeyExchange:  3 (8) | group (16) | public key <8> | signature scheme (16) | signature <16>
 * CertificateRequest: certificate types <8> | signature schemes <16> | authorities <16>
 * CertificateVerify:  signature scheme (16) | signature <16>
 * ClientKeyExchange:  public key <8>
 */
import { type KeyObject, sign } from 'node:crypto';
import { ECDSA_SHA256, RSA_PKCS1_SHA256 } from './dtls-hello.ts';
import type { KeyAgreement } from './dtls-key-agreement.ts';
import type { Randoms } from './dtls-keys.ts';
import { MessageReader, uint16s, vectorOf } from './dtls-reader.ts';

export const CLIENT_HELLO = 1;
export const SERVER_HELLO = 2;
export const HELLO_VERIFY_REQUEST = 3;
export const CERTIFICATE = 11;
export const SERVER_KEY_EXCHANGE = 12;
export const CERTIFICATE_REQUEST = 13;
export const SERVER_HELLO_DONE = 14;
export const CERTIFICATE_VERIFY = 15;
export const CLIENT_KEY_EXCHANGE = 16;
export const FINISHED = 20;

const NAMED_CURVE = 3;
const RSA_SIGN = 1;
const ECDSA_SIGN = 64;

export function encodeCertificate(der: Uint8Array): Buffer {
  return vectorOf(3, vectorOf(3, der));
}

/** Asks for a certificate that {@link file://./dtls-proof.ts} can check. */
export function encodeCertificateRequest(): Buffer {
  return Buffer.concat([
    vectorOf(1, Buffer.of(ECDSA_SIGN, RSA_SIGN)),
    vectorOf(2, uint16s([ECDSA_SHA256, RSA_PKCS1_SHA256])),
    vectorOf(2, Buffer.alloc(0)),
  ]);
}

/** Our ephemeral key, signed together with both randoms by the certificate's `key`. */
export function encodeServerKeyExchange(agreement: KeyAgreement, randoms: Randoms, key: KeyObject): Buffer {
  const parameters = Buffer.concat([
    Buffer.of(NAMED_CURVE),
    uint16s([agreement.group]),
    vectorOf(1, agreement.publicKey),
  ]);
  const signed = Buffer.concat([randoms.client, randoms.server, parameters]);
  return Buffer.concat([parameters, signature(signed, key)]);
}

/** The group and the key that a server offers. What proves them is checked by `provesKeyExchange`. Throws DecodeError. */
export function decodeServerKey(body: Buffer): { readonly group: number; readonly publicKey: Buffer } {
  const reader = new MessageReader(body);
  reader.number(1);
  return { group: reader.number(2), publicKey: reader.vector(1) };
}

/** Signs `transcript`: all handshake messages before this one. */
export function encodeCertificateVerify(transcript: Buffer, key: KeyObject): Buffer {
  return signature(transcript, key);
}

export function encodeClientKeyExchange(agreement: KeyAgreement): Buffer {
  return vectorOf(1, agreement.publicKey);
}

/** Throws DecodeError. */
export function decodeClientKey(body: Buffer): Buffer {
  const reader = new MessageReader(body);
  const publicKey = reader.vector(1);
  reader.end();
  return publicKey;
}

function signature(signed: Buffer, key: KeyObject): Buffer {
  return Buffer.concat([uint16s([ECDSA_SHA256]), vectorOf(2, sign('sha256', signed, key))]);
}

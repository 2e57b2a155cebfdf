/**
 * The hellos of DTLS 1.2 (RFC 6347 section 4.2.1, RFC 5246 section 7.4.1) and their extensions. One cipher suite, both sides with a certificate.
 *
 * ClientHello:        version (16) | random (32 bytes) | session id <8> | cookie <8> | cipher suites <16> | compression <8> | extensions <16>
 * ServerHello:        version (16) | random (32 bytes) | session id <8> | cipher suite (16) | compression (8) | extensions <16>
 * HelloVerifyRequest: version (16) | cookie <8>
 */
import { DecodeError } from '../../protocol/errors.ts';
import { NAMED_GROUPS } from './dtls-key-agreement.ts';
import { decodeUint16s, MessageReader, uint16s, vectorOf } from './dtls-reader.ts';
import { DTLS_1_2 } from './dtls-records.ts';

export const TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 = 0xc02b;
/** Signature schemes that proofs are checked with. Ours are made with the first. */
export const RSA_PKCS1_SHA256 = 0x0401;
export const ECDSA_SHA256 = 0x0403;
/** A client may say renegotiation_info as a cipher suite (RFC 5746 section 3.3). */
const EMPTY_RENEGOTIATION_INFO_SCSV = 0x00ff;
const NO_COMPRESSION = 0;
const RANDOM_BYTES = 32;

const SUPPORTED_GROUPS = 10;
const EC_POINT_FORMATS = 11;
const SIGNATURE_ALGORITHMS = 13;
const USE_SRTP = 14;
const EXTENDED_MASTER_SECRET = 23;
const RENEGOTIATION_INFO = 0xff01;

const UNCOMPRESSED = Buffer.of(1, 0);
const NO_RENEGOTIATION = Buffer.of(0);
const NOTHING = Buffer.alloc(0);

export interface ClientHello {
  readonly random: Buffer;
  readonly cookie: Buffer;
  readonly cipherSuites: readonly number[];
  /** undefined: the client does not say. */
  readonly groups: readonly number[] | undefined;
  readonly signatureSchemes: readonly number[] | undefined;
  readonly srtpProfiles: readonly number[];
  readonly hasExtendedMasterSecret: boolean;
  readonly hasPointFormats: boolean;
  readonly hasRenegotiationInfo: boolean;
}

export interface ServerHello {
  readonly random: Buffer;
  readonly cipherSuite: number;
  readonly srtpProfile: number | undefined;
  readonly hasExtendedMasterSecret: boolean;
}

/** Throws DecodeError, `dtls-version` for a client that does not know DTLS 1.2. */
export function decodeClientHello(body: Buffer): ClientHello {
  const reader = new MessageReader(body);
  // Versions count down, and a client says its highest.
  if (reader.number(2) > DTLS_1_2) throw new DecodeError('dtls-version');
  const random = reader.take(RANDOM_BYTES);
  reader.vector(1);
  const cookie = reader.vector(1);
  const cipherSuites = decodeUint16s(reader.vector(2));
  if (!reader.vector(1).includes(NO_COMPRESSION)) throw new DecodeError('dtls-compression');
  const extensions = decodeExtensions(reader);
  const groups = extensions.get(SUPPORTED_GROUPS);
  const schemes = extensions.get(SIGNATURE_ALGORITHMS);
  return {
    random,
    cookie,
    cipherSuites,
    groups: groups === undefined ? undefined : decodeUint16s(only(groups)),
    signatureSchemes: schemes === undefined ? undefined : decodeUint16s(only(schemes)),
    srtpProfiles: decodeSrtp(extensions.get(USE_SRTP)),
    hasExtendedMasterSecret: extensions.has(EXTENDED_MASTER_SECRET),
    hasPointFormats: extensions.has(EC_POINT_FORMATS),
    hasRenegotiationInfo: extensions.has(RENEGOTIATION_INFO) || cipherSuites.includes(EMPTY_RENEGOTIATION_INFO_SCSV),
  };
}

/** A hello of ours. `random` is the same with and without the cookie. */
export function encodeClientHello(random: Buffer, cookie: Uint8Array, srtpProfiles: readonly number[]): Buffer {
  const extensions = [
    extension(SUPPORTED_GROUPS, vectorOf(2, uint16s(NAMED_GROUPS))),
    extension(EC_POINT_FORMATS, UNCOMPRESSED),
    extension(SIGNATURE_ALGORITHMS, vectorOf(2, uint16s([ECDSA_SHA256, RSA_PKCS1_SHA256]))),
    extension(EXTENDED_MASTER_SECRET, NOTHING),
    extension(RENEGOTIATION_INFO, NO_RENEGOTIATION),
  ];
  if (srtpProfiles.length > 0) extensions.push(extension(USE_SRTP, srtpOf(srtpProfiles)));
  return Buffer.concat([
    uint16s([DTLS_1_2]),
    random,
    vectorOf(1, NOTHING),
    vectorOf(1, cookie),
    vectorOf(2, uint16s([TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256])),
    vectorOf(1, Buffer.of(NO_COMPRESSION)),
    vectorOf(2, Buffer.concat(extensions)),
  ]);
}

/** Throws DecodeError, `dtls-version` for anything but DTLS 1.2. */
export function decodeServerHello(body: Buffer): ServerHello {
  const reader = new MessageReader(body);
  if (reader.number(2) !== DTLS_1_2) throw new DecodeError('dtls-version');
  const random = reader.take(RANDOM_BYTES);
  reader.vector(1);
  const cipherSuite = reader.number(2);
  if (reader.number(1) !== NO_COMPRESSION) throw new DecodeError('dtls-compression');
  const extensions = decodeExtensions(reader);
  const [srtpProfile] = decodeSrtp(extensions.get(USE_SRTP));
  return { random, cipherSuite, srtpProfile, hasExtendedMasterSecret: extensions.has(EXTENDED_MASTER_SECRET) };
}

/** The answer to `hello`, with nothing in it that the client has not asked for. Without a session id: sessions are not resumed. */
export function encodeServerHello(random: Buffer, hello: ClientHello, srtpProfile: number | undefined): Buffer {
  const extensions: Buffer[] = [];
  if (hello.hasExtendedMasterSecret) extensions.push(extension(EXTENDED_MASTER_SECRET, NOTHING));
  if (hello.hasRenegotiationInfo) extensions.push(extension(RENEGOTIATION_INFO, NO_RENEGOTIATION));
  if (hello.hasPointFormats) extensions.push(extension(EC_POINT_FORMATS, UNCOMPRESSED));
  if (srtpProfile !== undefined) extensions.push(extension(USE_SRTP, srtpOf([srtpProfile])));
  return Buffer.concat([
    uint16s([DTLS_1_2]),
    random,
    vectorOf(1, NOTHING),
    uint16s([TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]),
    Buffer.of(NO_COMPRESSION),
    extensions.length === 0 ? NOTHING : vectorOf(2, Buffer.concat(extensions)),
  ]);
}

/** The cookie of a HelloVerifyRequest. Its version says nothing (RFC 6347 section 4.2.1). Throws DecodeError. */
export function decodeCookie(body: Buffer): Buffer {
  const reader = new MessageReader(body);
  reader.number(2);
  const cookie = reader.vector(1);
  reader.end();
  return cookie;
}

export function encodeCookie(cookie: Uint8Array): Buffer {
  return Buffer.concat([uint16s([DTLS_1_2]), vectorOf(1, cookie)]);
}

/** What is left of a hello: nothing, or extensions by type. */
function decodeExtensions(reader: MessageReader): Map<number, Buffer> {
  const extensions = new Map<number, Buffer>();
  if (reader.isAtEnd) return extensions;
  const list = new MessageReader(reader.vector(2));
  reader.end();
  while (!list.isAtEnd) {
    const type = list.number(2);
    if (extensions.has(type)) throw new DecodeError('dtls-handshake');
    extensions.set(type, list.vector(2));
  }
  return extensions;
}

function extension(type: number, content: Uint8Array): Buffer {
  return Buffer.concat([uint16s([type]), vectorOf(2, content)]);
}

/** The one vector in an extension. */
function only(content: Buffer): Buffer {
  const reader = new MessageReader(content);
  const vector = reader.vector(2);
  reader.end();
  return vector;
}

/** Profiles <16>, then the MKI <8>, which we do not use (RFC 5764 section 4.1.1). */
function decodeSrtp(content: Buffer | undefined): number[] {
  if (content === undefined) return [];
  const reader = new MessageReader(content);
  const profiles = decodeUint16s(reader.vector(2));
  reader.vector(1);
  reader.end();
  return profiles;
}

function srtpOf(profiles: readonly number[]): Buffer {
  return Buffer.concat([vectorOf(2, uint16s(profiles)), vectorOf(1, NOTHING)]);
}

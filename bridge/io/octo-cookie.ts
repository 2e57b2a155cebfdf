/**
 * The cookie exchange of an Octo link (RFC 6347 section 4.2.1), as seen from datagrams: what may make a server work, told without decoding a handshake.
 * The cookie is one per process and peer, so that no stranger's hello puts another one in the place of the one that the peer is about to bring back.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';

const COOKIE_BYTES = 20;

const CONTENT_HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const HELLO_VERIFY_REQUEST = 3;
/** After the record header: type, length, message sequence, fragment offset, fragment length. */
const HANDSHAKE_OFFSET = 13;
const FRAGMENT_OFFSET = HANDSHAKE_OFFSET + 6;
/** After both headers, and the version: the client's random, the session ID, the cookie. */
const RANDOM_OFFSET = HANDSHAKE_OFFSET + 12 + 2;
const RANDOM_BYTES = 32;
const SESSION_OFFSET = RANDOM_OFFSET + RANDOM_BYTES;

/** What the peer with this certificate has to bring back. `secret`: random, of this process. */
export function cookieOf(secret: Uint8Array, peerFingerprint: string): Buffer {
  return createHmac('sha256', secret).update(peerFingerprint).digest().subarray(0, COOKIE_BYTES);
}

/**
 * What a datagram is to a server that waits: `first` says hello without a cookie, which anybody can; `proven` brings back `cookie`, so the peer is where its
 * address says; `other` is neither, a hello in fragments included: ours fit one datagram.
 */
export function helloKind(datagram: Uint8Array, cookie: Uint8Array): 'first' | 'proven' | 'other' {
  if (randomOf(datagram) === undefined) return 'other';
  const cookieOffset = SESSION_OFFSET + 1 + datagram[SESSION_OFFSET];
  const cookieBytes = datagram[cookieOffset];
  if (cookieBytes === 0) return 'first';
  const brought = datagram.subarray(cookieOffset + 1, cookieOffset + 1 + COOKIE_BYTES);
  return cookieBytes === COOKIE_BYTES && brought.length === COOKIE_BYTES && timingSafeEqual(brought, cookie)
    ? 'proven'
    : 'other';
}

/** A HelloVerifyRequest, by its looks. */
export function isCookieDemand(datagram: Uint8Array): boolean {
  return datagram[0] === CONTENT_HANDSHAKE && datagram[HANDSHAKE_OFFSET] === HELLO_VERIFY_REQUEST;
}

/** The random of a ClientHello that is whole and not encrypted: it names a client's attempt. Undefined for anything else. */
export function randomOf(datagram: Uint8Array): Uint8Array | undefined {
  if (datagram.length <= SESSION_OFFSET || datagram[0] !== CONTENT_HANDSHAKE) return undefined;
  const isPlain = datagram[3] === 0 && datagram[4] === 0;
  if (!isPlain || datagram[HANDSHAKE_OFFSET] !== CLIENT_HELLO) return undefined;
  for (let index = 0; index < 3; index++) {
    const isWhole = datagram[FRAGMENT_OFFSET + index] === 0;
    if (!isWhole || datagram[FRAGMENT_OFFSET + 3 + index] !== datagram[HANDSHAKE_OFFSET + 1 + index]) return undefined;
  }
  return datagram.subarray(RANDOM_OFFSET, RANDOM_OFFSET + RANDOM_BYTES);
}

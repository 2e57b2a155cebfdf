/** The messages of a full DTLS 1.2 handshake with ECDHE and certificates on both sides (RFC 6347 section 4.2.4), and their order. */

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

/** A client's messages before its Finished. The first hello has no cookie, the second does. Its certificate is not optional for us. */
const FROM_CLIENT = [CLIENT_HELLO, CLIENT_HELLO, CERTIFICATE, CLIENT_KEY_EXCHANGE, CERTIFICATE_VERIFY];
/** What may follow each of a server's messages; 0 is the start. */
const FROM_SERVER = new Map([
  [0, [HELLO_VERIFY_REQUEST, SERVER_HELLO]],
  [HELLO_VERIFY_REQUEST, [SERVER_HELLO]],
  [SERVER_HELLO, [CERTIFICATE]],
  [CERTIFICATE, [SERVER_KEY_EXCHANGE]],
  [SERVER_KEY_EXCHANGE, [CERTIFICATE_REQUEST, SERVER_HELLO_DONE]],
  [CERTIFICATE_REQUEST, [SERVER_HELLO_DONE]],
]);

/** True when a message of `type` may come next from `peer` after those in `delivered`. FINISHED is not asked about: it comes encrypted. */
export function mayFollow(peer: 'client' | 'server', delivered: readonly number[], type: number): boolean {
  if (peer === 'client') return FROM_CLIENT[delivered.length] === type;
  return FROM_SERVER.get(delivered.at(-1) ?? 0)?.includes(type) === true;
}

/** True when `delivered` is all that comes before the Finished message of `peer`. */
export function isBeforeFinished(peer: 'client' | 'server', delivered: readonly number[]): boolean {
  return delivered.at(-1) === (peer === 'client' ? CERTIFICATE_VERIFY : SERVER_HELLO_DONE);
}

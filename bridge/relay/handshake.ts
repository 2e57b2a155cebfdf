import type { LinkRole, SessionKeys } from '../../protocol/octo/keys.ts';

/** One attempt to agree on keys with a peer. What it needs of sockets, timers and DTLS is behind `bridge/io/octo-dtls.ts`. */
export interface Handshake {
  /** Server: the peer has shown that it receives at its address, so a stranger's first message must not take its place. */
  readonly isCommitted: boolean;
  /** A DTLS datagram from the peer's address. Copies what it keeps. False: it opens another handshake, not this one. */
  handleDatagram(nowMs: number, bytes: Uint8Array, offset: number, length: number): boolean;
  /** The peer is there now: repeats the first flight if nothing has answered it. */
  handleNudge(nowMs: number): void;
  /** Every 10 ms: repeats flights. */
  handleTimeout(nowMs: number): void;
  /** Ends it. No callback comes after. */
  close(): void;
}

export interface HandshakeOptions {
  readonly role: LinkRole;
  /** SHA-256 of the peer's certificate, `AA:BB:…`, as the focus vouches for it. */
  readonly peerFingerprint: string;
  readonly nowMs: number;
  /** Sends one datagram to the peer; `bytes` are copied. */
  readonly send: (bytes: Uint8Array) => void;
  /** The handshake is complete and the peer proven to own the certificate of that fingerprint. Once. */
  readonly onKeys: (keys: SessionKeys) => void;
  /** It cannot succeed; `reason` is short and stable. Once, instead of `onKeys`. */
  readonly onFailed: (reason: string) => void;
}

/** Begins a handshake: the client's first flight leaves at once. Calls neither `onKeys` nor `onFailed` before it returns. */
export type StartHandshake = (options: HandshakeOptions) => Handshake;

/**
 * A DTLS HelloRequest (RFC 6347 section 4.2.1, RFC 5246 section 7.4.1.1): with it the server side of a link says that it is there, or has
 * lost the keys. It is not authenticated; all it can do is make the client's next attempt come sooner.
 */
export const HELLO_REQUEST = Uint8Array.from([
  22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
]);

export function isHelloRequest(bytes: Uint8Array, offset: number, length: number): boolean {
  return length === HELLO_REQUEST.length && bytes[offset] === 22 && bytes[offset + 13] === 0;
}

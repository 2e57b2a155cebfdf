/** What the two sides of a handshake have in common. Each is a machine without socket or timer: a message in, a step out. */
import type { KeyObject } from 'node:crypto';
import type { SrtpProfile } from '../../protocol/srtp/profiles.ts';
import { type Certificate, type Fingerprint, matchesFingerprint } from './certificate.ts';
import type { HandshakeMessage } from './dtls-inbox.ts';
import type { Randoms } from './dtls-keys.ts';
import { certificateOf, publicKeyOf } from './dtls-proof.ts';

export interface HandshakeSettings {
  readonly certificate: Certificate;
  /** What the peer's certificate must match (`matchesFingerprint`). */
  readonly fingerprints: readonly Fingerprint[];
  /** Server: what a client must bring back that has to show its address; random unless given. */
  readonly cookie?: Uint8Array;
  /** In order of preference; empty without SRTP. With any, one must be agreed on. */
  readonly srtpProfiles: readonly SrtpProfile[];
}

/** What follows from a message of the peer's. */
export type HandshakeStep =
  /** More of its flight is to come. */
  | { readonly kind: 'wait' }
  /** The writer holds our next flight. */
  | { readonly kind: 'answer' }
  /** Both sides have proven everything; the server's last flight is in the writer. */
  | { readonly kind: 'done' }
  /** It cannot succeed; `reason` is stable. */
  | { readonly kind: 'fail'; readonly reason: string };

export const WAIT: HandshakeStep = { kind: 'wait' };
export const ANSWER: HandshakeStep = { kind: 'answer' };
export const DONE: HandshakeStep = { kind: 'done' };

export function fail(reason: string): HandshakeStep {
  return { kind: 'fail', reason };
}

export interface Secrets {
  readonly master: Buffer;
  readonly randoms: Randoms;
}

export interface HandshakeSide {
  /** Types of message that may come next. FINISHED is to be given only when it came under the new keys. */
  readonly expected: readonly number[];
  /** Once the keys are known: before the peer's Finished. */
  readonly secrets: Secrets | undefined;
  readonly srtpProfile: SrtpProfile | undefined;
  /** Writes the first flight, if this side begins. */
  start(): HandshakeStep;
  /** Takes a message of an expected type, in order. Throws DecodeError for a malformed one, and has not changed then. */
  handle(message: HandshakeMessage): HandshakeStep;
}

/** The key of a Certificate message whose first certificate is the announced one, else why it is not to be believed. */
export function announcedKey(body: Buffer, fingerprints: readonly Fingerprint[]): KeyObject | string {
  const der = certificateOf(body);
  const key = der === undefined ? undefined : publicKeyOf(der);
  if (der === undefined || key === undefined) return 'dtls-certificate';
  return matchesFingerprint(der, fingerprints) ? key : 'dtls-fingerprint';
}

/**
 * Protection of Octo 2 frames: AES-128-GCM (NIST SP 800-38D, used as RFC 5116 says). The header is the associated data, the
 * payload is encrypted where it lies, the 16-byte tag follows it. The nonce is the direction's 12-byte salt XOR the 48-bit
 * link sequence number in its last six bytes: a counter, never random, so it cannot repeat under one key.
 */
import { createCipheriv, createDecipheriv, createSecretKey, type DecipherGCM, type KeyObject } from 'node:crypto';
import { HEADER_BYTES, TAG_BYTES } from './header.ts';

export const KEY_BYTES = 16;
export const SALT_BYTES = 12;

/** What protects one direction. Another implementation (native code) may take the place of {@link GcmSealer}. */
export interface FrameSealer {
  /** Encrypts in place the payload of the frame at `offset` (`length`: header and payload) and writes the tag behind it. */
  seal(bytes: Uint8Array, offset: number, length: number, sequence: number): void;
  /** Wipes the key; nothing is sealed afterwards. */
  close(): void;
}

export interface FrameOpener {
  /**
   * Checks and decrypts in place the frame at `offset` (`length`: header, payload and tag). False leaves all bytes as they were,
   * so that a second set of keys can be tried.
   */
  open(bytes: Uint8Array, offset: number, length: number, sequence: number): boolean;
  /** Wipes the key; nothing is opened afterwards. */
  close(): void;
}

/** Makes what protects the two directions: keys of 16 bytes, salts of 12, both copied. */
export interface FrameCiphers {
  sealer(key: Uint8Array, salt: Uint8Array): FrameSealer;
  opener(key: Uint8Array, salt: Uint8Array): FrameOpener;
}

export class GcmSealer implements FrameSealer {
  /** Undefined once closed. The runtime wipes its memory when it collects it. */
  #key: KeyObject | undefined;
  readonly #salt: Uint8Array;
  readonly #nonce = Buffer.alloc(SALT_BYTES);

  /** `key` of 16 bytes and `salt` of 12; both are copied. */
  constructor(key: Uint8Array, salt: Uint8Array) {
    this.#key = createSecretKey(key);
    this.#salt = Uint8Array.from(salt);
  }

  seal(bytes: Uint8Array, offset: number, length: number, sequence: number): void {
    if (this.#key === undefined) throw new Error('the keys of this link have been wiped');
    writeFrameNonce(this.#nonce, this.#salt, sequence);
    const cipher = createCipheriv('aes-128-gcm', this.#key, this.#nonce);
    const payloadOffset = offset + HEADER_BYTES;
    cipher.setAAD(bytes.subarray(offset, payloadOffset));
    bytes.set(cipher.update(bytes.subarray(payloadOffset, offset + length)), payloadOffset);
    cipher.final();
    bytes.set(cipher.getAuthTag(), offset + length);
  }

  close(): void {
    this.#key = undefined;
    this.#salt.fill(0);
  }
}

export class GcmOpener implements FrameOpener {
  /** Undefined once closed. The runtime wipes its memory when it collects it. */
  #key: KeyObject | undefined;
  readonly #salt: Uint8Array;
  readonly #nonce = Buffer.alloc(SALT_BYTES);

  /** `key` of 16 bytes and `salt` of 12; both are copied. */
  constructor(key: Uint8Array, salt: Uint8Array) {
    this.#key = createSecretKey(key);
    this.#salt = Uint8Array.from(salt);
  }

  open(bytes: Uint8Array, offset: number, length: number, sequence: number): boolean {
    const payloadOffset = offset + HEADER_BYTES;
    const tagOffset = offset + length - TAG_BYTES;
    if (tagOffset < payloadOffset) return false;
    if (this.#key === undefined) throw new Error('the keys of this link have been wiped');
    writeFrameNonce(this.#nonce, this.#salt, sequence);
    const decipher = createDecipheriv('aes-128-gcm', this.#key, this.#nonce, { authTagLength: TAG_BYTES });
    decipher.setAuthTag(bytes.subarray(tagOffset, offset + length));
    decipher.setAAD(bytes.subarray(offset, payloadOffset));
    const plain = decipher.update(bytes.subarray(payloadOffset, tagOffset));
    if (!isAuthentic(decipher)) return false;
    bytes.set(plain, payloadOffset);
    return true;
  }

  close(): void {
    this.#key = undefined;
    this.#salt.fill(0);
  }
}

/** A forgery must not cost more than a good frame, and most of what an exception costs is its stack trace: nobody reads this one. */
function isAuthentic(decipher: DecipherGCM): boolean {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    decipher.final();
    return true;
  } catch {
    return false;
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** On node:crypto: any platform, a few microseconds per frame. */
export const PORTABLE_FRAME_CIPHERS: FrameCiphers = {
  sealer: (key, salt) => new GcmSealer(key, salt),
  opener: (key, salt) => new GcmOpener(key, salt),
};

/** The nonce of a frame, 12 bytes: the salt XOR the sequence number (48 bits) in the last six. */
export function writeFrameNonce(nonce: Uint8Array, salt: Uint8Array, sequence: number): void {
  for (let index = 0; index < SALT_BYTES; index++) nonce[index] = salt[index];
  // `>>>` takes any number modulo 2^32; `%` of one this large is a call into the C library.
  const low = sequence >>> 0;
  const high = (sequence - low) * 2 ** -32;
  nonce[6] ^= high >>> 8;
  nonce[7] ^= high & 0xff;
  nonce[8] ^= low >>> 24;
  nonce[9] ^= (low >>> 16) & 0xff;
  nonce[10] ^= (low >>> 8) & 0xff;
  nonce[11] ^= low & 0xff;
}

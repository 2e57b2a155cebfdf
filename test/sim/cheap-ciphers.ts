import type { FrameCiphers, FrameOpener, FrameSealer } from '../../protocol/octo/aead.ts';
import { HEADER_BYTES, TAG_BYTES } from '../../protocol/octo/header.ts';

/** Key, salt, sequence number, header and every byte of the payload go into the tag: a wrong frame is refused, as by the real cipher. */
function tagOf(keyHash: number, bytes: Uint8Array, offset: number, length: number, sequence: number): number {
  let hash = (keyHash ^ sequence ^ (sequence / 2 ** 32)) | 0;
  const end = offset + length;
  let at = offset;
  for (; at + 4 <= end; at += 4) {
    const word = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
    hash = Math.imul(hash ^ word, 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  for (; at < end; at++) hash = Math.imul(hash ^ bytes[at], 0x85ebca6b);
  return hash | 0;
}

function hashOf(key: Uint8Array, salt: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of key) hash = Math.imul(hash ^ byte, 0x01000193);
  for (const byte of salt) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash;
}

class CheapSealer implements FrameSealer {
  #hash: number;
  #isClosed = false;

  constructor(key: Uint8Array, salt: Uint8Array) {
    this.#hash = hashOf(key, salt);
  }

  seal(bytes: Uint8Array, offset: number, length: number, sequence: number): void {
    if (this.#isClosed) throw new Error('the keys of this link have been wiped');
    const tag = tagOf(this.#hash, bytes, offset, length, sequence);
    for (let at = 0; at < TAG_BYTES; at++) bytes[offset + length + at] = tag >>> ((at & 3) * 8);
  }

  close(): void {
    this.#isClosed = true;
  }
}

class CheapOpener implements FrameOpener {
  #hash: number;
  #isClosed = false;

  constructor(key: Uint8Array, salt: Uint8Array) {
    this.#hash = hashOf(key, salt);
  }

  open(bytes: Uint8Array, offset: number, length: number, sequence: number): boolean {
    if (this.#isClosed) throw new Error('the keys of this link have been wiped');
    const tagOffset = offset + length - TAG_BYTES;
    if (tagOffset < offset + HEADER_BYTES) return false;
    const tag = tagOf(this.#hash, bytes, offset, tagOffset - offset, sequence);
    for (let at = 0; at < TAG_BYTES; at++) {
      if (bytes[tagOffset + at] !== ((tag >>> ((at & 3) * 8)) & 0xff)) return false;
    }
    return true;
  }

  close(): void {
    this.#isClosed = true;
  }
}

/** Stands in for AES-GCM where thousands of worlds would spend their time in it: the payload stays in the clear, the tag is a 32-bit checksum under the key. */
export const CHEAP_FRAME_CIPHERS: FrameCiphers = {
  sealer: (key, salt) => new CheapSealer(key, salt),
  opener: (key, salt) => new CheapOpener(key, salt),
};

/** Protection of Octo 2 frames on native code: the same bytes as `protocol/octo/aead.ts`, whose file has the construction. */
import { type FrameOpener, type FrameSealer, writeFrameNonce } from '../../../protocol/octo/aead.ts';
import { HEADER_BYTES, TAG_BYTES } from '../../../protocol/octo/header.ts';
import { copyBytes } from '../../forward/copy-bytes.ts';
import { type Evp, sharedEvp } from './evp.ts';

/** In place of a wiped key's context, whose number another key may get. */
const CLOSED = -1;

export class NativeSealer implements FrameSealer {
  readonly #evp: Evp;
  #context: number;
  readonly #salt: Uint8Array;

  /** `key` of 16 bytes and `salt` of 12; both are copied. */
  constructor(key: Uint8Array, salt: Uint8Array, evp: Evp = sharedEvp()) {
    this.#evp = evp;
    this.#context = evp.openContext('gcm-seal', key);
    this.#salt = Uint8Array.from(salt);
  }

  seal(bytes: Uint8Array, offset: number, length: number, sequence: number): void {
    if (this.#context === CLOSED) throw new Error('the keys of this link have been wiped');
    const evp = this.#evp;
    writeFrameNonce(evp.nonce, this.#salt, sequence);
    copyBytes(bytes, offset, evp.clear, 0, HEADER_BYTES);
    evp.seal(this.#context, bytes, offset + HEADER_BYTES, offset + length, HEADER_BYTES);
    copyBytes(evp.tag, 0, bytes, offset + length, TAG_BYTES);
  }

  close(): void {
    if (this.#context === CLOSED) return;
    this.#evp.closeContext(this.#context);
    this.#context = CLOSED;
    this.#salt.fill(0);
  }
}

export class NativeOpener implements FrameOpener {
  readonly #evp: Evp;
  #context: number;
  readonly #salt: Uint8Array;

  /** `key` of 16 bytes and `salt` of 12; both are copied. */
  constructor(key: Uint8Array, salt: Uint8Array, evp: Evp = sharedEvp()) {
    this.#evp = evp;
    this.#context = evp.openContext('gcm-open', key);
    this.#salt = Uint8Array.from(salt);
  }

  open(bytes: Uint8Array, offset: number, length: number, sequence: number): boolean {
    const end = offset + length - TAG_BYTES;
    if (end < offset + HEADER_BYTES) return false;
    if (this.#context === CLOSED) throw new Error('the keys of this link have been wiped');
    const evp = this.#evp;
    writeFrameNonce(evp.nonce, this.#salt, sequence);
    copyBytes(bytes, offset, evp.clear, 0, HEADER_BYTES);
    copyBytes(bytes, end, evp.tag, 0, TAG_BYTES);
    return evp.open(this.#context, bytes, offset + HEADER_BYTES, end, HEADER_BYTES);
  }

  close(): void {
    if (this.#context === CLOSED) return;
    this.#evp.closeContext(this.#context);
    this.#context = CLOSED;
    this.#salt.fill(0);
  }
}

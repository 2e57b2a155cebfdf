/**
 * AES-128-GCM, AES-128-CTR and HMAC-SHA1 by OpenSSL's EVP and HMAC functions, on bytes that lie in native slots (in place) or anywhere else (by way
 * of a staging slot).
 * Contexts are numbers: a closed one, or one of another kind, is refused before native code sees it. Not for several threads.
 */
import { SLOT_BYTES } from '../../arena.ts';
import { copyBytes } from '../../forward/copy-bytes.ts';
import { type Foreign, loadForeign } from './foreign.ts';
import { NativeMemory } from './native-memory.ts';
import { NativeSlots } from './native-slots.ts';
import { SMALL_INTEGERS } from './small-integers.ts';

export const GCM_TAG_BYTES = 16;
export const GCM_NONCE_BYTES = 12;
export const CTR_COUNTER_BYTES = 16;
export const SHA1_BYTES = 20;
/** Most bytes that may be authenticated in the clear: a packet that is all header. */
export const CLEAR_BYTES_MAX = SLOT_BYTES;

export type ContextKind = 'gcm-seal' | 'gcm-open' | 'ctr' | 'hmac-sha1';

/**
 * A context's number is that of its kind (3 bits), of its place in the table (17 bits), and how often the place was used before (11 bits): the
 * number of a closed context is refused also when its place is another's.
 */
const PLACE_SHIFT = 3;
const USE_SHIFT = 20;
const KIND_MASK = (1 << PLACE_SHIFT) - 1;
const PLACES_MAX = 1 << (USE_SHIFT - PLACE_SHIFT);
const USES = 1 << (31 - USE_SHIFT);

const FREE = 0;
const KINDS: Readonly<Record<ContextKind, number>> = { 'gcm-seal': 1, 'gcm-open': 2, ctr: 3, 'hmac-sha1': 4 };
const GCM_SEAL = KINDS['gcm-seal'];
const GCM_OPEN = KINDS['gcm-open'];
const CTR = KINDS.ctr;
const HMAC = KINDS['hmac-sha1'];

/** Contexts kept for the next key instead of being freed. They hold no key: a reset wipes it. */
const POOLED_MAX = 256;

const NULL = 0n;
// openssl/evp.h
const EVP_CTRL_AEAD_GET_TAG = SMALL_INTEGERS[0x10];
const EVP_CTRL_AEAD_SET_TAG = SMALL_INTEGERS[0x11];
const TAG_LENGTH = SMALL_INTEGERS[GCM_TAG_BYTES];

/** Places in the scratch memory. */
const NONCE = 0;
const TAG = 64;
const KEY = 128;
const WRITTEN = 192;
const TRAILER = 256;
const CLEAR = 512;
const SCRATCH_BYTES = CLEAR + CLEAR_BYTES_MAX;

export class Evp {
  /** Read by {@link seal}, {@link open} (12 bytes) and {@link crypt} (16 bytes): the caller writes it before the call. */
  readonly nonce: Uint8Array;
  /** Authenticated in the clear by {@link seal} and {@link open}: written before the call. */
  readonly clear: Uint8Array;
  /** Written by {@link seal} (16 bytes) and {@link authenticate} (20); read by {@link open}. */
  readonly tag: Uint8Array;
  /** Authenticated after the bytes by {@link authenticate}: 4 bytes. */
  readonly trailer: Uint8Array;
  readonly #foreign: Foreign;
  readonly #scratch = new NativeMemory(SCRATCH_BYTES);
  readonly #staging = new NativeMemory(SLOT_BYTES);
  /** By place: the native context, its number (FREE when there is none), and how often the place was used. */
  readonly #contexts: bigint[] = [];
  readonly #numbers: number[] = [];
  readonly #uses: number[] = [];
  readonly #unused: number[] = [];
  readonly #pooledCiphers: bigint[] = [];
  readonly #pooledMacs: bigint[] = [];
  readonly #noncePointer = this.#scratch.pointer(NONCE, 16);
  readonly #tagPointer = this.#scratch.pointer(TAG, 64);
  readonly #keyPointer = this.#scratch.pointer(KEY, 64);
  readonly #writtenPointer = this.#scratch.pointer(WRITTEN, 4);
  readonly #trailerPointer = this.#scratch.pointer(TRAILER, 4);
  readonly #clearPointer = this.#scratch.pointer(CLEAR, CLEAR_BYTES_MAX);
  readonly #stagingPointer = this.#staging.pointer(0, SLOT_BYTES);
  readonly #gcm: bigint;
  readonly #ctr: bigint;
  readonly #sha1: bigint;

  constructor(foreign: Foreign = loadForeign()) {
    this.#foreign = foreign;
    this.#gcm = foreign.EVP_aes_128_gcm();
    this.#ctr = foreign.EVP_aes_128_ctr();
    this.#sha1 = foreign.EVP_sha1();
    const { bytes } = this.#scratch;
    this.nonce = bytes.subarray(NONCE, NONCE + 16);
    this.clear = bytes.subarray(CLEAR, CLEAR + CLEAR_BYTES_MAX);
    this.tag = bytes.subarray(TAG, TAG + SHA1_BYTES);
    this.trailer = bytes.subarray(TRAILER, TRAILER + 4);
  }

  /** Contexts that hold a key. */
  get contextsInUse(): number {
    return this.#contexts.length - this.#unused.length;
  }

  /** A context with this key: 16 bytes, or 20 for `hmac-sha1`. Throws RangeError for another length, Error when OpenSSL refuses. */
  openContext(kind: ContextKind, key: Uint8Array): number {
    if (!Object.hasOwn(KINDS, kind))
      throw new RangeError(`a "${kind}" context; allowed: ${Object.keys(KINDS).join(', ')}`);
    const keyBytes = kind === 'hmac-sha1' ? SHA1_BYTES : 16;
    if (key.length !== keyBytes) throw new RangeError(`a ${kind} key of ${key.length} bytes; allowed: ${keyBytes}`);
    if (this.contextsInUse === PLACES_MAX) throw new Error(`there are ${PLACES_MAX} contexts already`);
    const { bytes } = this.#scratch;
    bytes.set(key, KEY);
    let pointer = NULL;
    try {
      pointer = kind === 'hmac-sha1' ? this.#newMac() : this.#newCipher(kind);
    } finally {
      bytes.fill(0, KEY, KEY + keyBytes);
    }
    if (pointer === NULL) throw new Error(`OpenSSL refused a ${kind} context`);
    const place = this.#unused.pop() ?? this.#contexts.length;
    const uses = this.#uses[place] ?? 0;
    const context = (uses << USE_SHIFT) | (place << PLACE_SHIFT) | KINDS[kind];
    this.#contexts[place] = pointer;
    this.#numbers[place] = context;
    this.#uses[place] = (uses + 1) % USES;
    return context;
  }

  /** Wipes the key. The number is refused from now on. */
  closeContext(context: number): void {
    const kind = context & KIND_MASK;
    const pointer = this.#context(context, kind);
    const place = placeOf(context);
    this.#numbers[place] = FREE;
    this.#contexts[place] = NULL;
    this.#unused.push(place);
    const { EVP_CIPHER_CTX_reset, EVP_CIPHER_CTX_free, HMAC_CTX_reset, HMAC_CTX_free } = this.#foreign;
    const pool = kind === HMAC ? this.#pooledMacs : this.#pooledCiphers;
    const isReset = (kind === HMAC ? HMAC_CTX_reset(pointer) : EVP_CIPHER_CTX_reset(pointer)) === 1;
    if (isReset && pool.length < POOLED_MAX) pool.push(pointer);
    else if (kind === HMAC) HMAC_CTX_free(pointer);
    else EVP_CIPHER_CTX_free(pointer);
  }

  /** Encrypts `bytes[from, end)` in place with AES-GCM; {@link nonce} and `clear[0, clearLength)` are given, {@link tag} is the result. At most SLOT_BYTES. */
  seal(context: number, bytes: Uint8Array, from: number, end: number, clearLength: number): void {
    const pointer = this.#context(context, GCM_SEAL);
    checkClear(clearLength);
    const ready = this.#pointTo(bytes, from, end);
    const body = ready ?? this.#stagingPointer;
    const length = SMALL_INTEGERS[end - from];
    const { EVP_EncryptInit_ex, EVP_EncryptUpdate, EVP_EncryptFinal_ex, EVP_CIPHER_CTX_ctrl } = this.#foreign;
    const written = this.#writtenPointer;
    const done =
      EVP_EncryptInit_ex(pointer, NULL, NULL, NULL, this.#noncePointer) &
      EVP_EncryptUpdate(pointer, NULL, written, this.#clearPointer, SMALL_INTEGERS[clearLength]) &
      EVP_EncryptUpdate(pointer, body, written, body, length) &
      EVP_EncryptFinal_ex(pointer, this.#tagPointer, written) &
      EVP_CIPHER_CTX_ctrl(pointer, EVP_CTRL_AEAD_GET_TAG, TAG_LENGTH, this.#tagPointer);
    if (done !== 1) throw new Error('OpenSSL failed to encrypt');
    if (ready === undefined) copyBytes(this.#staging.bytes, 0, bytes, from, end - from);
  }

  /** The inverse, with the expected {@link tag} given. False leaves `bytes` as they were: plain text is written only when it is authentic. */
  open(context: number, bytes: Uint8Array, from: number, end: number, clearLength: number): boolean {
    const pointer = this.#context(context, GCM_OPEN);
    checkClear(clearLength);
    const body = this.#pointTo(bytes, from, end) ?? this.#stagingPointer;
    const length = SMALL_INTEGERS[end - from];
    const { EVP_DecryptInit_ex, EVP_DecryptUpdate, EVP_DecryptFinal_ex, EVP_CIPHER_CTX_ctrl } = this.#foreign;
    const written = this.#writtenPointer;
    const done =
      EVP_DecryptInit_ex(pointer, NULL, NULL, NULL, this.#noncePointer) &
      EVP_CIPHER_CTX_ctrl(pointer, EVP_CTRL_AEAD_SET_TAG, TAG_LENGTH, this.#tagPointer) &
      EVP_DecryptUpdate(pointer, NULL, written, this.#clearPointer, SMALL_INTEGERS[clearLength]) &
      EVP_DecryptUpdate(pointer, this.#stagingPointer, written, body, length);
    if (done !== 1) throw new Error('OpenSSL failed to decrypt');
    // A stream cipher ends on any byte: nothing is written here, only the tag is compared.
    if (EVP_DecryptFinal_ex(pointer, this.#tagPointer, written) !== 1) return false;
    copyBytes(this.#staging.bytes, 0, bytes, from, end - from);
    return true;
  }

  /** Encrypts or decrypts `bytes[from, end)` in place with AES in counter mode, from the 16 bytes of {@link nonce} on. At most SLOT_BYTES. */
  crypt(context: number, bytes: Uint8Array, from: number, end: number): void {
    const pointer = this.#context(context, CTR);
    const ready = this.#pointTo(bytes, from, end);
    const body = ready ?? this.#stagingPointer;
    const { EVP_EncryptInit_ex, EVP_EncryptUpdate } = this.#foreign;
    const done =
      EVP_EncryptInit_ex(pointer, NULL, NULL, NULL, this.#noncePointer) &
      EVP_EncryptUpdate(pointer, body, this.#writtenPointer, body, SMALL_INTEGERS[end - from]);
    if (done !== 1) throw new Error('OpenSSL failed to encrypt');
    if (ready === undefined) copyBytes(this.#staging.bytes, 0, bytes, from, end - from);
  }

  /** HMAC-SHA1 of `bytes[from, end)`, and of {@link trailer} after them if `withTrailer`: all 20 bytes in {@link tag}. At most SLOT_BYTES. */
  authenticate(context: number, bytes: Uint8Array, from: number, end: number, withTrailer: boolean): void {
    const pointer = this.#context(context, HMAC);
    const body = this.#pointTo(bytes, from, end) ?? this.#stagingPointer;
    const { HMAC_Init_ex, HMAC_Update, HMAC_Final } = this.#foreign;
    let done = HMAC_Init_ex(pointer, NULL, NULL, NULL, NULL);
    done &= HMAC_Update(pointer, body, SMALL_INTEGERS[end - from]);
    if (withTrailer) done &= HMAC_Update(pointer, this.#trailerPointer, SMALL_INTEGERS[4]);
    done &= HMAC_Final(pointer, this.#tagPointer, this.#writtenPointer);
    if (done !== 1) throw new Error('OpenSSL failed to authenticate');
  }

  /** Frees the pool. Contexts in use stay. */
  trim(): void {
    for (const pointer of this.#pooledCiphers.splice(0)) this.#foreign.EVP_CIPHER_CTX_free(pointer);
    for (const pointer of this.#pooledMacs.splice(0)) this.#foreign.HMAC_CTX_free(pointer);
  }

  #context(context: number, kind: number): bigint {
    const place = placeOf(context);
    // A number that is in the table is an integer; a place beyond the table has none, which `undefined` would be equal to.
    if (!(context > FREE) || this.#numbers[place] !== context || (context & KIND_MASK) !== kind)
      throw new RangeError(`context ${context} is not open for this`);
    return this.#contexts[place];
  }

  /** A pointer to the bytes where they are; or undefined, when a copy of them is in the staging slot instead. */
  #pointTo(bytes: Uint8Array, from: number, end: number): bigint | undefined {
    const length = end - from;
    if (
      (from | 0) !== from ||
      (end | 0) !== end ||
      from < 0 ||
      length < 0 ||
      length > SLOT_BYTES ||
      !(end <= bytes.length)
    )
      throw new RangeError(`bytes ${from} to ${end} of ${bytes.length}; allowed: inside, at most ${SLOT_BYTES}`);
    const ready = NativeSlots.of(bytes)?.readyPointer(from, length);
    if (ready === undefined) copyBytes(bytes, from, this.#staging.bytes, 0, length);
    return ready;
  }

  #newCipher(kind: ContextKind): bigint {
    const { EVP_CIPHER_CTX_new, EVP_EncryptInit_ex, EVP_DecryptInit_ex, EVP_CIPHER_CTX_free } = this.#foreign;
    const pointer = this.#pooledCiphers.pop() ?? EVP_CIPHER_CTX_new();
    if (pointer === NULL) return NULL;
    const cipher = kind === 'ctr' ? this.#ctr : this.#gcm;
    const init = kind === 'gcm-open' ? EVP_DecryptInit_ex : EVP_EncryptInit_ex;
    if (init(pointer, cipher, NULL, this.#keyPointer, NULL) === 1) return pointer;
    EVP_CIPHER_CTX_free(pointer);
    return NULL;
  }

  #newMac(): bigint {
    const { HMAC_CTX_new, HMAC_Init_ex, HMAC_CTX_free } = this.#foreign;
    const pointer = this.#pooledMacs.pop() ?? HMAC_CTX_new();
    if (pointer === NULL) return NULL;
    if (HMAC_Init_ex(pointer, this.#keyPointer, SMALL_INTEGERS[SHA1_BYTES], this.#sha1, NULL) === 1) return pointer;
    HMAC_CTX_free(pointer);
    return NULL;
  }
}

function placeOf(context: number): number {
  return (context >> PLACE_SHIFT) & (PLACES_MAX - 1);
}

function checkClear(length: number): void {
  if ((length | 0) !== length || length < 0 || length > CLEAR_BYTES_MAX)
    throw new RangeError(`${length} bytes in the clear; allowed: 0 to ${CLEAR_BYTES_MAX}`);
}

let shared: Evp | undefined;

/** The one of this process. */
export function sharedEvp(): Evp {
  shared ??= new Evp();
  return shared;
}

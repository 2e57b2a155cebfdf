import { createCipheriv, createDecipheriv } from 'node:crypto';
import { DecodeError } from '../../protocol/errors.ts';
import type { WriteKeys } from './dtls-keys.ts';
import { type DtlsRecord, RECORD_HEADER_BYTES, writeRecordHeader } from './dtls-records.ts';

const CIPHER = 'aes-128-gcm';
/** The epoch of the one set of keys that a session has. */
export const SEALED_EPOCH = 1;
const SALT_BYTES = 4;
const EXPLICIT_NONCE_BYTES = 8;
const TAG_BYTES = 16;

/** Refilled for each record, of all sessions: OpenSSL copies them when it is given them. */
const nonce = Buffer.alloc(SALT_BYTES + EXPLICIT_NONCE_BYTES);
const associated = Buffer.alloc(13);

/**
 * AEAD_AES_128_GCM over DTLS records (RFC 5288 section 3, RFC 6347 section 4.1.2.1). The sender's nonce is epoch and sequence number, so it never
 * repeats as long as `sequence` does not.
 */
export class RecordCipher {
  readonly #sendKey: Buffer;
  readonly #receiveKey: Buffer;
  readonly #sendSalt: Buffer;
  readonly #receiveSalt: Buffer;

  constructor(keys: WriteKeys, role: 'client' | 'server') {
    const isClient = role === 'client';
    this.#sendKey = isClient ? keys.clientKey : keys.serverKey;
    this.#receiveKey = isClient ? keys.serverKey : keys.clientKey;
    this.#sendSalt = isClient ? keys.clientSalt : keys.serverSalt;
    this.#receiveSalt = isClient ? keys.serverSalt : keys.clientSalt;
  }

  /** The whole record. `sequence` must be new. */
  seal(type: number, sequence: number, plain: Uint8Array): Buffer {
    const length = EXPLICIT_NONCE_BYTES + plain.length + TAG_BYTES;
    const record = Buffer.allocUnsafe(RECORD_HEADER_BYTES + length);
    writeRecordHeader(record, type, SEALED_EPOCH, sequence, length);
    nonce.set(this.#sendSalt);
    record.copy(nonce, SALT_BYTES, 3, 11);
    const cipher = createCipheriv(CIPHER, this.#sendKey, nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(associate(record, plain.length));
    record.set(nonce.subarray(SALT_BYTES), RECORD_HEADER_BYTES);
    record.set(cipher.update(plain), RECORD_HEADER_BYTES + EXPLICIT_NONCE_BYTES);
    cipher.final();
    record.set(cipher.getAuthTag(), record.length - TAG_BYTES);
    return record;
  }

  /** The plain text of a record of the sealed epoch. Throws DecodeError. Says nothing about repetition. */
  open(record: DtlsRecord): Buffer {
    const { fragment } = record;
    const length = fragment.length - EXPLICIT_NONCE_BYTES - TAG_BYTES;
    if (length < 0) throw new DecodeError('dtls-record');
    nonce.set(this.#receiveSalt);
    fragment.copy(nonce, SALT_BYTES, 0, EXPLICIT_NONCE_BYTES);
    const decipher = createDecipheriv(CIPHER, this.#receiveKey, nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(associate(record.bytes, length));
    decipher.setAuthTag(fragment.subarray(EXPLICIT_NONCE_BYTES + length));
    const plain = decipher.update(fragment.subarray(EXPLICIT_NONCE_BYTES, EXPLICIT_NONCE_BYTES + length));
    try {
      decipher.final();
    } catch {
      throw new DecodeError('dtls-unauthentic');
    }
    return plain;
  }

  /** Overwrites the keys: nothing is sealed or opened any more. */
  wipe(): void {
    this.#sendKey.fill(0);
    this.#receiveKey.fill(0);
  }
}

/** epoch (16) | sequence (48) | type (8) | version (16) | length of the plain text (16) */
function associate(header: Buffer, length: number): Buffer {
  header.copy(associated, 0, 3, 11);
  header.copy(associated, 8, 0, 3);
  associated.writeUInt16BE(length, 11);
  return associated;
}

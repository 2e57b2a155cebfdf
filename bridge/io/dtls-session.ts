import type { DtlsClient, DtlsServer } from 'werift';
import { DecodeError } from '../../protocol/errors.ts';
import { ReplayWindow } from '../../protocol/srtp/replay-window.ts';
import { ALERT, APPLICATION_DATA, type DtlsRecord, HANDSHAKE, RECORD_HEADER_BYTES } from './dtls-records.ts';

const EPOCH = 1;
const VERSION = 0xfefd;
const GCM_OVERHEAD_BYTES = 8 + 16;
const ALERT_WARNING = 1;
const CLOSE_NOTIFY = 0;

export type OpenedRecord =
  | { readonly kind: 'data'; readonly bytes: Buffer }
  /** The peer ends the session: close_notify, or a fatal alert. */
  | { readonly kind: 'alert'; readonly isFatal: boolean; readonly description: number }
  /** The peer repeats its last flight: it has not seen ours. */
  | { readonly kind: 'handshake'; readonly bytes: Buffer };

/**
 * The record layer of an established DTLS session (RFC 6347 section 4.1), over the keys that werift's handshake agreed on. werift's own has no replay
 * window, believes alerts in plain text, lets a plain ClientHello reset the session, and begins its numbers again at 1 after the Finished message,
 * which uses one GCM nonce twice; here they go on from there.
 */
export class DtlsSession {
  readonly #socket: DtlsServer | DtlsClient;
  readonly #received = new ReplayWindow();
  #sequence: number;

  /** `socket` has its keys. `finished` is the last record that it sent, its Finished message. */
  constructor(socket: DtlsServer | DtlsClient, finished: Buffer) {
    this.#socket = socket;
    this.#sequence = finished.readUIntBE(5, 6);
  }

  /** Authenticates and decrypts one record. Throws DecodeError for all that is not the peer's, fresh, and under the session's keys. */
  open(record: DtlsRecord): OpenedRecord {
    if (record.epoch !== EPOCH) throw new DecodeError('dtls-plain');
    // Some repeat their flight with the numbers it had. Answering that changes nothing, so it may come as often as it likes.
    if (record.type === HANDSHAKE) return { kind: 'handshake', bytes: decryptRecord(this.#socket, record) };
    if (!this.#received.isFresh(record.sequence)) throw new DecodeError('dtls-replay');
    const bytes = decryptRecord(this.#socket, record);
    this.#received.accept(record.sequence);
    if (record.type === APPLICATION_DATA) return { kind: 'data', bytes };
    if (record.type !== ALERT || bytes.length !== 2) throw new DecodeError('dtls-type');
    return { kind: 'alert', isFatal: bytes[0] !== ALERT_WARNING, description: bytes[1] };
  }

  /** A record with `data`, at most 1200 bytes or so: DTLS does not fragment it. */
  seal(data: Buffer): Buffer {
    return this.#seal(APPLICATION_DATA, data);
  }

  sealCloseNotify(): Buffer {
    return this.#seal(ALERT, Buffer.of(ALERT_WARNING, CLOSE_NOTIFY));
  }

  #seal(type: number, data: Buffer): Buffer {
    const { cipher, sessionType } = this.#socket.cipher;
    const sequenceNumber = ++this.#sequence;
    const sealed = cipher.encrypt(sessionType, data, { type, version: VERSION, epoch: EPOCH, sequenceNumber });
    const record = Buffer.alloc(RECORD_HEADER_BYTES + sealed.length);
    record[0] = type;
    record.writeUInt16BE(VERSION, 1);
    record.writeUInt16BE(EPOCH, 3);
    record.writeUIntBE(sequenceNumber, 5, 6);
    record.writeUInt16BE(sealed.length, 11);
    record.set(sealed, RECORD_HEADER_BYTES);
    return record;
  }
}

/** Authenticates and decrypts a record with the keys that `socket` has. Throws DecodeError. Says nothing about repetition. */
export function decryptRecord(socket: DtlsServer | DtlsClient, record: DtlsRecord): Buffer {
  const { cipher, sessionType } = socket.cipher;
  if (record.fragment.length < GCM_OVERHEAD_BYTES) throw new DecodeError('dtls-record');
  try {
    return cipher.decrypt(sessionType, record.fragment, {
      type: record.type,
      version: record.version,
      epoch: record.epoch,
      sequenceNumber: record.sequence,
    });
  } catch {
    throw new DecodeError('dtls-unauthentic');
  }
}

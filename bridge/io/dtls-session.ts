import { DecodeError } from '../../protocol/errors.ts';
import { ReplayWindow } from '../../protocol/srtp/replay-window.ts';
import { type RecordCipher, SEALED_EPOCH } from './dtls-record-cipher.ts';
import { ALERT, APPLICATION_DATA, type DtlsRecord, HANDSHAKE } from './dtls-records.ts';

const ALERT_WARNING = 1;

export type OpenedRecord =
  | { readonly kind: 'data'; readonly bytes: Buffer }
  /** The peer ends the session: close_notify, or a fatal alert. */
  | { readonly kind: 'alert'; readonly isFatal: boolean; readonly description: number }
  /** The peer repeats its last flight: it has not seen ours. */
  | { readonly kind: 'handshake'; readonly bytes: Buffer };

/** What comes in on an established session (RFC 6347 section 4.1): authentic, once, and nothing in plain text. */
export class DtlsSession {
  readonly #cipher: RecordCipher;
  readonly #received = new ReplayWindow();

  constructor(cipher: RecordCipher) {
    this.#cipher = cipher;
  }

  /** Authenticates and decrypts one record. Throws DecodeError for all that is not the peer's, fresh, and under the session's keys. */
  open(record: DtlsRecord): OpenedRecord {
    if (record.epoch !== SEALED_EPOCH) throw new DecodeError('dtls-plain');
    // Some repeat their flight with the numbers it had. Answering that changes nothing, so it may come as often as it likes.
    if (record.type === HANDSHAKE) return { kind: 'handshake', bytes: this.#cipher.open(record) };
    if (!this.#received.isFresh(record.sequence)) throw new DecodeError('dtls-replay');
    const bytes = this.#cipher.open(record);
    this.#received.accept(record.sequence);
    if (record.type === APPLICATION_DATA) return { kind: 'data', bytes };
    if (record.type !== ALERT || bytes.length !== 2) throw new DecodeError('dtls-type');
    return { kind: 'alert', isFatal: bytes[0] !== ALERT_WARNING, description: bytes[1] };
  }
}

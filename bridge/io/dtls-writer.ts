import type { RecordCipher } from './dtls-record-cipher.ts';
import { CHANGE_CIPHER_SPEC, encodeHandshake, encodeRecord, HANDSHAKE } from './dtls-records.ts';

/** What fits through every path that WebRTC uses, less room for Octo's and TURN's headers. All our messages are shorter than 700 bytes. */
const DATAGRAM_BYTES_MAX = 1200;

interface Part {
  readonly type: number;
  readonly isSealed: boolean;
  readonly fragment: Buffer;
}

/**
 * What one side sends: numbers its messages and records, keeps the newest flight to repeat it (RFC 6347 section 4.2.4) and the transcript that is signed
 * and hashed. A repeated message has its number, but its record a new one, so a nonce is never used twice.
 */
export class DtlsWriter {
  /** Set when keys are agreed on. */
  cipher: RecordCipher | undefined;
  #parts: Part[] = [];
  #transcript: Buffer[] = [];
  #messageSequence = 0;
  /** Next record numbers: of the epoch without keys, and of the one with. */
  #plainSequence = 0;
  #sealedSequence = 0;

  /** Forgets the flight before: the peer has answered it. */
  begin(): void {
    this.#parts = [];
  }

  /** Adds a handshake message to flight and transcript. */
  message(type: number, body: Uint8Array): void {
    this.#transcript.push(this.#add(type, body, false));
  }

  /** Adds a HelloVerifyRequest: not part of the transcript. */
  unrecorded(type: number, body: Uint8Array): void {
    this.#add(type, body, false);
  }

  /** Adds ChangeCipherSpec and the message under the new keys. */
  finished(type: number, body: Uint8Array): void {
    this.#parts.push({ type: CHANGE_CIPHER_SPEC, isSealed: false, fragment: Buffer.of(1) });
    this.#transcript.push(this.#add(type, body, true));
  }

  /** Notes a message of the peer's. */
  heard(type: number, messageSequence: number, body: Uint8Array): void {
    this.#transcript.push(encodeHandshake(type, messageSequence, body));
  }

  /** Before a hello with a cookie, which takes the place of the first one; and once nothing is left to be proven. */
  forgetTranscript(): void {
    this.#transcript = [];
  }

  /** All handshake messages so far, of both sides. */
  transcript(): Buffer {
    return Buffer.concat(this.#transcript);
  }

  /** The flight in as few datagrams as it fits in. Each call gives new records. */
  datagrams(): Buffer[] {
    const datagrams: Buffer[] = [];
    let records: Buffer[] = [];
    let bytes = 0;
    for (const { type, isSealed, fragment } of this.#parts) {
      const record = isSealed ? this.seal(type, fragment) : encodeRecord(type, this.#plainSequence++, fragment);
      if (bytes > 0 && bytes + record.length > DATAGRAM_BYTES_MAX) {
        datagrams.push(Buffer.concat(records));
        records = [];
        bytes = 0;
      }
      records.push(record);
      bytes += record.length;
    }
    if (records.length > 0) datagrams.push(Buffer.concat(records));
    return datagrams;
  }

  /** One record under the session's keys. */
  seal(type: number, plain: Uint8Array): Buffer {
    if (this.cipher === undefined) throw new Error('a DTLS record was to be sealed before there were keys');
    return this.cipher.seal(type, this.#sealedSequence++, plain);
  }

  #add(type: number, body: Uint8Array, isSealed: boolean): Buffer {
    const fragment = encodeHandshake(type, this.#messageSequence++, body);
    this.#parts.push({ type: HANDSHAKE, isSealed, fragment });
    return fragment;
  }
}

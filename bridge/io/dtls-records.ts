/**
 * DTLS 1.2 records and handshake fragments (RFC 6347 sections 4.1 and 4.2.2).
 *
 * record:    | type (8) | version (16) | epoch (16) | sequence (48) | length (16) | fragment
 * handshake: | type (8) | length (24) | message sequence (16) | fragment offset (24) | fragment length (24) | body
 */
import { DecodeError } from '../../protocol/errors.ts';

export const RECORD_HEADER_BYTES = 13;
export const HANDSHAKE_HEADER_BYTES = 12;

export const CHANGE_CIPHER_SPEC = 20;
export const ALERT = 21;
export const HANDSHAKE = 22;
export const APPLICATION_DATA = 23;

/** Versions count down: 1.0 is 0xfeff. */
export const DTLS_1_2 = 0xfefd;
const VERSION_MAJOR = 0xfe;
/** A client's certificate chain is under 2 KiB; the field can say 16 MiB. */
const HANDSHAKE_BYTES_MAX = 16_384;

export interface DtlsRecord {
  readonly type: number;
  readonly epoch: number;
  /** 48 bits. */
  readonly sequence: number;
  readonly fragment: Buffer;
  /** The record as it came. */
  readonly bytes: Buffer;
}

export interface HandshakeFragment {
  readonly type: number;
  /** Of the whole message, in bytes. */
  readonly length: number;
  readonly messageSequence: number;
  readonly offset: number;
  readonly body: Buffer;
}

/** The records of one datagram. Throws DecodeError when one is malformed: then none is believed. */
export function decodeRecords(datagram: Buffer): DtlsRecord[] {
  const records: DtlsRecord[] = [];
  let position = 0;
  while (position < datagram.length) {
    if (position + RECORD_HEADER_BYTES > datagram.length) throw new DecodeError('dtls-record');
    const type = datagram[position];
    if (type < CHANGE_CIPHER_SPEC || type > APPLICATION_DATA) throw new DecodeError('dtls-type');
    if (datagram[position + 1] !== VERSION_MAJOR) throw new DecodeError('dtls-version');
    const end = position + RECORD_HEADER_BYTES + datagram.readUInt16BE(position + 11);
    if (end > datagram.length) throw new DecodeError('dtls-record');
    records.push({
      type,
      epoch: datagram.readUInt16BE(position + 3),
      sequence: datagram.readUIntBE(position + 5, 6),
      fragment: datagram.subarray(position + RECORD_HEADER_BYTES, end),
      bytes: datagram.subarray(position, end),
    });
    position = end;
  }
  return records;
}

/** The handshake fragments of one record. Throws DecodeError. */
export function decodeHandshake(fragment: Buffer): HandshakeFragment[] {
  const fragments: HandshakeFragment[] = [];
  let position = 0;
  while (position < fragment.length) {
    if (position + HANDSHAKE_HEADER_BYTES > fragment.length) throw new DecodeError('dtls-handshake');
    const length = fragment.readUIntBE(position + 1, 3);
    const offset = fragment.readUIntBE(position + 6, 3);
    const bodyLength = fragment.readUIntBE(position + 9, 3);
    const body = position + HANDSHAKE_HEADER_BYTES;
    if (length > HANDSHAKE_BYTES_MAX) throw new DecodeError('dtls-handshake-long');
    if (offset + bodyLength > length || body + bodyLength > fragment.length) throw new DecodeError('dtls-handshake');
    fragments.push({
      type: fragment[position],
      length,
      messageSequence: fragment.readUInt16BE(position + 4),
      offset,
      body: fragment.subarray(body, body + bodyLength),
    });
    position = body + bodyLength;
  }
  return fragments;
}

/** A handshake message in one fragment, as it is sent and as it counts for the transcript. */
export function encodeHandshake(type: number, messageSequence: number, body: Uint8Array): Buffer {
  const bytes = Buffer.alloc(HANDSHAKE_HEADER_BYTES + body.length);
  bytes[0] = type;
  bytes.writeUIntBE(body.length, 1, 3);
  bytes.writeUInt16BE(messageSequence, 4);
  bytes.writeUIntBE(body.length, 9, 3);
  bytes.set(body, HANDSHAKE_HEADER_BYTES);
  return bytes;
}

export function encodeRecord(type: number, sequence: number, fragment: Uint8Array): Buffer {
  const record = Buffer.alloc(RECORD_HEADER_BYTES + fragment.length);
  writeRecordHeader(record, type, 0, sequence, fragment.length);
  record.set(fragment, RECORD_HEADER_BYTES);
  return record;
}

export function writeRecordHeader(record: Buffer, type: number, epoch: number, sequence: number, length: number): void {
  record[0] = type;
  record.writeUInt16BE(DTLS_1_2, 1);
  record.writeUInt16BE(epoch, 3);
  record.writeUIntBE(sequence, 5, 6);
  record.writeUInt16BE(length, 11);
}

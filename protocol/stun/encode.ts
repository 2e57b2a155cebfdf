/** Writing STUN messages (RFC 8489 section 5): the answers of an ICE-lite agent, and the requests that find one's own address. */
import { crc32 } from 'node:zlib';
import { writeUint16, writeUint32 } from '../rtp/packet.ts';
import * as stun from './constants.ts';
import { integrityOf } from './message.ts';
import { encodeXorAddress, type TransportAddress } from './xor-address.ts';

/** What goes into a message; every field but the first two is left out when undefined. Attributes are written in this order. */
export interface StunFields {
  readonly type: number;
  /** At least 12 bytes from `transactionOffset` (default 0). */
  readonly transactionId: Uint8Array;
  readonly transactionOffset?: number;
  readonly software?: string;
  readonly username?: string;
  readonly priority?: number;
  readonly useCandidate?: boolean;
  readonly controlling?: bigint;
  readonly controlled?: bigint;
  readonly xorMappedAddress?: TransportAddress;
  readonly errorCode?: number;
  readonly errorReason?: string;
  readonly unknownAttributes?: readonly number[];
  /** Adds MESSAGE-INTEGRITY with this key. */
  readonly key?: string | Uint8Array;
  /** Adds FINGERPRINT unless false. */
  readonly fingerprint?: boolean;
}

/** Writes a message at `offset` and returns its length. Texts are short (ufrags, reasons), so it fits in 1280 bytes. */
export function encodeStun(bytes: Uint8Array, offset: number, fields: StunFields): number {
  const from = fields.transactionOffset ?? 0;
  writeUint16(bytes, offset, fields.type);
  bytes.set(fields.transactionId.subarray(from, from + stun.TRANSACTION_ID_BYTES), offset + 8);
  writeUint32(bytes, offset + 4, stun.STUN_MAGIC_COOKIE);
  let end = writeAttributes(bytes, offset, fields);
  if (fields.key !== undefined) {
    writeUint16(bytes, end, stun.ATTR_MESSAGE_INTEGRITY);
    writeUint16(bytes, end + 2, 20);
    bytes.set(integrityOf(bytes, offset, end, fields.key), end + 4);
    end += 24;
  }
  const hasFingerprint = fields.fingerprint !== false;
  // The checksum covers the header with its final length.
  writeUint16(bytes, offset + 2, end + (hasFingerprint ? 8 : 0) - offset - stun.STUN_HEADER_BYTES);
  if (hasFingerprint) {
    const checksum = (crc32(bytes.subarray(offset, end)) ^ stun.FINGERPRINT_XOR) >>> 0;
    writeUint16(bytes, end, stun.ATTR_FINGERPRINT);
    writeUint16(bytes, end + 2, 4);
    writeUint32(bytes, end + 4, checksum);
    end += 8;
  }
  return end - offset;
}

/** True when a message in `bytes` carries the transaction ID of `fields`. */
export function hasTransactionId(bytes: Uint8Array, offset: number, transactionId: Uint8Array): boolean {
  for (let index = 0; index < stun.TRANSACTION_ID_BYTES; index++) {
    if (bytes[offset + 8 + index] !== transactionId[index]) return false;
  }
  return true;
}

function writeAttributes(bytes: Uint8Array, offset: number, fields: StunFields): number {
  let end = offset + stun.STUN_HEADER_BYTES;
  if (fields.software !== undefined) end = writeText(bytes, end, stun.ATTR_SOFTWARE, fields.software);
  if (fields.username !== undefined) end = writeText(bytes, end, stun.ATTR_USERNAME, fields.username);
  if (fields.priority !== undefined) {
    writeUint32(bytes, end + 4, fields.priority);
    end = finish(bytes, end, stun.ATTR_PRIORITY, 4);
  }
  if (fields.useCandidate === true) end = finish(bytes, end, stun.ATTR_USE_CANDIDATE, 0);
  if (fields.controlling !== undefined)
    end = writeTieBreaker(bytes, end, stun.ATTR_ICE_CONTROLLING, fields.controlling);
  if (fields.controlled !== undefined) end = writeTieBreaker(bytes, end, stun.ATTR_ICE_CONTROLLED, fields.controlled);
  if (fields.xorMappedAddress !== undefined) {
    const length = encodeXorAddress(bytes, end + 4, fields.xorMappedAddress, offset + 4);
    end = finish(bytes, end, stun.ATTR_XOR_MAPPED_ADDRESS, length);
  }
  if (fields.errorCode !== undefined) {
    const reason = Buffer.from(fields.errorReason ?? '', 'utf8');
    writeUint16(bytes, end + 4, 0);
    bytes[end + 6] = Math.floor(fields.errorCode / 100);
    bytes[end + 7] = fields.errorCode % 100;
    bytes.set(reason, end + 8);
    end = finish(bytes, end, stun.ATTR_ERROR_CODE, 4 + reason.length);
  }
  if (fields.unknownAttributes !== undefined) {
    let length = 0;
    for (const type of fields.unknownAttributes) {
      writeUint16(bytes, end + 4 + length, type);
      length += 2;
    }
    end = finish(bytes, end, stun.ATTR_UNKNOWN_ATTRIBUTES, length);
  }
  return end;
}

function writeText(bytes: Uint8Array, position: number, type: number, text: string): number {
  const value = Buffer.from(text, 'utf8');
  bytes.set(value, position + 4);
  return finish(bytes, position, type, value.length);
}

function writeTieBreaker(bytes: Uint8Array, position: number, type: number, value: bigint): number {
  writeUint32(bytes, position + 4, Number(value >> 32n));
  writeUint32(bytes, position + 8, Number(value & 0xffffffffn));
  return finish(bytes, position, type, 8);
}

/** Writes the attribute's head and padding, and returns where the next one begins. */
function finish(bytes: Uint8Array, position: number, type: number, length: number): number {
  writeUint16(bytes, position, type);
  writeUint16(bytes, position + 2, length);
  const end = position + 4 + length;
  const padded = position + 4 + ((length + 3) & ~3);
  bytes.fill(0, end, padded);
  return padded;
}

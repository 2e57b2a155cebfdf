/**
 * Reading STUN messages (RFC 8489 section 5), as far as ICE and address discovery use them.
 *
 *  0                   1                   2                   3
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 * |0 0|     message type          |    length after the header    |
 * |                  magic cookie 0x2112a442                      |
 * |                  transaction ID (96 bits)                     |
 * then attributes: type (16), length (16), value, padding to a word
 */
import { createHmac } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { DecodeError } from '../errors.ts';
import { readUint16, readUint32 } from '../rtp/packet.ts';
import * as stun from './constants.ts';
import { decodeXorAddress, type TransportAddress } from './xor-address.ts';

const UNKNOWN_ATTRIBUTES_MAX = 16;
const INTEGRITY_BYTES = 20;
const USERNAME_BYTES_MAX = 513;

/** A cursor over one STUN message in somebody else's bytes. Holds until the bytes change or `decode` is called again. */
export class StunMessage {
  type = 0;
  bytes: Uint8Array = new Uint8Array(0);
  offset = 0;
  length = 0;
  /** UTF-8; for ICE `receiver's ufrag:sender's ufrag`. Undefined when absent. */
  username: string | undefined;
  /** -1 when absent. */
  priority = -1;
  useCandidate = false;
  /** What the sender of a check claims to be; undefined when it claims neither. */
  role: 'controlling' | 'controlled' | undefined;
  tieBreaker = 0n;
  xorMappedAddress: TransportAddress | undefined;
  /** 300-699, or 0 when absent. */
  errorCode = 0;
  /** Comprehension-required types that are not understood, at most 16. */
  readonly unknownAttributes: number[] = [];
  /** Offset of the MESSAGE-INTEGRITY attribute in `bytes`, -1 when absent. What follows it is ignored, FINGERPRINT excepted. */
  integrityOffset = -1;
  hasFingerprint = false;

  /** Reads the message that fills `[offset, offset + length)`. Throws DecodeError when a length or the fingerprint does not hold. */
  decode(bytes: Uint8Array, offset: number, length: number): void {
    this.#clear(bytes, offset, length);
    if (length < stun.STUN_HEADER_BYTES) throw new DecodeError('stun-short');
    if (length > stun.STUN_MESSAGE_BYTES_MAX) throw new DecodeError('stun-long');
    this.type = readUint16(bytes, offset);
    if (this.type >= 0x4000) throw new DecodeError('stun-type');
    if (readUint32(bytes, offset + 4) !== stun.STUN_MAGIC_COOKIE) throw new DecodeError('stun-cookie');
    if (readUint16(bytes, offset + 2) !== length - stun.STUN_HEADER_BYTES) throw new DecodeError('stun-length');
    if (length % 4 !== 0) throw new DecodeError('stun-length');

    const end = offset + length;
    let position = offset + stun.STUN_HEADER_BYTES;
    while (position < end) {
      const type = readUint16(bytes, position);
      const valueLength = readUint16(bytes, position + 2);
      const value = position + 4;
      if (value + valueLength > end) throw new DecodeError('stun-attribute');
      if (this.hasFingerprint) throw new DecodeError('stun-after-fingerprint');
      if (type === stun.ATTR_FINGERPRINT) this.#checkFingerprint(position, valueLength);
      else if (this.integrityOffset < 0) this.#decodeAttribute(type, value, valueLength, position);
      position = value + ((valueLength + 3) & ~3);
    }
  }

  /** True when MESSAGE-INTEGRITY is present and right for `key`: the password, for ICE's short-term credentials (RFC 8489 section 14.5). */
  hasIntegrity(key: string | Uint8Array): boolean {
    if (this.integrityOffset < 0) return false;
    const expected = integrityOf(this.bytes, this.offset, this.integrityOffset, key);
    let difference = 0;
    for (let index = 0; index < INTEGRITY_BYTES; index++) {
      difference |= expected[index] ^ this.bytes[this.integrityOffset + 4 + index];
    }
    return difference === 0;
  }

  #clear(bytes: Uint8Array, offset: number, length: number): void {
    this.bytes = bytes;
    this.offset = offset;
    this.length = length;
    this.username = undefined;
    this.priority = -1;
    this.useCandidate = false;
    this.role = undefined;
    this.tieBreaker = 0n;
    this.xorMappedAddress = undefined;
    this.errorCode = 0;
    this.unknownAttributes.length = 0;
    this.integrityOffset = -1;
    this.hasFingerprint = false;
  }

  #decodeAttribute(type: number, value: number, length: number, position: number): void {
    const bytes = this.bytes;
    switch (type) {
      case stun.ATTR_USERNAME:
        if (length > USERNAME_BYTES_MAX) throw new DecodeError('stun-username');
        this.username = Buffer.from(bytes.buffer, bytes.byteOffset + value, length).toString('utf8');
        return;
      case stun.ATTR_MESSAGE_INTEGRITY:
        requireLength(length, INTEGRITY_BYTES);
        this.integrityOffset = position;
        return;
      case stun.ATTR_PRIORITY:
        requireLength(length, 4);
        this.priority = readUint32(bytes, value);
        return;
      case stun.ATTR_USE_CANDIDATE:
        requireLength(length, 0);
        this.useCandidate = true;
        return;
      case stun.ATTR_ICE_CONTROLLED:
      case stun.ATTR_ICE_CONTROLLING:
        requireLength(length, 8);
        this.role = type === stun.ATTR_ICE_CONTROLLING ? 'controlling' : 'controlled';
        this.tieBreaker = (BigInt(readUint32(bytes, value)) << 32n) | BigInt(readUint32(bytes, value + 4));
        return;
      case stun.ATTR_XOR_MAPPED_ADDRESS:
        this.xorMappedAddress = decodeXorAddress(bytes, value, length, this.offset + 4);
        return;
      case stun.ATTR_ERROR_CODE: {
        if (length < 4) throw new DecodeError('stun-error-code');
        const hundreds = bytes[value + 2] & 0x07;
        if (hundreds < 3 || hundreds > 6 || bytes[value + 3] > 99) throw new DecodeError('stun-error-code');
        this.errorCode = hundreds * 100 + bytes[value + 3];
        return;
      }
      case stun.ATTR_UNKNOWN_ATTRIBUTES:
        if (length % 2 !== 0) throw new DecodeError('stun-unknown-attributes');
        return;
      case stun.ATTR_MAPPED_ADDRESS:
        // Rewritten by some NATs: only the XORed form is believed.
        return;
      default:
        if (type < stun.COMPREHENSION_OPTIONAL_MIN && this.unknownAttributes.length < UNKNOWN_ATTRIBUTES_MAX) {
          this.unknownAttributes.push(type);
        }
    }
  }

  #checkFingerprint(position: number, length: number): void {
    requireLength(length, 4);
    const expected = (crc32(this.bytes.subarray(this.offset, position)) ^ stun.FINGERPRINT_XOR) >>> 0;
    if (readUint32(this.bytes, position + 4) !== expected) throw new DecodeError('stun-fingerprint');
    this.hasFingerprint = true;
  }
}

/**
 * HMAC-SHA1 of a message up to the attribute at `integrityOffset`, with the header's length counting up to and including that attribute
 * (RFC 8489 section 14.5). 20 bytes.
 */
export function integrityOf(
  bytes: Uint8Array,
  offset: number,
  integrityOffset: number,
  key: string | Uint8Array,
): Buffer {
  const covered = integrityOffset + 4 + INTEGRITY_BYTES - offset - stun.STUN_HEADER_BYTES;
  const head = Buffer.of(bytes[offset], bytes[offset + 1], covered >> 8, covered & 0xff);
  return createHmac('sha1', key)
    .update(head)
    .update(bytes.subarray(offset + 4, integrityOffset))
    .digest();
}

function requireLength(length: number, expected: number): void {
  if (length !== expected) throw new DecodeError('stun-attribute');
}

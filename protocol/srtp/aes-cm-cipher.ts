/**
 * AES_CM_128_HMAC_SHA1_80 (RFC 3711): AES in counter mode, then HMAC-SHA1 cut to 80 bits.
 *
 * counter:  |0 0 0 0| SSRC (4) | index (6) | block (2) |   XOR salt (14 bytes, left-aligned)    (section 4.1.1)
 * authenticated: the RTP packet as sent, then the ROC; or the RTCP packet as sent with its word of E flag and index
 */
import { createCipheriv, createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import { writeUint32 } from '../rtp/packet.ts';
import { type PacketCipher, SRTCP_ENCRYPTED } from './packet-cipher.ts';
import { RTCP_CLEAR_BYTES } from './rtp-header.ts';

const TAG_BYTES = 10;

export interface AesCmKeys {
  /** 16 bytes each. */
  readonly rtpKey: Uint8Array;
  readonly rtcpKey: Uint8Array;
  /** 14 bytes each. */
  readonly rtpSalt: Uint8Array;
  readonly rtcpSalt: Uint8Array;
  /** 20 bytes each. */
  readonly rtpAuthKey: Uint8Array;
  readonly rtcpAuthKey: Uint8Array;
}

export class AesCmCipher implements PacketCipher {
  readonly rtpTrailerBytes = TAG_BYTES;
  readonly rtcpTrailerBytes = TAG_BYTES + 4;
  readonly rtcpIndexFromEnd = TAG_BYTES + 4;
  readonly #rtpKey: KeyObject;
  readonly #rtcpKey: KeyObject;
  readonly #rtpAuthKey: KeyObject;
  readonly #rtcpAuthKey: KeyObject;
  readonly #rtpSalt: Uint8Array;
  readonly #rtcpSalt: Uint8Array;
  readonly #counter = Buffer.alloc(16);
  readonly #roc = Buffer.alloc(4);

  constructor(keys: AesCmKeys) {
    this.#rtpKey = createSecretKey(keys.rtpKey);
    this.#rtcpKey = createSecretKey(keys.rtcpKey);
    this.#rtpAuthKey = createSecretKey(keys.rtpAuthKey);
    this.#rtcpAuthKey = createSecretKey(keys.rtcpAuthKey);
    this.#rtpSalt = Uint8Array.from(keys.rtpSalt);
    this.#rtcpSalt = Uint8Array.from(keys.rtcpSalt);
  }

  sealRtp(
    bytes: Uint8Array,
    offset: number,
    headerLength: number,
    length: number,
    ssrc: number,
    index: number,
  ): number {
    const end = offset + length;
    this.#crypt(this.#rtpKey, this.#rtpSalt, ssrc, index, bytes, offset + headerLength, end);
    bytes.set(this.#rtpTag(bytes, offset, end, index).subarray(0, TAG_BYTES), end);
    return length + TAG_BYTES;
  }

  openRtp(
    bytes: Uint8Array,
    offset: number,
    headerLength: number,
    length: number,
    ssrc: number,
    index: number,
  ): number {
    const end = offset + length - TAG_BYTES;
    if (!hasTag(bytes, end, this.#rtpTag(bytes, offset, end, index))) return -1;
    this.#crypt(this.#rtpKey, this.#rtpSalt, ssrc, index, bytes, offset + headerLength, end);
    return length - TAG_BYTES;
  }

  sealRtcp(bytes: Uint8Array, offset: number, length: number, ssrc: number, index: number): number {
    const end = offset + length;
    this.#crypt(this.#rtcpKey, this.#rtcpSalt, ssrc, index, bytes, offset + RTCP_CLEAR_BYTES, end);
    writeUint32(bytes, end, (SRTCP_ENCRYPTED | index) >>> 0);
    bytes.set(this.#rtcpTag(bytes, offset, end + 4).subarray(0, TAG_BYTES), end + 4);
    return length + this.rtcpTrailerBytes;
  }

  openRtcp(bytes: Uint8Array, offset: number, length: number, ssrc: number, index: number): number {
    const end = offset + length - TAG_BYTES;
    if (!hasTag(bytes, end, this.#rtcpTag(bytes, offset, end))) return -1;
    this.#crypt(this.#rtcpKey, this.#rtcpSalt, ssrc, index, bytes, offset + RTCP_CLEAR_BYTES, end - 4);
    return length - this.rtcpTrailerBytes;
  }

  /** The runtime wipes a key object's memory when it collects it. */
  close(): void {
    this.#rtpSalt.fill(0);
    this.#rtcpSalt.fill(0);
  }

  /** Counter mode is its own inverse. */
  #crypt(
    key: KeyObject,
    salt: Uint8Array,
    ssrc: number,
    index: number,
    bytes: Uint8Array,
    from: number,
    end: number,
  ): void {
    const counter = this.#counter.fill(0);
    writeUint32(counter, 4, ssrc);
    counter.writeUIntBE(index, 8, 6);
    for (let position = 0; position < salt.length; position++) counter[position] ^= salt[position];
    bytes.set(createCipheriv('aes-128-ctr', key, counter).update(bytes.subarray(from, end)), from);
  }

  #rtpTag(bytes: Uint8Array, offset: number, end: number, index: number): Buffer {
    writeUint32(this.#roc, 0, Math.floor(index / 0x10000));
    return createHmac('sha1', this.#rtpAuthKey).update(bytes.subarray(offset, end)).update(this.#roc).digest();
  }

  #rtcpTag(bytes: Uint8Array, offset: number, end: number): Buffer {
    return createHmac('sha1', this.#rtcpAuthKey).update(bytes.subarray(offset, end)).digest();
  }
}

/** Compares in constant time. */
function hasTag(bytes: Uint8Array, position: number, expected: Uint8Array): boolean {
  let difference = 0;
  for (let index = 0; index < TAG_BYTES; index++) difference |= bytes[position + index] ^ expected[index];
  return difference === 0;
}

/**
 * AEAD_AES_128_GCM (RFC 7714). The tag of an RTP packet stands at its end; of an RTCP packet, before the word with E flag and index.
 *
 * nonce:  |0 0| SSRC (4) | ROC (4) | sequence (2)|   XOR salt    for RTP  (section 8.1)
 *         |0 0| SSRC (4) |0 0| SRTCP index (4)   |   XOR salt    for RTCP (section 9.1)
 * authenticated in the clear: the RTP header, or the first 8 bytes of RTCP and the index word
 */
import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto';
import { readUint32, writeUint32 } from '../rtp/packet.ts';
import { type PacketCipher, SRTCP_ENCRYPTED } from './packet-cipher.ts';
import { RTCP_CLEAR_BYTES } from './rtp-header.ts';

const TAG_BYTES = 16;
const ALGORITHM = 'aes-128-gcm';

export interface GcmKeys {
  /** 16 bytes each. */
  readonly rtpKey: Uint8Array;
  readonly rtcpKey: Uint8Array;
  /** 12 bytes each. */
  readonly rtpSalt: Uint8Array;
  readonly rtcpSalt: Uint8Array;
}

export class GcmCipher implements PacketCipher {
  readonly rtpTrailerBytes = TAG_BYTES;
  readonly rtcpTrailerBytes = TAG_BYTES + 4;
  readonly rtcpIndexFromEnd = 4;
  readonly #rtpKey: KeyObject;
  readonly #rtcpKey: KeyObject;
  readonly #rtpSalt: Uint8Array;
  readonly #rtcpSalt: Uint8Array;
  readonly #nonce = Buffer.alloc(12);
  readonly #rtcpClear = Buffer.alloc(RTCP_CLEAR_BYTES + 4);

  constructor(keys: GcmKeys) {
    this.#rtpKey = createSecretKey(keys.rtpKey);
    this.#rtcpKey = createSecretKey(keys.rtcpKey);
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
    this.#fillNonce(this.#rtpSalt, ssrc, index);
    const body = offset + headerLength;
    seal(this.#rtpKey, this.#nonce, bytes.subarray(offset, body), bytes, body, offset + length);
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
    this.#fillNonce(this.#rtpSalt, ssrc, index);
    const body = offset + headerLength;
    const end = offset + length - TAG_BYTES;
    return open(this.#rtpKey, this.#nonce, bytes.subarray(offset, body), bytes, body, end) ? length - TAG_BYTES : -1;
  }

  sealRtcp(bytes: Uint8Array, offset: number, length: number, ssrc: number, index: number): number {
    this.#fillNonce(this.#rtcpSalt, ssrc, index);
    this.#rtcpClear.set(bytes.subarray(offset, offset + RTCP_CLEAR_BYTES));
    writeUint32(this.#rtcpClear, RTCP_CLEAR_BYTES, (SRTCP_ENCRYPTED | index) >>> 0);
    const end = offset + length;
    seal(this.#rtcpKey, this.#nonce, this.#rtcpClear, bytes, offset + RTCP_CLEAR_BYTES, end);
    writeUint32(bytes, end + TAG_BYTES, (SRTCP_ENCRYPTED | index) >>> 0);
    return length + this.rtcpTrailerBytes;
  }

  openRtcp(bytes: Uint8Array, offset: number, length: number, ssrc: number, index: number): number {
    this.#fillNonce(this.#rtcpSalt, ssrc, index);
    this.#rtcpClear.set(bytes.subarray(offset, offset + RTCP_CLEAR_BYTES));
    writeUint32(this.#rtcpClear, RTCP_CLEAR_BYTES, readUint32(bytes, offset + length - 4));
    const end = offset + length - this.rtcpTrailerBytes;
    const isAuthentic = open(this.#rtcpKey, this.#nonce, this.#rtcpClear, bytes, offset + RTCP_CLEAR_BYTES, end);
    return isAuthentic ? length - this.rtcpTrailerBytes : -1;
  }

  /** The runtime wipes a key object's memory when it collects it. */
  close(): void {
    this.#rtpSalt.fill(0);
    this.#rtcpSalt.fill(0);
  }

  /** RTP's ROC and sequence, and RTCP's two zeros and index, are both the index as 6 bytes. */
  #fillNonce(salt: Uint8Array, ssrc: number, index: number): void {
    const nonce = this.#nonce;
    nonce[0] = 0;
    nonce[1] = 0;
    writeUint32(nonce, 2, ssrc);
    nonce.writeUIntBE(index, 6, 6);
    for (let position = 0; position < nonce.length; position++) nonce[position] ^= salt[position];
  }
}

function seal(
  key: KeyObject,
  nonce: Uint8Array,
  clear: Uint8Array,
  bytes: Uint8Array,
  from: number,
  end: number,
): void {
  const cipher = createCipheriv(ALGORITHM, key, nonce);
  cipher.setAAD(clear);
  bytes.set(cipher.update(bytes.subarray(from, end)), from);
  cipher.final();
  bytes.set(cipher.getAuthTag(), end);
}

/** The tag stands at `end`. Writes the plain text only when it is authentic. */
function open(
  key: KeyObject,
  nonce: Uint8Array,
  clear: Uint8Array,
  bytes: Uint8Array,
  from: number,
  end: number,
): boolean {
  const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(clear);
  decipher.setAuthTag(bytes.subarray(end, end + TAG_BYTES));
  const plain = decipher.update(bytes.subarray(from, end));
  try {
    decipher.final();
  } catch {
    return false;
  }
  bytes.set(plain, from);
  return true;
}

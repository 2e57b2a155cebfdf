/** SRTP and SRTCP on native code: the same packets as `protocol/srtp`'s portable ciphers, whose files have the layouts (RFC 3711, RFC 7714). */

import { readUint32, writeUint32 } from '../../../protocol/rtp/packet.ts';
import type { AesCmKeys } from '../../../protocol/srtp/aes-cm-cipher.ts';
import type { GcmKeys } from '../../../protocol/srtp/gcm-cipher.ts';
import * as label from '../../../protocol/srtp/key-derivation.ts';
import { type PacketCipher, SRTCP_ENCRYPTED } from '../../../protocol/srtp/packet-cipher.ts';
import { SRTP_AEAD_AES_128_GCM, type SrtpKeys, type SrtpProfile } from '../../../protocol/srtp/profiles.ts';
import { RTCP_CLEAR_BYTES } from '../../../protocol/srtp/rtp-header.ts';
import { CipherSession, type SrtpSession } from '../../../protocol/srtp/session.ts';
import { copyBytes } from '../../forward/copy-bytes.ts';
import { CLEAR_BYTES_MAX, type Evp, GCM_TAG_BYTES, sharedEvp } from './evp.ts';

type Direction = 'seal' | 'open';

const CM_TAG_BYTES = 10;

/** A session whose packets are protected where they lie, if that is a port's slot. Its keys are in OpenSSL's contexts only: `close` wipes them. */
export function createNativeSrtpSession(profile: SrtpProfile, keys: SrtpKeys, evp: Evp = sharedEvp()): SrtpSession {
  const cipher = profile === SRTP_AEAD_AES_128_GCM ? gcmCipher : aesCmCipher;
  const outgoing = cipher(evp, keys.localKey, keys.localSalt, 'seal');
  try {
    return new CipherSession(outgoing, cipher(evp, keys.remoteKey, keys.remoteSalt, 'open'));
  } catch (error) {
    outgoing.close();
    throw error;
  }
}

function gcmCipher(evp: Evp, key: Uint8Array, salt: Uint8Array, direction: Direction): PacketCipher {
  const keys = {
    rtpKey: label.deriveKey(key, salt, label.LABEL_RTP_ENCRYPTION, 16),
    rtpSalt: label.deriveKey(key, salt, label.LABEL_RTP_SALT, 12),
    rtcpKey: label.deriveKey(key, salt, label.LABEL_RTCP_ENCRYPTION, 16),
    rtcpSalt: label.deriveKey(key, salt, label.LABEL_RTCP_SALT, 12),
  };
  const cipher = new NativeGcmCipher(keys, direction, evp);
  for (const copied of Object.values(keys)) copied.fill(0);
  return cipher;
}

function aesCmCipher(evp: Evp, key: Uint8Array, salt: Uint8Array): PacketCipher {
  const keys = {
    rtpKey: label.deriveKey(key, salt, label.LABEL_RTP_ENCRYPTION, 16),
    rtpAuthKey: label.deriveKey(key, salt, label.LABEL_RTP_AUTHENTICATION, 20),
    rtpSalt: label.deriveKey(key, salt, label.LABEL_RTP_SALT, 14),
    rtcpKey: label.deriveKey(key, salt, label.LABEL_RTCP_ENCRYPTION, 16),
    rtcpAuthKey: label.deriveKey(key, salt, label.LABEL_RTCP_AUTHENTICATION, 20),
    rtcpSalt: label.deriveKey(key, salt, label.LABEL_RTCP_SALT, 14),
  };
  const cipher = new NativeAesCmCipher(keys, evp);
  for (const copied of Object.values(keys)) copied.fill(0);
  return cipher;
}

/** One direction: OpenSSL's contexts for opening are others than for sealing. Keys and salts are copied. */
export class NativeGcmCipher implements PacketCipher {
  readonly rtpTrailerBytes = GCM_TAG_BYTES;
  readonly rtcpTrailerBytes = GCM_TAG_BYTES + 4;
  readonly rtcpIndexFromEnd = 4;
  readonly #evp: Evp;
  readonly #rtp: number;
  readonly #rtcp: number;
  readonly #rtpSalt: Uint8Array;
  readonly #rtcpSalt: Uint8Array;

  constructor(keys: GcmKeys, direction: Direction, evp: Evp = sharedEvp()) {
    const kind = direction === 'seal' ? 'gcm-seal' : 'gcm-open';
    this.#evp = evp;
    this.#rtp = evp.openContext(kind, keys.rtpKey);
    this.#rtcp = evp.openContext(kind, keys.rtcpKey);
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
    const evp = this.#evp;
    this.#fillNonce(this.#rtpSalt, ssrc, index);
    copyBytes(bytes, offset, evp.clear, 0, headerLength);
    evp.seal(this.#rtp, bytes, offset + headerLength, offset + length, headerLength);
    copyBytes(evp.tag, 0, bytes, offset + length, GCM_TAG_BYTES);
    return length + GCM_TAG_BYTES;
  }

  openRtp(
    bytes: Uint8Array,
    offset: number,
    headerLength: number,
    length: number,
    ssrc: number,
    index: number,
  ): number {
    if (headerLength > CLEAR_BYTES_MAX) return -1;
    const evp = this.#evp;
    const plainLength = length - GCM_TAG_BYTES;
    this.#fillNonce(this.#rtpSalt, ssrc, index);
    copyBytes(bytes, offset, evp.clear, 0, headerLength);
    copyBytes(bytes, offset + plainLength, evp.tag, 0, GCM_TAG_BYTES);
    const isAuthentic = evp.open(this.#rtp, bytes, offset + headerLength, offset + plainLength, headerLength);
    return isAuthentic ? plainLength : -1;
  }

  sealRtcp(bytes: Uint8Array, offset: number, length: number, ssrc: number, index: number): number {
    const evp = this.#evp;
    const word = (SRTCP_ENCRYPTED | index) >>> 0;
    const end = offset + length;
    this.#fillNonce(this.#rtcpSalt, ssrc, index);
    copyBytes(bytes, offset, evp.clear, 0, RTCP_CLEAR_BYTES);
    writeUint32(evp.clear, RTCP_CLEAR_BYTES, word);
    evp.seal(this.#rtcp, bytes, offset + RTCP_CLEAR_BYTES, end, RTCP_CLEAR_BYTES + 4);
    copyBytes(evp.tag, 0, bytes, end, GCM_TAG_BYTES);
    writeUint32(bytes, end + GCM_TAG_BYTES, word);
    return length + this.rtcpTrailerBytes;
  }

  openRtcp(bytes: Uint8Array, offset: number, length: number, ssrc: number, index: number): number {
    const evp = this.#evp;
    const plainLength = length - this.rtcpTrailerBytes;
    const end = offset + plainLength;
    this.#fillNonce(this.#rtcpSalt, ssrc, index);
    copyBytes(bytes, offset, evp.clear, 0, RTCP_CLEAR_BYTES);
    writeUint32(evp.clear, RTCP_CLEAR_BYTES, readUint32(bytes, end + GCM_TAG_BYTES));
    copyBytes(bytes, end, evp.tag, 0, GCM_TAG_BYTES);
    const isAuthentic = evp.open(this.#rtcp, bytes, offset + RTCP_CLEAR_BYTES, end, RTCP_CLEAR_BYTES + 4);
    return isAuthentic ? plainLength : -1;
  }

  close(): void {
    this.#evp.closeContext(this.#rtp);
    this.#evp.closeContext(this.#rtcp);
    this.#rtpSalt.fill(0);
    this.#rtcpSalt.fill(0);
  }

  #fillNonce(salt: Uint8Array, ssrc: number, index: number): void {
    const { nonce } = this.#evp;
    nonce[0] = salt[0];
    nonce[1] = salt[1];
    xorWord(nonce, 2, salt, ssrc);
    xorIndex(nonce, 6, salt, index);
  }
}

/** Either direction. Keys and salts are copied. */
export class NativeAesCmCipher implements PacketCipher {
  readonly rtpTrailerBytes = CM_TAG_BYTES;
  readonly rtcpTrailerBytes = CM_TAG_BYTES + 4;
  readonly rtcpIndexFromEnd = CM_TAG_BYTES + 4;
  readonly #evp: Evp;
  readonly #rtp: number;
  readonly #rtcp: number;
  readonly #rtpMac: number;
  readonly #rtcpMac: number;
  readonly #rtpSalt: Uint8Array;
  readonly #rtcpSalt: Uint8Array;

  constructor(keys: AesCmKeys, evp: Evp = sharedEvp()) {
    this.#evp = evp;
    this.#rtp = evp.openContext('ctr', keys.rtpKey);
    this.#rtcp = evp.openContext('ctr', keys.rtcpKey);
    this.#rtpMac = evp.openContext('hmac-sha1', keys.rtpAuthKey);
    this.#rtcpMac = evp.openContext('hmac-sha1', keys.rtcpAuthKey);
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
    this.#fillCounter(this.#rtpSalt, ssrc, index);
    this.#evp.crypt(this.#rtp, bytes, offset + headerLength, end);
    this.#authenticateRtp(bytes, offset, end, index);
    copyBytes(this.#evp.tag, 0, bytes, end, CM_TAG_BYTES);
    return length + CM_TAG_BYTES;
  }

  openRtp(
    bytes: Uint8Array,
    offset: number,
    headerLength: number,
    length: number,
    ssrc: number,
    index: number,
  ): number {
    const end = offset + length - CM_TAG_BYTES;
    this.#authenticateRtp(bytes, offset, end, index);
    if (!this.#hasTag(bytes, end)) return -1;
    this.#fillCounter(this.#rtpSalt, ssrc, index);
    this.#evp.crypt(this.#rtp, bytes, offset + headerLength, end);
    return length - CM_TAG_BYTES;
  }

  sealRtcp(bytes: Uint8Array, offset: number, length: number, ssrc: number, index: number): number {
    const end = offset + length;
    this.#fillCounter(this.#rtcpSalt, ssrc, index);
    this.#evp.crypt(this.#rtcp, bytes, offset + RTCP_CLEAR_BYTES, end);
    writeUint32(bytes, end, (SRTCP_ENCRYPTED | index) >>> 0);
    this.#evp.authenticate(this.#rtcpMac, bytes, offset, end + 4, false);
    copyBytes(this.#evp.tag, 0, bytes, end + 4, CM_TAG_BYTES);
    return length + this.rtcpTrailerBytes;
  }

  openRtcp(bytes: Uint8Array, offset: number, length: number, ssrc: number, index: number): number {
    const end = offset + length - CM_TAG_BYTES;
    this.#evp.authenticate(this.#rtcpMac, bytes, offset, end, false);
    if (!this.#hasTag(bytes, end)) return -1;
    this.#fillCounter(this.#rtcpSalt, ssrc, index);
    this.#evp.crypt(this.#rtcp, bytes, offset + RTCP_CLEAR_BYTES, end - 4);
    return length - this.rtcpTrailerBytes;
  }

  close(): void {
    for (const context of [this.#rtp, this.#rtcp, this.#rtpMac, this.#rtcpMac]) this.#evp.closeContext(context);
    this.#rtpSalt.fill(0);
    this.#rtcpSalt.fill(0);
  }

  #authenticateRtp(bytes: Uint8Array, offset: number, end: number, index: number): void {
    writeUint32(this.#evp.trailer, 0, Math.floor(index / 0x10000));
    this.#evp.authenticate(this.#rtpMac, bytes, offset, end, true);
  }

  /** Compares in constant time. */
  #hasTag(bytes: Uint8Array, position: number): boolean {
    const { tag } = this.#evp;
    let difference = 0;
    for (let index = 0; index < CM_TAG_BYTES; index++) difference |= bytes[position + index] ^ tag[index];
    return difference === 0;
  }

  #fillCounter(salt: Uint8Array, ssrc: number, index: number): void {
    const counter = this.#evp.nonce;
    for (let position = 0; position < 4; position++) counter[position] = salt[position];
    xorWord(counter, 4, salt, ssrc);
    xorIndex(counter, 8, salt, index);
    counter[14] = 0;
    counter[15] = 0;
  }
}

function xorWord(to: Uint8Array, at: number, salt: Uint8Array, word: number): void {
  to[at] = salt[at] ^ (word >>> 24);
  to[at + 1] = salt[at + 1] ^ ((word >>> 16) & 0xff);
  to[at + 2] = salt[at + 2] ^ ((word >>> 8) & 0xff);
  to[at + 3] = salt[at + 3] ^ (word & 0xff);
}

/** 48 bits. */
function xorIndex(to: Uint8Array, at: number, salt: Uint8Array, index: number): void {
  // `>>>` takes any number modulo 2^32; `%` of one this large is a call into the C library.
  const low = index >>> 0;
  const high = (index - low) * 2 ** -32;
  to[at] = salt[at] ^ (high >>> 8);
  to[at + 1] = salt[at + 1] ^ (high & 0xff);
  xorWord(to, at + 2, salt, low);
}

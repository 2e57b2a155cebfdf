/** The DTLS-SRTP protection profiles we offer (RFC 5764 section 4.1.2, RFC 7714 section 14.2), and sessions made of their keys. */
import { AesCmCipher } from './aes-cm-cipher.ts';
import { GcmCipher } from './gcm-cipher.ts';
import * as label from './key-derivation.ts';
import type { PacketCipher } from './packet-cipher.ts';
import { CipherSession, type SrtpSession } from './session.ts';

export const SRTP_AES128_CM_HMAC_SHA1_80 = 0x0001;
export const SRTP_AEAD_AES_128_GCM = 0x0007;
export type SrtpProfile = typeof SRTP_AES128_CM_HMAC_SHA1_80 | typeof SRTP_AEAD_AES_128_GCM;

/** The preferred one first: one pass instead of two, and a longer tag. */
export const SRTP_PROFILES: readonly SrtpProfile[] = [SRTP_AEAD_AES_128_GCM, SRTP_AES128_CM_HMAC_SHA1_80];

/** Master keys (16 bytes) and master salts ({@link masterSaltBytes}) of both directions, from the DTLS exporter (RFC 5764 section 4.2). */
export interface SrtpKeys {
  readonly localKey: Uint8Array;
  readonly localSalt: Uint8Array;
  readonly remoteKey: Uint8Array;
  readonly remoteSalt: Uint8Array;
}

export const MASTER_KEY_BYTES = 16;

export function masterSaltBytes(profile: SrtpProfile): number {
  return profile === SRTP_AEAD_AES_128_GCM ? 12 : 14;
}

/** A session on node:crypto: portable, a few microseconds per packet. */
export function createSrtpSession(profile: SrtpProfile, keys: SrtpKeys): SrtpSession {
  const cipher = profile === SRTP_AEAD_AES_128_GCM ? gcmCipher : aesCmCipher;
  return new CipherSession(cipher(keys.localKey, keys.localSalt), cipher(keys.remoteKey, keys.remoteSalt));
}

function gcmCipher(key: Uint8Array, salt: Uint8Array): PacketCipher {
  return new GcmCipher({
    rtpKey: label.deriveKey(key, salt, label.LABEL_RTP_ENCRYPTION, 16),
    rtpSalt: label.deriveKey(key, salt, label.LABEL_RTP_SALT, 12),
    rtcpKey: label.deriveKey(key, salt, label.LABEL_RTCP_ENCRYPTION, 16),
    rtcpSalt: label.deriveKey(key, salt, label.LABEL_RTCP_SALT, 12),
  });
}

function aesCmCipher(key: Uint8Array, salt: Uint8Array): PacketCipher {
  return new AesCmCipher({
    rtpKey: label.deriveKey(key, salt, label.LABEL_RTP_ENCRYPTION, 16),
    rtpAuthKey: label.deriveKey(key, salt, label.LABEL_RTP_AUTHENTICATION, 20),
    rtpSalt: label.deriveKey(key, salt, label.LABEL_RTP_SALT, 14),
    rtcpKey: label.deriveKey(key, salt, label.LABEL_RTCP_ENCRYPTION, 16),
    rtcpAuthKey: label.deriveKey(key, salt, label.LABEL_RTCP_AUTHENTICATION, 20),
    rtcpSalt: label.deriveKey(key, salt, label.LABEL_RTCP_SALT, 14),
  });
}

/**
 * Session keys from a master key (RFC 3711 section 4.3, key derivation rate 0): AES in counter mode over
 * x = (label at byte 7) XOR master salt, with the low 16 bits counting blocks. A 12-byte salt is padded with zeros to 14 (RFC 7714 section 11).
 */
import { createCipheriv } from 'node:crypto';

export const LABEL_RTP_ENCRYPTION = 0x00;
export const LABEL_RTP_AUTHENTICATION = 0x01;
export const LABEL_RTP_SALT = 0x02;
export const LABEL_RTCP_ENCRYPTION = 0x03;
export const LABEL_RTCP_AUTHENTICATION = 0x04;
export const LABEL_RTCP_SALT = 0x05;

/** `length` bytes for `label`. `masterKey` has 16 bytes, `masterSalt` 12 or 14. */
export function deriveKey(masterKey: Uint8Array, masterSalt: Uint8Array, label: number, length: number): Buffer {
  const counter = Buffer.alloc(16);
  counter.set(masterSalt);
  counter[7] ^= label;
  return createCipheriv('aes-128-ctr', masterKey, counter).update(Buffer.alloc(length));
}

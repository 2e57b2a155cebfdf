/**
 * Keys of one Octo 2 session: the output of the DTLS exporter (RFC 5705, label {@link EXPORTER_LABEL}, no context), cut up.
 *
 * | client key 16 | server key 16 | client salt 12 | server salt 12 | label 1 |
 */
import { KEY_BYTES, SALT_BYTES } from './aead.ts';

export const EXPORTER_LABEL = 'EXPORTER-causeway-octo-2';
export const EXPORTER_BYTES = 2 * KEY_BYTES + 2 * SALT_BYTES + 1;

/** The side of a link in its DTLS handshake. The bridge whose ID comes first in code-unit order is the client. */
export type LinkRole = 'client' | 'server';

export interface SessionKeys {
  readonly sendKey: Uint8Array;
  readonly sendSalt: Uint8Array;
  readonly receiveKey: Uint8Array;
  readonly receiveSalt: Uint8Array;
  /** 0-3: written into every header of the session. A hint for which keys to try; two sessions may share one. */
  readonly label: number;
}

/** Cuts `material` (exactly {@link EXPORTER_BYTES}) for the side that was `role` in the handshake. Views, not copies. */
export function cutSessionKeys(material: Uint8Array, role: LinkRole): SessionKeys {
  if (material.length !== EXPORTER_BYTES) throw new RangeError('exporter output has the wrong length');
  const clientKey = material.subarray(0, 16);
  const serverKey = material.subarray(16, 32);
  const clientSalt = material.subarray(32, 44);
  const serverSalt = material.subarray(44, 56);
  const label = material[56] & 0x03;
  if (role === 'client') {
    return { sendKey: clientKey, sendSalt: clientSalt, receiveKey: serverKey, receiveSalt: serverSalt, label };
  }
  return { sendKey: serverKey, sendSalt: serverSalt, receiveKey: clientKey, receiveSalt: clientSalt, label };
}

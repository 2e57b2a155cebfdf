/** The key schedule of TLS 1.2 with SHA-256 (RFC 5246 sections 5, 6.3, 7.4.9 and 8.1; RFC 5705; RFC 7627). */
import { createHmac, hash } from 'node:crypto';

const MASTER_SECRET_BYTES = 48;
const VERIFY_DATA_BYTES = 12;
/** AES-128-GCM: a key, and the four bytes of each nonce that are never sent (RFC 5288 section 3). */
const KEY_BYTES = 16;
const SALT_BYTES = 4;

/** Keys of the record layer, per direction. */
export interface WriteKeys {
  readonly clientKey: Buffer;
  readonly serverKey: Buffer;
  readonly clientSalt: Buffer;
  readonly serverSalt: Buffer;
}

export interface Randoms {
  /** 32 bytes each, {@link kept}. */
  readonly client: Buffer;
  readonly server: Buffer;
}

/** `transcript` is all up to ClientKeyExchange when both sides know extended_master_secret (RFC 7627), else undefined. */
export function masterSecretOf(preMaster: Buffer, randoms: Randoms, transcript: Buffer | undefined): Buffer {
  if (transcript !== undefined) {
    return prf(preMaster, 'extended master secret', hash('sha256', transcript, 'buffer'), MASTER_SECRET_BYTES);
  }
  return prf(preMaster, 'master secret', Buffer.concat([randoms.client, randoms.server]), MASTER_SECRET_BYTES);
}

export function writeKeysOf(master: Buffer, randoms: Randoms): WriteKeys {
  const length = 2 * (KEY_BYTES + SALT_BYTES);
  const block = prf(master, 'key expansion', Buffer.concat([randoms.server, randoms.client]), length);
  return {
    clientKey: block.subarray(0, 16),
    serverKey: block.subarray(16, 32),
    clientSalt: block.subarray(32, 36),
    serverSalt: block.subarray(36, 40),
  };
}

/** The body of the Finished message that `side` sends after `transcript`. */
export function verifyDataOf(master: Buffer, side: 'client' | 'server', transcript: Buffer): Buffer {
  return prf(master, `${side} finished`, hash('sha256', transcript, 'buffer'), VERIFY_DATA_BYTES);
}

/** Keying material without context (RFC 5705 section 4). */
export function exportMaterial(master: Buffer, randoms: Randoms, label: string, length: number): Buffer {
  return prf(master, label, Buffer.concat([randoms.client, randoms.server]), length);
}

/** The pseudo-random function (RFC 5246 section 5), `length` bytes of it, in memory of their own. */
export function prf(secret: Buffer, label: string, seed: Buffer, length: number): Buffer {
  const labelled = Buffer.concat([Buffer.from(label, 'ascii'), seed]);
  const output = Buffer.allocUnsafeSlow(length);
  let chained: Buffer = labelled;
  for (let made = 0; made < length; made += 32) {
    chained = createHmac('sha256', secret).update(chained).digest();
    createHmac('sha256', secret).update(chained).update(labelled).digest().copy(output, made);
  }
  return output;
}

/**
 * A copy in memory of its own, for what is kept as long as the session. Node cuts small buffers from a slab of 64 KiB that everybody shares: a piece that
 * is kept keeps all of it.
 */
export function kept(bytes: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  copy.set(bytes);
  return copy;
}

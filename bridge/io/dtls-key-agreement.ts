/** Ephemeral Diffie-Hellman in OpenSSL, by way of node:crypto: X25519 (RFC 7748, RFC 8422 section 5.11) and P-256. */
import {
  createECDH,
  createPublicKey,
  diffieHellman,
  type ECDH,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';

export const SECP256R1 = 23;
export const X25519 = 29;
export type NamedGroup = typeof SECP256R1 | typeof X25519;

/** The preferred one first. */
export const NAMED_GROUPS: readonly NamedGroup[] = [X25519, SECP256R1];

/** One ephemeral key pair. */
export interface KeyAgreement {
  readonly group: NamedGroup;
  /** As it is sent. */
  readonly publicKey: Buffer;
  /** The shared secret, or undefined for bytes that are no point of the group, or one of small order. */
  agree(peerPublicKey: Buffer): Buffer | undefined;
}

export function isNamedGroup(value: number): value is NamedGroup {
  return value === X25519 || value === SECP256R1;
}

export function createKeyAgreement(group: NamedGroup): KeyAgreement {
  return group === X25519 ? new X25519Agreement() : new P256Agreement();
}

class X25519Agreement implements KeyAgreement {
  readonly group = X25519;
  readonly publicKey: Buffer;
  readonly #privateKey: KeyObject;

  constructor() {
    const { publicKey, privateKey } = generateKeyPairSync('x25519');
    this.publicKey = publicKey.export({ format: 'raw-public' });
    this.#privateKey = privateKey;
  }

  agree(peerPublicKey: Buffer): Buffer | undefined {
    try {
      const publicKey = createPublicKey({ key: peerPublicKey, format: 'raw-public', asymmetricKeyType: 'x25519' });
      return diffieHellman({ privateKey: this.#privateKey, publicKey });
    } catch {
      return undefined;
    }
  }
}

class P256Agreement implements KeyAgreement {
  readonly group = SECP256R1;
  readonly publicKey: Buffer;
  readonly #ecdh: ECDH = createECDH('prime256v1');

  constructor() {
    this.publicKey = this.#ecdh.generateKeys();
  }

  agree(peerPublicKey: Buffer): Buffer | undefined {
    try {
      return this.#ecdh.computeSecret(peerPublicKey);
    } catch {
      return undefined;
    }
  }
}

import { createHash } from 'node:crypto';
import { cutSessionKeys, EXPORTER_BYTES, type SessionKeys } from '../../protocol/octo/keys.ts';
import type { Handshake, HandshakeOptions, StartHandshake } from './handshake.ts';

const REPEAT_MS = 150;
const NONCE_BYTES = 16;
const HELLO = 1;
const ANSWER = 2;

/**
 * For tests: a stand-in for DTLS, two datagrams with the timing of the real one (the server has its keys half a round trip before the
 * client), repeated until answered. Proves nothing but that both name the fingerprint that the other expects.
 */
export function simulatedHandshakes(ownFingerprint: string, random: () => number): StartHandshake {
  return options => new SimulatedHandshake(ownFingerprint, random, options);
}

/** Hello: 22, 1, client nonce, fingerprint. Answer: 22, 2, client nonce, server nonce, fingerprint. */
class SimulatedHandshake implements Handshake {
  readonly isCommitted = false;
  readonly #options: HandshakeOptions;
  readonly #ownFingerprint: string;
  readonly #nonce: Buffer;
  #peerNonce: Buffer | undefined;
  #flight: Buffer;
  #sentMs: number;
  #isOver = false;

  constructor(ownFingerprint: string, random: () => number, options: HandshakeOptions) {
    this.#options = options;
    this.#ownFingerprint = ownFingerprint;
    this.#nonce = Buffer.from(Array.from({ length: NONCE_BYTES }, () => Math.floor(random() * 256)));
    this.#sentMs = options.nowMs;
    this.#flight = Buffer.concat([Buffer.of(22, HELLO), this.#nonce, Buffer.from(ownFingerprint)]);
    if (options.role === 'client') options.send(this.#flight);
  }

  handleDatagram(_nowMs: number, bytes: Uint8Array, offset: number, length: number): boolean {
    const datagram = Buffer.from(bytes.subarray(offset, offset + length));
    if (this.#options.role === 'client') this.#handleAnswer(datagram);
    else return this.#handleHello(datagram);
    return true;
  }

  handleNudge(): void {
    if (!this.#isOver) this.#options.send(this.#flight);
  }

  handleTimeout(nowMs: number): void {
    if (this.#isOver || this.#options.role === 'server' || nowMs - this.#sentMs < REPEAT_MS) return;
    this.#sentMs = nowMs;
    this.#options.send(this.#flight);
  }

  close(): void {
    this.#isOver = true;
  }

  #handleHello(datagram: Buffer): boolean {
    if (datagram[1] !== HELLO) return true;
    const nonce = datagram.subarray(2, 2 + NONCE_BYTES);
    if (this.#peerNonce !== undefined) {
      if (!this.#peerNonce.equals(nonce)) return false;
      this.#options.send(this.#flight);
      return true;
    }
    if (datagram.subarray(2 + NONCE_BYTES).toString() !== this.#options.peerFingerprint) {
      this.#options.onFailed('fingerprint');
      return true;
    }
    this.#peerNonce = nonce;
    // The same hello, heard again once this has ended, is answered with the same keys: DTLS's cookies and Finished messages see to that.
    const own = Buffer.from(this.#ownFingerprint);
    const serverNonce = createHash('sha256').update(own).update(nonce).digest().subarray(0, NONCE_BYTES);
    this.#flight = Buffer.concat([Buffer.of(22, ANSWER), nonce, serverNonce, own]);
    this.#options.send(this.#flight);
    this.#options.onKeys(this.#keys(nonce, serverNonce));
    return true;
  }

  #handleAnswer(datagram: Buffer): void {
    if (this.#isOver || datagram[1] !== ANSWER) return;
    if (!datagram.subarray(2, 2 + NONCE_BYTES).equals(this.#nonce)) return;
    const serverNonce = datagram.subarray(2 + NONCE_BYTES, 2 + 2 * NONCE_BYTES);
    this.#isOver = true;
    if (datagram.subarray(2 + 2 * NONCE_BYTES).toString() !== this.#options.peerFingerprint) {
      this.#options.onFailed('fingerprint');
    } else this.#options.onKeys(this.#keys(this.#nonce, serverNonce));
  }

  #keys(client: Buffer, server: Buffer): SessionKeys {
    const seed = Buffer.concat([client, server]);
    const material = Buffer.concat([
      createHash('sha256').update('1').update(seed).digest(),
      createHash('sha256').update('2').update(seed).digest(),
    ]);
    return cutSessionKeys(material.subarray(0, EXPORTER_BYTES), this.#options.role);
  }
}

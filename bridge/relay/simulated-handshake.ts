import { createHash } from 'node:crypto';
import { cutSessionKeys, EXPORTER_BYTES, type SessionKeys } from '../../protocol/octo/keys.ts';
import type { Handshake, HandshakeOptions, StartHandshake } from './handshake.ts';

const REPEAT_MS = 150;
const NONCE_BYTES = 8;
/** The content type of a DTLS handshake record. */
const RECORD = 22;
const HELLO = 1;
const VERIFY = 2;
const FINISH = 3;
const DONE = 4;
const NONCES_END = 2 + 2 * NONCE_BYTES;

/**
 * For tests: stands in for DTLS 1.2 with the shape that matters to a link: two round trips, the server's state is nothing before the client
 * has shown that it receives, the server has its keys half a round trip before the client, late copies of old flights open nothing. Proves
 * only that both name the fingerprint that the other expects.
 *
 * | 22 | flight | client nonce, 8 bytes | server nonce, 8 bytes (0 in the first flight) | fingerprint (last two flights) |
 *
 * `random`: 0 to 1, excluding 1.
 */
export function simulatedHandshakes(ownFingerprint: string, random: () => number): StartHandshake {
  return options => new SimulatedHandshake(ownFingerprint, random, options);
}

class SimulatedHandshake implements Handshake {
  isCommitted = false;
  readonly #options: HandshakeOptions;
  readonly #own: Buffer;
  readonly #nonce: Buffer;
  #clientNonce: Buffer | undefined;
  #flight: Buffer | undefined;
  #sentMs: number;
  #isOver = false;

  constructor(ownFingerprint: string, random: () => number, options: HandshakeOptions) {
    this.#options = options;
    this.#own = Buffer.from(ownFingerprint);
    this.#nonce = Buffer.from(Array.from({ length: NONCE_BYTES }, () => Math.floor(random() * 256)));
    this.#sentMs = options.nowMs;
    if (options.role === 'client') this.#send(HELLO, this.#nonce, Buffer.alloc(NONCE_BYTES));
  }

  handleDatagram(nowMs: number, bytes: Uint8Array, offset: number, length: number): boolean {
    const datagram = Buffer.from(bytes.subarray(offset, offset + length));
    if (length < NONCES_END) return true;
    const clientNonce = datagram.subarray(2, 2 + NONCE_BYTES);
    const serverNonce = datagram.subarray(2 + NONCE_BYTES, NONCES_END);
    if (this.#options.role === 'server') return this.#serve(datagram, clientNonce, serverNonce);
    if (!this.#isOver && clientNonce.equals(this.#nonce)) this.#answer(nowMs, datagram, serverNonce);
    return true;
  }

  handleNudge(): void {
    if (this.#flight?.[1] === HELLO) this.#repeat();
  }

  handleTimeout(nowMs: number): void {
    if (this.#isOver || this.#options.role === 'server' || nowMs - this.#sentMs < REPEAT_MS) return;
    this.#sentMs = nowMs;
    this.#repeat();
  }

  close(): void {
    this.#isOver = true;
  }

  #repeat(): void {
    if (!this.#isOver && this.#flight !== undefined) this.#options.send(this.#flight);
  }

  #serve(datagram: Buffer, clientNonce: Buffer, serverNonce: Buffer): boolean {
    const options = this.#options;
    if (datagram[1] === HELLO) {
      // A late copy of the hello of this handshake is told from another's by its nonce, as by DTLS's random.
      if (this.isCommitted) return this.#clientNonce?.equals(clientNonce) === true;
      this.#send(VERIFY, clientNonce, this.#nonce);
      return true;
    }
    if (datagram[1] !== FINISH || !serverNonce.equals(this.#nonce)) return true;
    if (this.isCommitted) {
      if (this.#flight !== undefined) options.send(this.#flight);
      return true;
    }
    if (datagram.subarray(NONCES_END).toString() !== options.peerFingerprint) {
      options.onFailed('fingerprint');
      return true;
    }
    this.isCommitted = true;
    this.#clientNonce = clientNonce;
    this.#send(DONE, clientNonce, this.#nonce, this.#own);
    options.onKeys(keysOf(clientNonce, this.#nonce, 'server'));
    return true;
  }

  #answer(nowMs: number, datagram: Buffer, serverNonce: Buffer): void {
    if (datagram[1] === VERIFY && this.#flight?.[1] === HELLO) {
      this.#sentMs = nowMs;
      this.#send(FINISH, this.#nonce, serverNonce, this.#own);
    } else if (
      datagram[1] === DONE &&
      this.#flight?.subarray(2 + NONCE_BYTES, NONCES_END).equals(serverNonce) === true
    ) {
      this.#isOver = true;
      const { onFailed, onKeys, peerFingerprint } = this.#options;
      if (datagram.subarray(NONCES_END).toString() !== peerFingerprint) onFailed('fingerprint');
      else onKeys(keysOf(this.#nonce, serverNonce, 'client'));
    }
  }

  #send(flight: number, clientNonce: Buffer, serverNonce: Buffer, fingerprint: Buffer = NOTHING): void {
    this.#flight = Buffer.concat([Buffer.of(RECORD, flight), clientNonce, serverNonce, fingerprint]);
    this.#options.send(this.#flight);
  }
}

const NOTHING = Buffer.alloc(0);

function keysOf(clientNonce: Buffer, serverNonce: Buffer, role: 'client' | 'server'): SessionKeys {
  const material = ['1', '2'].map(part =>
    createHash('sha256').update(part).update(clientNonce).update(serverNonce).digest(),
  );
  return cutSessionKeys(Buffer.concat(material).subarray(0, EXPORTER_BYTES), role);
}

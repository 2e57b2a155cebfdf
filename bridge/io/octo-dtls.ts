/**
 * The DTLS handshake of an Octo link (protocol/octo/README.md): mutual certificates, pinned by fingerprint, keys from the exporter. Lost
 * flights are repeated sooner than a client's: the path between bridges is known to be short and wide, and media waits at both ends.
 */
import { cutSessionKeys, EXPORTER_BYTES, EXPORTER_LABEL } from '../../protocol/octo/keys.ts';
import type { Handshake, HandshakeOptions, StartHandshake } from '../relay/handshake.ts';
import type { Certificate } from './certificate.ts';
import { DtlsEndpoint } from './dtls-endpoint.ts';

const REPEAT_MS_MIN = 150;
const REPEAT_MS_MAX = 600;
/** A repeated flight of the peer is answered no more often than this. */
const ANSWER_MS_MIN = 50;

const CONTENT_HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const SERVER_HELLO = 2;
/** After the record header: the type of the handshake message. */
const HANDSHAKE_OFFSET = 13;
/** Record header, handshake header, version: where the random of a ClientHello begins. */
const RANDOM_OFFSET = 13 + 12 + 2;
const RANDOM_BYTES = 32;

/** What a {@link StartHandshake} needs to be is this, with the bridge's own certificate. */
export function octoHandshakes(certificate: Certificate): StartHandshake {
  return options => new OctoHandshake(certificate, options);
}

class OctoHandshake implements Handshake {
  isCommitted = false;
  readonly #options: HandshakeOptions;
  readonly #dtls: DtlsEndpoint;
  #isAnswered = false;
  #isOver = false;
  #isFinished = false;
  #nowMs: number;
  #repeatMs = REPEAT_MS_MIN;
  #sentMs: number;
  #clientRandom: Buffer | undefined;

  constructor(certificate: Certificate, options: HandshakeOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs;
    this.#sentMs = options.nowMs;
    this.#dtls = new DtlsEndpoint({
      role: options.role,
      certificate,
      fingerprints: [{ algorithm: 'sha-256', value: options.peerFingerprint }],
      srtpProfiles: [],
      repeatsFlights: false,
      sink: {
        send: datagram => this.#send(datagram),
        onConnected: () => this.#finish(),
        onData: () => {},
        onFailed: reason => this.#fail(reason),
        onClosed: reason => this.#fail(reason),
      },
    });
    this.#dtls.start();
  }

  handleDatagram(nowMs: number, bytes: Uint8Array, offset: number, length: number): boolean {
    this.#nowMs = nowMs;
    const datagram = Buffer.from(bytes.subarray(offset, offset + length));
    if (this.#options.role === 'server' && !this.#isOurs(datagram)) return false;
    if (this.#isOver) return true;
    this.#isAnswered = true;
    if (this.#isFinished) {
      if (nowMs - this.#sentMs >= ANSWER_MS_MIN) this.#dtls.repeat();
      return true;
    }
    const { flights } = this.#dtls;
    this.#dtls.handleDatagram(datagram);
    if (this.#dtls.flights !== flights) this.#repeatMs = REPEAT_MS_MIN;
    return true;
  }

  handleNudge(nowMs: number): void {
    this.#nowMs = nowMs;
    if (!this.#isAnswered && !this.#isOver) this.#dtls.repeat();
  }

  handleTimeout(nowMs: number): void {
    this.#nowMs = nowMs;
    if (this.#isOver || this.#isFinished || nowMs - this.#sentMs < this.#repeatMs) return;
    this.#repeatMs = Math.min(REPEAT_MS_MAX, this.#repeatMs * 2);
    this.#dtls.repeat();
  }

  close(): void {
    this.#isOver = true;
    this.#dtls.close();
  }

  /** False for a ClientHello of another handshake. The first one decides which is ours. */
  #isOurs(datagram: Buffer): boolean {
    if (datagram.length < RANDOM_OFFSET + RANDOM_BYTES || datagram[0] !== CONTENT_HANDSHAKE) return true;
    const isPlain = datagram.readUInt16BE(3) === 0;
    if (!isPlain || datagram[HANDSHAKE_OFFSET] !== CLIENT_HELLO) return true;
    const random = datagram.subarray(RANDOM_OFFSET, RANDOM_OFFSET + RANDOM_BYTES);
    this.#clientRandom ??= random;
    return this.#clientRandom.equals(random);
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isFinished = true;
    const material = this.#dtls.exportKeyingMaterial(EXPORTER_LABEL, EXPORTER_BYTES);
    this.#options.onKeys(cutSessionKeys(material, this.#options.role));
  }

  #fail(reason: string): void {
    if (this.#isOver || this.#isFinished) return;
    this.#isOver = true;
    this.#options.onFailed(reason);
  }

  #send(datagram: Buffer): void {
    if (this.#isOver) return;
    this.#sentMs = this.#nowMs;
    if (datagram[0] === CONTENT_HANDSHAKE && datagram[HANDSHAKE_OFFSET] === SERVER_HELLO) this.isCommitted = true;
    this.#options.send(datagram);
  }
}

/**
 * The DTLS handshake of an Octo link (protocol/octo/README.md): mutual certificates, pinned by fingerprint, keys from the exporter. Flights leave
 * in as few datagrams as they fit in and are repeated after 150 ms: werift alone sends a datagram per message and waits half a second.
 */
import { DATAGRAM_BYTES_MAX } from '../../protocol/octo/header.ts';
import { cutSessionKeys, EXPORTER_BYTES, EXPORTER_LABEL } from '../../protocol/octo/keys.ts';
import type { Handshake, HandshakeOptions, StartHandshake } from '../relay/handshake.ts';
import type { Certificate } from './certificate.ts';
import { DtlsEndpoint } from './dtls-endpoint.ts';

const REPEAT_MS_MIN = 150;
const REPEAT_MS_MAX = 600;
/** A repeated flight of the peer is answered no more often than this. */
const ANSWER_MS_MIN = 50;
/** The largest flight is under 1 KiB with our certificates. */
const FLIGHT_DATAGRAMS_MAX = 4;

const CONTENT_HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const SERVER_HELLO = 2;
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
  /** What werift has sent in this turn, not yet packed. */
  #messages: Buffer[] = [];
  #flight: Buffer[] = [];
  #isFlushDue = false;
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
      sink: {
        send: datagram => this.#collect(datagram),
        onConnected: () => this.#finish(),
        onData: () => {},
        onFailed: reason => this.#fail(reason),
        onClosed: reason => this.#fail(reason),
      },
    });
    this.#dtls.start();
    this.#flush();
  }

  handleDatagram(nowMs: number, bytes: Uint8Array, offset: number, length: number): boolean {
    this.#nowMs = nowMs;
    const datagram = Buffer.from(bytes.subarray(offset, offset + length));
    if (this.#options.role === 'server' && !this.#isOurs(datagram)) return false;
    if (this.#isOver) return true;
    this.#isAnswered = true;
    if (this.#isFinished) {
      if (nowMs - this.#sentMs >= ANSWER_MS_MIN) this.#sendFlight();
      return true;
    }
    this.#dtls.handleDatagram(datagram);
    return true;
  }

  handleNudge(nowMs: number): void {
    this.#nowMs = nowMs;
    if (!this.#isAnswered && !this.#isOver) this.#sendFlight();
  }

  handleTimeout(nowMs: number): void {
    this.#nowMs = nowMs;
    if (this.#isOver || this.#isFinished || nowMs - this.#sentMs < this.#repeatMs) return;
    this.#repeatMs = Math.min(REPEAT_MS_MAX, this.#repeatMs * 2);
    this.#sendFlight();
  }

  close(): void {
    this.#isOver = true;
    this.#dtls.close();
  }

  /** False for a ClientHello of another handshake. The first one decides which is ours. */
  #isOurs(datagram: Buffer): boolean {
    if (datagram.length < RANDOM_OFFSET + RANDOM_BYTES || datagram[0] !== CONTENT_HANDSHAKE) return true;
    const isPlain = datagram.readUInt16BE(3) === 0;
    if (!isPlain || datagram[13] !== CLIENT_HELLO) return true;
    const random = datagram.subarray(RANDOM_OFFSET, RANDOM_OFFSET + RANDOM_BYTES);
    this.#clientRandom ??= random;
    return this.#clientRandom.equals(random);
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isFinished = true;
    // The last flight must be on its way before the first frame under the new keys.
    this.#flush();
    const material = this.#dtls.exportKeyingMaterial(EXPORTER_LABEL, EXPORTER_BYTES);
    this.#options.onKeys(cutSessionKeys(material, this.#options.role));
  }

  #fail(reason: string): void {
    if (this.#isOver || this.#isFinished) return;
    this.#isOver = true;
    this.#options.onFailed(reason);
  }

  #collect(message: Buffer): void {
    if (this.#isOver) return;
    this.#messages.push(message);
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    queueMicrotask(() => this.#flush());
  }

  /** Packs the records of this turn into datagrams: they are the flight to repeat. */
  #flush(): void {
    this.#isFlushDue = false;
    if (this.#messages.length === 0 || this.#isOver) return;
    const flight: Buffer[] = [];
    for (const message of this.#messages) {
      const last = flight.length - 1;
      if (last >= 0 && flight[last].length + message.length <= DATAGRAM_BYTES_MAX) {
        flight[last] = Buffer.concat([flight[last], message]);
      } else if (flight.length < FLIGHT_DATAGRAMS_MAX) {
        flight.push(message);
      }
    }
    this.#messages = [];
    if (isSame(flight, this.#flight)) {
      // werift repeats by its own clock too, and answers a repeated hello.
      if (this.#nowMs - this.#sentMs >= ANSWER_MS_MIN) this.#sendFlight();
      return;
    }
    this.#flight = flight;
    this.#repeatMs = REPEAT_MS_MIN;
    if (flight[0].length > 13 && flight[0][13] === SERVER_HELLO) this.isCommitted = true;
    this.#sendFlight();
  }

  #sendFlight(): void {
    this.#sentMs = this.#nowMs;
    for (const datagram of this.#flight) this.#options.send(datagram);
  }
}

function isSame(left: readonly Buffer[], right: readonly Buffer[]): boolean {
  return left.length === right.length && left.every((datagram, index) => datagram.equals(right[index]));
}

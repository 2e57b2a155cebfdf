/**
 * The DTLS handshake of an Octo link (protocol/octo/README.md): mutual certificates, pinned by fingerprint, keys from the exporter. Lost
 * flights are repeated sooner than a client's: the path between bridges is known to be short and wide, and media waits at both ends.
 */
import { randomBytes } from 'node:crypto';
import { cutSessionKeys, EXPORTER_BYTES, EXPORTER_LABEL } from '../../protocol/octo/keys.ts';
import type { Handshake, HandshakeOptions, StartHandshake } from '../relay/handshake.ts';
import type { Certificate } from './certificate.ts';
import { DtlsEndpoint } from './dtls-endpoint.ts';
import { cookieOf, helloKind, isCookieDemand, randomOf } from './octo-cookie.ts';

const REPEAT_MS_MIN = 150;
const REPEAT_MS_MAX = 600;
/** A repeated flight of the peer is answered no more often than this. */
const ANSWER_MS_MIN = 50;

/** A cookie is demanded no more often: what anybody can ask for costs no more than that. */
const DEMAND_MS_MIN = 1;
const SECRET_BYTES = 32;

const CONTENT_HANDSHAKE = 22;
const SERVER_HELLO = 2;
/** After the record header: the type of the handshake message. */
const HANDSHAKE_OFFSET = 13;

/** What a {@link StartHandshake} needs to be is this, with the bridge's own certificate. */
export function octoHandshakes(certificate: Certificate): StartHandshake {
  const secret = randomBytes(SECRET_BYTES);
  return options => new OctoHandshake(certificate, cookieOf(secret, options.peerFingerprint), options);
}

class OctoHandshake implements Handshake {
  isCommitted = false;
  readonly #options: HandshakeOptions;
  readonly #cookie: Buffer;
  readonly #certificate: Certificate;
  #dtls: DtlsEndpoint;
  #isAnswered = false;
  #isOver = false;
  #isFinished = false;
  #nowMs: number;
  #repeatMs = REPEAT_MS_MIN;
  #demandedMs = Number.NEGATIVE_INFINITY;
  #sentMs: number;
  /** Of the hello that brought the cookie back. */
  #clientRandom: Uint8Array | undefined;

  constructor(certificate: Certificate, cookie: Buffer, options: HandshakeOptions) {
    this.#options = options;
    this.#cookie = cookie;
    this.#nowMs = options.nowMs;
    this.#sentMs = options.nowMs;
    this.#certificate = certificate;
    this.#dtls = this.#begin();
  }

  handleDatagram(nowMs: number, bytes: Uint8Array, offset: number, length: number): boolean {
    this.#nowMs = nowMs;
    const received = bytes.subarray(offset, offset + length);
    if (this.#options.role === 'server') {
      if (!this.#isOurs(received)) return false;
      if (!this.isCommitted && !this.#isWorthIt(nowMs, received)) return true;
    }
    if (this.#isOver) return true;
    // The server may be asked for cookies in our name; the first is as good as any, and our hello is repeated by time.
    if (this.#options.role === 'client' && this.#isAnswered && isCookieDemand(received)) return true;
    const datagram = Buffer.from(received);
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

  #begin(): DtlsEndpoint {
    const { role, peerFingerprint } = this.#options;
    const dtls = new DtlsEndpoint({
      role,
      certificate: this.#certificate,
      fingerprints: [{ algorithm: 'sha-256', value: peerFingerprint }],
      srtpProfiles: [],
      cookie: this.#cookie,
      repeatsFlights: false,
      sink: {
        send: datagram => this.#send(datagram),
        onConnected: () => this.#finish(),
        onData: () => {},
        onFailed: reason => this.#fail(reason),
        onClosed: reason => this.#fail(reason),
      },
    });
    dtls.start();
    return dtls;
  }

  /** False for a ClientHello of another handshake. The one that has brought the cookie back decides which is ours. */
  #isOurs(datagram: Uint8Array): boolean {
    const random = this.#clientRandom === undefined ? undefined : randomOf(datagram);
    return random === undefined || Buffer.compare(random, this.#clientRandom as Uint8Array) === 0;
  }

  /** Server, before the peer has shown its address: only a hello is looked at, and only one with the cookie makes work. */
  #isWorthIt(nowMs: number, datagram: Uint8Array): boolean {
    const kind = helloKind(datagram, this.#cookie);
    if (kind === 'other') return false;
    if (kind === 'proven') {
      this.#clientRandom = Uint8Array.from(randomOf(datagram) as Uint8Array);
      return true;
    }
    if (nowMs - this.#demandedMs < DEMAND_MS_MIN) return false;
    this.#demandedMs = nowMs;
    if (this.#dtls.flights === 0) {
      // It takes only so many datagrams, and those before were no hellos after all.
      this.#dtls.close();
      this.#dtls = this.#begin();
      return true;
    }
    // The cookie is the same for whoever asks: it was demanded before, and is again.
    this.#dtls.repeat();
    return false;
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

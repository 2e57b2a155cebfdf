/**
 * One DTLS 1.2 association: werift makes and reads the handshake messages, and everything it would take on trust is checked around it. It gets whole
 * messages, in order, of the types that come next (`dtls-inbox.ts`), each proven (`dtls-proof.ts`); once the handshake is done it gets nothing more
 * (`dtls-session.ts`). Serves clients (DTLS-SRTP, RFC 5764) and links between bridges.
 */
import type { KeyObject } from 'node:crypto';
import { DtlsClient, DtlsServer } from 'werift';
import { DecodeError } from '../../protocol/errors.ts';
import type { SrtpProfile } from '../../protocol/srtp/profiles.ts';
import { type Certificate, type Fingerprint, matchesFingerprint } from './certificate.ts';
import { HandshakeInbox, type HandshakeMessage } from './dtls-inbox.ts';
import {
  CERTIFICATE,
  CERTIFICATE_VERIFY,
  CLIENT_HELLO,
  FINISHED,
  isBeforeFinished,
  mayFollow,
  SERVER_KEY_EXCHANGE,
} from './dtls-order.ts';
import { certificateOf, provesKeyExchange, provesPossession, provesTranscript, publicKeyOf } from './dtls-proof.ts';
import { type DtlsRecord, decodeHandshake, decodeRecords, encodeHandshake, HANDSHAKE } from './dtls-records.ts';
import { DtlsSession, decryptRecord } from './dtls-session.ts';

/** Every call comes from `start`, `handleDatagram`, or (while connecting) a timer or promise of werift. */
export interface DtlsSink {
  /** Gives up ownership of `datagram`. */
  send(datagram: Buffer): void;
  onConnected(): void;
  onData(bytes: Buffer): void;
  /** Never connected, or the peer raised a fatal alert; `reason` is stable. */
  onFailed(reason: string): void;
  /** The peer has closed. */
  onClosed(reason: string): void;
  /** A datagram or record that was not believed. */
  onDrop?(reason: string): void;
}

export interface DtlsOptions {
  readonly role: 'client' | 'server';
  readonly certificate: Certificate;
  /** What the peer's certificate must match (`matchesFingerprint`). */
  readonly fingerprints: readonly Fingerprint[];
  /** In order of preference; empty without SRTP. With any, one must be agreed on. */
  readonly srtpProfiles: readonly SrtpProfile[];
  readonly sink: DtlsSink;
}

/** Datagrams of an unfinished handshake that are looked at: a handshake with every flight repeated ten times has half as many. */
const HANDSHAKE_DATAGRAMS_MAX = 256;
/** Beyond any flight: makes werift's retransmission loop end at its next turn. */
const FLIGHT_OVER = 99;

export class DtlsEndpoint {
  readonly #options: DtlsOptions;
  readonly #socket: DtlsServer | DtlsClient;
  readonly #inbox = new HandshakeInbox();
  readonly #delivered: number[] = [];
  readonly #peer: 'client' | 'server';
  #hello: HandshakeMessage | undefined;
  #peerKey: KeyObject | undefined;
  /** An encrypted Finished that came before the messages it covers. */
  #early: DtlsRecord | undefined;
  #state: 'new' | 'connecting' | 'connected' | 'over' = 'new';
  #session: DtlsSession | undefined;
  #datagrams = 0;

  constructor(options: DtlsOptions) {
    this.#options = options;
    this.#peer = options.role === 'server' ? 'client' : 'server';
    const { certPem: cert, keyPem: key, signatureHash } = options.certificate;
    const transport = {
      type: 'udp',
      // werift gives flights and their repetitions; after the handshake it has nothing to say.
      send: async (bytes: Buffer) => {
        if (this.#state !== 'over') options.sink.send(bytes);
      },
      // werift puts its own reader here.
      onData: () => {},
      close: async () => {},
      address: { address: '', port: 0, family: '' },
      closed: false,
    };
    const settings = {
      cert,
      key,
      signatureHash,
      transport,
      srtpProfiles: [...options.srtpProfiles],
      extendedMasterSecret: true,
      certificateRequest: true,
    };
    this.#socket = options.role === 'server' ? new DtlsServer(settings) : new DtlsClient(settings);
    this.#socket.onConnect.subscribe(() => this.#handleConnected());
    this.#socket.onError.subscribe(() => this.#fail('dtls-handshake'));
  }

  get isConnected(): boolean {
    return this.#state === 'connected';
  }

  /** The agreed SRTP profile. Only when connected. */
  get srtpProfile(): SrtpProfile | undefined {
    return this.#socket.srtp.srtpProfile as SrtpProfile | undefined;
  }

  /** Begins: a client says hello, a server waits. */
  start(): void {
    if (this.#state !== 'new') return;
    this.#state = 'connecting';
    if (this.#socket instanceof DtlsClient) this.#socket.connect().catch(() => this.#fail('dtls-handshake'));
  }

  /** Handles one datagram, of which it takes ownership. Never throws. */
  handleDatagram(datagram: Buffer): void {
    if (this.#state === 'new' || this.#state === 'over') return;
    try {
      if (this.#session === undefined && ++this.#datagrams > HANDSHAKE_DATAGRAMS_MAX)
        throw new DecodeError('dtls-flood');
      for (const record of decodeRecords(datagram)) this.#handleRecord(record);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#drop(error.reason);
    }
  }

  /** Sends one application datagram; false before the handshake is done and after the end. */
  send(data: Buffer): boolean {
    if (this.#state !== 'connected' || this.#session === undefined) return false;
    this.#options.sink.send(this.#session.seal(data));
    return true;
  }

  /** Keying material of both sides (RFC 5705, RFC 5764 section 4.2), `keyBytes` and `saltBytes` each. Only when connected. */
  srtpKeys(keyBytes: number, saltBytes: number): ReturnType<DtlsServer['extractSessionKeys']> {
    return this.#socket.extractSessionKeys(keyBytes, saltBytes);
  }

  /** `length` bytes of keying material for `label`, without context (RFC 5705). Only when connected. */
  exportKeyingMaterial(label: string, length: number): Buffer {
    return this.#socket.exportKeyingMaterial(label, length);
  }

  /** Ends the association, with a close_notify when there is one. Nothing is called afterwards. */
  close(): void {
    if (this.#session !== undefined && this.#state === 'connected')
      this.#options.sink.send(this.#session.sealCloseNotify());
    this.#end();
  }

  #handleRecord(record: DtlsRecord): void {
    if (this.#state === 'over') return;
    if (this.#session !== undefined) this.#handleSessionRecord(this.#session, record);
    else if (record.type === HANDSHAKE && record.epoch === 0) this.#handleFlight(record);
    else if (record.type === HANDSHAKE && record.epoch === 1) this.#handleFinished(record);
    // Alerts in plain text are anybody's; ChangeCipherSpec says nothing that the epoch does not.
  }

  #handleSessionRecord(session: DtlsSession, record: DtlsRecord): void {
    const opened = session.open(record);
    const { sink } = this.#options;
    if (opened.kind === 'data') {
      sink.onData(opened.bytes);
    } else if (opened.kind === 'handshake') {
      // Only the server's flight is the last one: a client that answered too would keep both going for ever.
      if (this.#peer === 'server') return;
      for (const message of this.#socket.dtls.lastMessage) sink.send(message);
    } else {
      this.#end();
      if (opened.isFatal) sink.onFailed('dtls-alert');
      else sink.onClosed('dtls-closed');
    }
  }

  #handleFlight(record: DtlsRecord): void {
    for (const fragment of decodeHandshake(record.fragment)) {
      const isRepeated = fragment.messageSequence === this.#inbox.next - 1 && fragment.offset === 0;
      // The peer has not seen the answer to its hello: given the same one again, werift repeats it.
      if (isRepeated && this.#hello !== undefined && this.#delivered.at(-1) === CLIENT_HELLO) this.#give(this.#hello);
      this.#inbox.add(fragment);
    }
    for (let message = this.#inbox.peek(); message !== undefined; message = this.#inbox.peek()) {
      if (!mayFollow(this.#peer, this.#delivered, message.type) || !this.#isProven(message)) {
        this.#inbox.reject();
        this.#drop('dtls-unexpected');
        return;
      }
      this.#inbox.advance();
      this.#delivered.push(message.type);
      if (message.type === CLIENT_HELLO) this.#hello = message;
      this.#give(message);
    }
    if (this.#early !== undefined) this.#handleFinished(this.#early);
  }

  /** Checks what a message claims. A certificate that is not the announced one, or is not the sender's own, ends the handshake. */
  #isProven({ type, body }: HandshakeMessage): boolean {
    if (type === CERTIFICATE) {
      const der = certificateOf(body);
      this.#peerKey = der === undefined ? undefined : publicKeyOf(der);
      if (der === undefined || this.#peerKey === undefined) return this.#fail('dtls-certificate');
      return matchesFingerprint(der, this.#options.fingerprints) || this.#fail('dtls-fingerprint');
    }
    if (this.#peerKey === undefined) return true;
    const { cipher } = this.#socket;
    if (type === CERTIFICATE_VERIFY) {
      return provesPossession(body, this.#peerKey, this.#transcript()) || this.#fail('dtls-possession');
    }
    if (type === SERVER_KEY_EXCHANGE) {
      const [client, server] = [cipher.localRandom.serialize(), cipher.remoteRandom.serialize()];
      return provesKeyExchange(body, this.#peerKey, client, server) || this.#fail('dtls-possession');
    }
    return true;
  }

  /** The Finished message, the first under the new keys. Proves that both sides have seen the same handshake. */
  #handleFinished(record: DtlsRecord): void {
    const { cipher } = this.#socket;
    const isReady = isBeforeFinished(this.#peer, this.#delivered) && cipher.cipher !== undefined;
    this.#early = isReady ? undefined : record;
    if (!isReady) return;
    const [finished] = decodeHandshake(decryptRecord(this.#socket, record));
    const isGood =
      finished?.type === FINISHED &&
      provesTranscript(finished.body, this.#peer, cipher.masterSecret, this.#transcript());
    if (!isGood) throw new DecodeError('dtls-finished');
    this.#inbox.next = finished.messageSequence + 1;
    this.#delivered.push(FINISHED);
    this.#pass(record.bytes);
  }

  #transcript(): Buffer {
    return Buffer.concat(this.#socket.dtls.sortedHandshakeCache.map(message => message.serialize()));
  }

  #give(message: HandshakeMessage): void {
    this.#pass(encodeHandshake(message.type, message.messageSequence, message.body));
  }

  #pass(datagram: Buffer): void {
    this.#socket.transport.socket.onData(datagram, ['', 0]);
  }

  #handleConnected(): void {
    if (this.#state !== 'connecting' || this.#delivered.at(-1) !== FINISHED) return;
    const finished = this.#socket.dtls.lastMessage.at(-1);
    if (finished === undefined) return void this.#fail('dtls-handshake');
    if (this.#options.srtpProfiles.length > 0 && this.srtpProfile === undefined) return void this.#fail('dtls-no-srtp');
    this.#session = new DtlsSession(this.#socket, finished);
    this.#state = 'connected';
    this.#options.sink.onConnected();
  }

  /** Always false, so that a check can end with it. */
  #fail(reason: string): false {
    if (this.#state === 'connected' || this.#state === 'over') return false;
    this.#end();
    this.#options.sink.onFailed(reason);
    return false;
  }

  #end(): void {
    this.#state = 'over';
    this.#socket.dtls.flight = FLIGHT_OVER;
  }

  #drop(reason: string): void {
    this.#options.sink.onDrop?.(reason);
  }
}

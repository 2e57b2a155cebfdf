/**
 * One DTLS 1.2 association over somebody else's socket: records in and out, messages put in order (`dtls-inbox.ts`), the side's machine
 * (`dtls-server.ts`, `dtls-client.ts`), flights repeated, then the session (`dtls-session.ts`). Serves clients (DTLS-SRTP, RFC 5764) and links
 * between bridges.
 */
import { DecodeError } from '../../protocol/errors.ts';
import type { SrtpProfile } from '../../protocol/srtp/profiles.ts';
import { DtlsClientSide } from './dtls-client.ts';
import type { HandshakeSettings, HandshakeSide, HandshakeStep, Secrets } from './dtls-handshake.ts';
import { HandshakeInbox, type HandshakeMessage } from './dtls-inbox.ts';
import { exportMaterial } from './dtls-keys.ts';
import { FINISHED } from './dtls-messages.ts';
import { SEALED_EPOCH } from './dtls-record-cipher.ts';
import {
  ALERT,
  APPLICATION_DATA,
  CHANGE_CIPHER_SPEC,
  type DtlsRecord,
  decodeHandshake,
  decodeRecords,
  HANDSHAKE,
} from './dtls-records.ts';
import { DtlsServerSide } from './dtls-server.ts';
import { DtlsSession } from './dtls-session.ts';
import { DtlsWriter } from './dtls-writer.ts';

/** Every call comes from inside `start` or `handleDatagram`, or from the timer that repeats flights. */
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

export interface DtlsOptions extends HandshakeSettings {
  readonly role: 'client' | 'server';
  readonly sink: DtlsSink;
  /** The peer is known to receive at its address (ICE has checked it): a server then asks for no cookie, which saves a round trip. Default false. */
  readonly isAddressValidated?: boolean;
  /** False: the caller repeats flights by {@link DtlsEndpoint.repeat}. Default true. */
  readonly repeatsFlights?: boolean;
}

/** Datagrams of an unfinished handshake that are looked at: a handshake with every flight repeated ten times has half as many. */
const HANDSHAKE_DATAGRAMS_MAX = 256;
/** The first wait before a flight is repeated, doubled up to the longest. RFC 6347 section 4.2.4.1 begins with a second, for paths of 1999. */
const REPEAT_MS_MIN = 300;
const REPEAT_MS_MAX = 3000;
/** After these, half a minute, the handshake has failed. */
const REPEATS_MAX = 10;

const ALERT_WARNING = 1;
const CLOSE_NOTIFY = 0;

/** What nobody needs any more when both sides are proven. */
interface Handshake {
  readonly inbox: HandshakeInbox;
  readonly side: HandshakeSide;
  /** An encrypted Finished that came before the messages it follows. */
  early: DtlsRecord | undefined;
}

export class DtlsEndpoint {
  readonly #options: DtlsOptions;
  readonly #writer = new DtlsWriter();
  /** Until it is done, or the association has ended. */
  #handshake: Handshake | undefined;
  /** From then on. */
  #secrets: Secrets | undefined;
  #srtpProfile: SrtpProfile | undefined;
  #state: 'new' | 'connecting' | 'connected' | 'over' = 'new';
  #session: DtlsSession | undefined;
  #datagrams = 0;
  #flights = 0;
  /** The peer's message that our newest flight answers: if that comes again, the flight was lost. */
  #answered = -1;
  #repeats = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: DtlsOptions) {
    this.#options = options;
    const side =
      options.role === 'server'
        ? new DtlsServerSide(options, this.#writer, options.isAddressValidated !== true)
        : new DtlsClientSide(options, this.#writer);
    this.#handshake = { inbox: new HandshakeInbox(), side, early: undefined };
  }

  get isConnected(): boolean {
    return this.#state === 'connected';
  }

  /** The agreed SRTP profile. Only when connected. */
  get srtpProfile(): SrtpProfile | undefined {
    return this.#srtpProfile;
  }

  /** How many flights have been sent, repetitions not counted. */
  get flights(): number {
    return this.#flights;
  }

  /** Begins: a client says hello, a server waits. */
  start(): void {
    if (this.#state !== 'new' || this.#handshake === undefined) return;
    this.#state = 'connecting';
    this.#take(this.#handshake, this.#handshake.side.start());
  }

  /** Handles one datagram, of which it takes ownership. Never throws. */
  handleDatagram(datagram: Buffer): void {
    if (this.#state === 'new' || this.#state === 'over') return;
    if (this.#session === undefined && ++this.#datagrams > HANDSHAKE_DATAGRAMS_MAX) {
      this.#drop('dtls-flood');
      return;
    }
    this.#believe(() => {
      // Each for itself: a repeated flight has messages that are of no use any more before one that is.
      for (const record of decodeRecords(datagram)) this.#believe(() => this.#handleRecord(record));
    });
  }

  /** Sends the newest flight again, in new records. */
  repeat(): void {
    if (this.#state === 'over') return;
    for (const datagram of this.#writer.datagrams()) this.#options.sink.send(datagram);
  }

  /** Sends one application datagram, at most 1200 bytes or so; false before the handshake is done and after the end. */
  send(data: Buffer): boolean {
    if (this.#state !== 'connected') return false;
    this.#options.sink.send(this.#writer.seal(APPLICATION_DATA, data));
    return true;
  }

  /** Keying material of both sides (RFC 5764 section 4.2), `keyBytes` and `saltBytes` each. Only when connected. */
  srtpKeys(keyBytes: number, saltBytes: number): Record<'localKey' | 'localSalt' | 'remoteKey' | 'remoteSalt', Buffer> {
    const material = this.exportKeyingMaterial('EXTRACTOR-dtls_srtp', 2 * (keyBytes + saltBytes));
    const salts = 2 * keyBytes;
    const client = { key: material.subarray(0, keyBytes), salt: material.subarray(salts, salts + saltBytes) };
    const server = { key: material.subarray(keyBytes, salts), salt: material.subarray(salts + saltBytes) };
    const [local, remote] = this.#options.role === 'client' ? [client, server] : [server, client];
    return { localKey: local.key, localSalt: local.salt, remoteKey: remote.key, remoteSalt: remote.salt };
  }

  /** `length` bytes of keying material for `label`, without context (RFC 5705). Only when connected. */
  exportKeyingMaterial(label: string, length: number): Buffer {
    if (this.#secrets === undefined) throw new Error('DTLS keys were asked for before there were any');
    const { master, randoms } = this.#secrets;
    return exportMaterial(master, randoms, label, length);
  }

  /** Ends the association, with a close_notify when there is one. Nothing is called afterwards. */
  close(): void {
    if (this.#state === 'connected') {
      this.#options.sink.send(this.#writer.seal(ALERT, Buffer.of(ALERT_WARNING, CLOSE_NOTIFY)));
    }
    this.#end();
  }

  /** Runs `read`; what it does not believe is dropped and counted. */
  #believe(read: () => void): void {
    try {
      read();
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#drop(error.reason);
    }
  }

  #handleRecord(record: DtlsRecord): void {
    if (this.#state === 'over') return;
    const handshake = this.#handshake;
    if (this.#session !== undefined) this.#handleSessionRecord(this.#session, record);
    else if (handshake === undefined || record.type !== HANDSHAKE) return;
    else if (record.epoch === 0) this.#handleFlight(handshake, record);
    else if (record.epoch === SEALED_EPOCH) this.#handleFinished(handshake, record);
    // Alerts in plain text are anybody's; ChangeCipherSpec says nothing that the epoch does not.
  }

  #handleSessionRecord(session: DtlsSession, record: DtlsRecord): void {
    // A repeated flight begins with them; what it is repeated for is its Finished.
    if (record.epoch === 0 && (record.type === HANDSHAKE || record.type === CHANGE_CIPHER_SPEC)) return;
    const opened = session.open(record);
    const { sink, role } = this.#options;
    if (opened.kind === 'data') {
      sink.onData(opened.bytes);
    } else if (opened.kind === 'handshake') {
      // Only the server's flight is the last one: a client that answered too would keep both going for ever.
      if (role === 'server') this.repeat();
    } else {
      this.#end();
      if (opened.isFatal) sink.onFailed('dtls-alert');
      else sink.onClosed('dtls-closed');
    }
  }

  #handleFlight(handshake: Handshake, record: DtlsRecord): void {
    const { inbox, side } = handshake;
    for (const fragment of decodeHandshake(record.fragment)) {
      const { messageSequence, offset } = fragment;
      const isRepeated = messageSequence === this.#answered && messageSequence === inbox.next - 1;
      if (isRepeated && offset === 0) this.repeat();
      inbox.add(fragment);
    }
    for (let message = inbox.peek(); message !== undefined; message = inbox.peek()) {
      if (message.type === FINISHED || !side.expected.includes(message.type)) {
        inbox.reject();
        throw new DecodeError('dtls-unexpected');
      }
      this.#take(handshake, deliver(handshake, message));
      if (this.#state === 'over') return;
    }
    if (handshake.early !== undefined) this.#handleFinished(handshake, handshake.early);
  }

  /** The Finished message, the first under the new keys. Proves that both sides have seen the same handshake. */
  #handleFinished(handshake: Handshake, record: DtlsRecord): void {
    const { cipher } = this.#writer;
    const isReady = cipher !== undefined && handshake.side.expected.includes(FINISHED);
    handshake.early = isReady ? undefined : record;
    if (!isReady) return;
    const [finished] = decodeHandshake(cipher.open(record));
    if (finished?.type !== FINISHED) throw new DecodeError('dtls-unexpected');
    this.#take(handshake, handshake.side.handle(finished));
  }

  #take(handshake: Handshake, step: HandshakeStep): void {
    if (step.kind === 'fail') this.#fail(step.reason);
    else if (step.kind === 'answer') this.#sendFlight(handshake.inbox);
    else if (step.kind === 'done') this.#finish(handshake.side);
  }

  #sendFlight(inbox: HandshakeInbox): void {
    this.#answered = inbox.next - 1;
    this.#flights++;
    this.#repeats = 0;
    this.#await(REPEAT_MS_MIN);
    this.repeat();
  }

  #await(waitMs: number): void {
    clearTimeout(this.#timer);
    if (this.#options.repeatsFlights !== false) this.#timer = setTimeout(() => this.#handleSilence(waitMs), waitMs);
  }

  #handleSilence(waitedMs: number): void {
    if (++this.#repeats > REPEATS_MAX) return this.#fail('dtls-silence');
    this.#await(Math.min(REPEAT_MS_MAX, waitedMs * 2));
    this.repeat();
  }

  #finish({ secrets, srtpProfile }: HandshakeSide): void {
    const { cipher } = this.#writer;
    if (cipher === undefined || secrets === undefined) return this.#fail('dtls-handshake');
    this.#forgetHandshake();
    this.#secrets = secrets;
    this.#srtpProfile = srtpProfile;
    this.#session = new DtlsSession(cipher);
    this.#state = 'connected';
    if (this.#options.role === 'server') {
      this.#flights++;
      this.repeat();
    }
    this.#options.sink.onConnected();
  }

  #fail(reason: string): void {
    if (this.#state === 'connected' || this.#state === 'over') return;
    this.#end();
    this.#options.sink.onFailed(reason);
  }

  #drop(reason: string): void {
    this.#options.sink.onDrop?.(reason);
  }

  #end(): void {
    const secrets = this.#secrets ?? this.#handshake?.side.secrets;
    this.#state = 'over';
    this.#forgetHandshake();
    this.#secrets = undefined;
    secrets?.master.fill(0);
    this.#writer.cipher?.wipe();
  }

  /** Keys that are agreed upon, certificates, messages: a client stays for hours after them. */
  #forgetHandshake(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#handshake = undefined;
  }
}

/** A malformed message leaves its place to another one. */
function deliver({ inbox, side }: Handshake, message: HandshakeMessage): HandshakeStep {
  try {
    const step = side.handle(message);
    inbox.advance();
    return step;
  } catch (error) {
    inbox.reject();
    throw error;
  }
}

import type { Endpoint } from '../../bridge/endpoint.ts';
import type { EndpointTransport, EndpointTransportSink } from '../../bridge/io/endpoint-transport.ts';
import { DecodeError } from '../../protocol/errors.ts';
import type { SlotPort } from './slot-port.ts';

/** A client's end of its transport. Calls come in the middle of the bridge's work: nothing may be sent back in them. */
export interface LegUser {
  handleRtp(bytes: Buffer, offset: number, length: number): void;
  handleRtcp(bytes: Buffer, offset: number, length: number): void;
  handleMessage(kind: 'reliable' | 'lossy', bytes: Uint8Array): void;
}

/** What the bridge has in place of an `EndpointTransport`: no ICE, no DTLS, no loss. The cascade is what is under test, not the client's hop. */
export class ClientLeg {
  readonly local = { ufrag: 'ufrag', password: 'password-of-22-letters', setup: 'passive' as const };
  readonly heardMs = 0;
  readonly owner: Endpoint;
  isConnected = false;
  isClosed = false;
  isDataHeld = false;
  /** The client reads at once whatever it is sent. */
  readonly dataBacklogBytes = 0;
  readonly dataDrainedBytes = 0;
  readonly #unread: Uint8Array[] = [];
  readonly #port: SlotPort<Endpoint>;
  readonly #sink: EndpointTransportSink;
  readonly user: LegUser;

  constructor(owner: Endpoint, port: SlotPort<Endpoint>, sink: EndpointTransportSink, user: LegUser) {
    this.owner = owner;
    this.#port = port;
    this.#sink = sink;
    this.user = user;
  }

  /** As the bridge's options want it. */
  get asTransport(): EndpointTransport<Endpoint> {
    return this as unknown as EndpointTransport<Endpoint>;
  }

  /** The handshakes are over. */
  connect(): void {
    if (this.isClosed || this.isConnected) return;
    this.isConnected = true;
    this.#sink.onConnected();
  }

  /** A whole message of the client has come; a reliable one waits while the bridge reads none. */
  deliver(kind: 'reliable' | 'lossy', bytes: Uint8Array): void {
    if (this.isClosed) return;
    if (kind === 'reliable' && this.isDataHeld) this.#unread.push(bytes);
    else this.#sink.onData(kind, bytes);
  }

  holdData(): void {
    this.isDataHeld = true;
  }

  resumeData(): void {
    this.isDataHeld = false;
    for (;;) {
      const next = this.isDataHeld ? undefined : this.#unread.shift();
      if (next === undefined) return;
      this.#sink.onData('reliable', next);
    }
  }

  takeUnreadData(): readonly Uint8Array[] {
    return this.#unread.splice(0);
  }

  setRemote(): void {}

  handleTimeout(): void {}

  unprotectRtp(_nowMs: number, _bytes: Buffer, _offset: number, length: number): number {
    return length;
  }

  unprotectRtcp(_nowMs: number, _bytes: Buffer, _offset: number, length: number): number {
    return length;
  }

  sendRtp(slot: number, length: number): void {
    this.#read(() => this.user.handleRtp(this.#port.outgoing, slot, length));
    this.#port.cancel(slot);
  }

  resendRtp(slot: number, length: number): void {
    this.sendRtp(slot, length);
  }

  sendRtcp(slot: number, length: number): void {
    this.#read(() => this.user.handleRtcp(this.#port.outgoing, slot, length));
    this.#port.cancel(slot);
  }

  sendData(kind: 'reliable' | 'lossy', bytes: Uint8Array): boolean {
    if (!this.isConnected) return false;
    this.user.handleMessage(kind, bytes);
    return true;
  }

  close(): void {
    this.isClosed = true;
    this.isConnected = false;
  }

  /** The bridge takes a DecodeError for a fault of what it has received, never of what it sends. */
  #read(take: () => void): void {
    try {
      take();
    } catch (error) {
      if (error instanceof DecodeError) throw new Error(`the bridge has sent what cannot be read: ${error.reason}`);
      throw error;
    }
  }
}

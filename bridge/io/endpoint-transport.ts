/**
 * One client's transport: ICE, then DTLS, then SRTP and data channels, all over the shared port. Nothing that is not authenticated changes anything:
 * checks by their MESSAGE-INTEGRITY, the handshake by the announced fingerprint, everything after by the keys that came of it.
 */
import type { EndpointSpec } from '../../protocol/control/spec.ts';
import { SRTP_NO_KEYS, srtpReason } from '../../protocol/srtp/outcome.ts';
import {
  createSrtpSession,
  MASTER_KEY_BYTES,
  masterSaltBytes,
  SRTP_PROFILES,
  type SrtpKeys,
  type SrtpProfile,
} from '../../protocol/srtp/profiles.ts';
import type { SrtpSession } from '../../protocol/srtp/session.ts';
import { SLOT_BYTES } from '../arena.ts';
import { CONSENT_MS, type IceAgent } from '../ice/ice-agent.ts';
import type { IceRegistry } from '../ice/ice-registry.ts';
import type { Path } from '../ice/validated-paths.ts';
import type { Certificate, Fingerprint } from './certificate.ts';
import { DataChannels, type DataKind, type OpenChannels } from './data-channels.ts';
import type { DatagramPort, Peer } from './datagram-port.ts';
import { DtlsEndpoint } from './dtls-endpoint.ts';
import type { DtlsQueue } from './dtls-queue.ts';

/** What happens to a transport. At most one of `onFailed` and `onClosed` is called, last, and not after `close`. Reasons are stable words. */
export interface EndpointTransportSink {
  /** ICE and DTLS are up, the client is proven to be the one that was announced: media can flow. */
  onConnected(): void;
  /** Never came up: `ice-timeout`, `dtls-timeout`, `dtls-fingerprint`, `dtls-possession`, ... */
  onFailed(reason: string): void;
  /** Was up and is gone: `consent-lost`, `dtls-closed`, `data-backlog`, ... */
  onClosed(reason: string): void;
  /** One whole message of the client; `bytes` belong to the receiver of the call. */
  onData(kind: DataKind, bytes: Uint8Array): void;
  /** The client has opened the channel of this kind. */
  onDataOpen?(kind: DataKind): void;
}

export interface EndpointTransportOptions<Owner> {
  /** Whose peer addresses become in `port`. */
  readonly owner: Owner;
  readonly port: DatagramPort<Owner>;
  readonly ice: IceRegistry<EndpointTransport<Owner>>;
  readonly certificate: Certificate;
  readonly sink: EndpointTransportSink;
  readonly nowMs: number;
  /** Where DTLS datagrams wait for a turn in which no media does. Without one they are handled in the receive call. */
  readonly dtlsQueue?: DtlsQueue;
  /** Silence after which the client is gone, and the wait for its first check. Default 30 s. */
  readonly timeoutMs?: number;
  /** What protects media packets. Default: node:crypto. */
  readonly createSrtpSession?: (profile: SrtpProfile, keys: SrtpKeys) => SrtpSession;
  /** Told of everything that is thrown away; a stable word, fit for a metric label. */
  readonly onDrop?: (reason: string) => void;
}

/** From the first valid check to the end of the handshake. */
export const DTLS_TIMEOUT_MS = 15_000;

export class EndpointTransport<Owner> {
  readonly #options: EndpointTransportOptions<Owner>;
  readonly #port: DatagramPort<Owner>;
  readonly #agent: IceAgent<EndpointTransport<Owner>>;
  readonly #timeoutMs: number;
  readonly #data: DataChannels;
  readonly #peers: Peer<Owner>[] = [];
  /** Where to send: the peer of the agent's selected path. */
  #peer: Peer<Owner> | undefined;
  #dtls: DtlsEndpoint | undefined;
  #fingerprints = '';
  #srtp: SrtpSession | undefined;
  /** When the client's ICE parameters were first known, -1 before. */
  #awaitedMs = -1;
  #validatedMs = -1;
  #setup: 'active' | 'passive' = 'passive';
  #isOver = false;
  #endedBecause: string | undefined;

  constructor(options: EndpointTransportOptions<Owner>) {
    this.#options = options;
    this.#port = options.port;
    this.#timeoutMs = options.timeoutMs ?? CONSENT_MS;
    this.#agent = options.ice.open(this);
    this.#data = new DataChannels({
      send: packet => this.#dtls?.send(packet),
      onOpen: kind => options.sink.onDataOpen?.(kind),
      onMessage: (kind, bytes) => options.sink.onData(kind, bytes),
      onClosed: reason => this.#finish(reason),
      onDrop: reason => this.#drop(reason),
    });
  }

  get owner(): Owner {
    return this.#options.owner;
  }

  /** Our side, as the client is to be told: credentials of the newest generation, and our part in DTLS. */
  get local(): { readonly ufrag: string; readonly password: string; readonly setup: 'active' | 'passive' } {
    const { ufrag, password } = this.#agent.local;
    return { ufrag, password, setup: this.#setup };
  }

  get isConnected(): boolean {
    return this.#srtp !== undefined && !this.#isOver;
  }

  /** Why it is over; undefined while it is not. */
  get endedBecause(): string | undefined {
    return this.#endedBecause;
  }

  /** When the client was last heard for certain, in ms; -1 before its first valid check. */
  get heardMs(): number {
    return this.#agent.lastHeardMs;
  }

  /**
   * The client's side. Idempotent. A higher `generation` is an ICE restart: `local` is new then, and the old credentials work until the new ones are
   * used. Other fingerprints than before are another client: the transport fails with `dtls-changed`.
   */
  setRemote(nowMs: number, ice: EndpointSpec['ice'], dtls: EndpointSpec['dtls'], generation: number): void {
    if (this.#isOver) return;
    const agent = this.#agent;
    if (this.#awaitedMs < 0) agent.generations[0].generation = generation;
    else if (generation > agent.generation) this.#options.ice.restart(agent, generation);
    if (ice !== null && generation === agent.generation) {
      agent.generations[0].remoteUfrag = ice.ufrag;
      if (this.#awaitedMs < 0) this.#awaitedMs = nowMs;
    }
    if (dtls !== null) this.#setRemoteDtls(dtls.setup, dtls.fingerprints);
  }

  /** Data channels are ours to open, when the client is there. Call it before it is. */
  openData(): void {
    this.#data.openOwn(() => (this.#setup === 'active' ? 0 : 1));
  }

  /** The client comes from another bridge with these channels open: we begin its association anew as soon as DTLS is up. Idempotent. */
  resumeChannels(channels: OpenChannels, isReceived: (bytes: Uint8Array) => boolean): void {
    this.#data.resumeChannels(channels, isReceived);
  }

  /** A valid check came from `peer` (`stun-responder.ts`). `dropped` is a path that had to make room for it. */
  handleCheck(nowMs: number, peer: Peer<Owner>, dropped: Path | undefined): void {
    if (this.#isOver) return;
    if (dropped !== undefined) this.#release(dropped);
    const known = peer.owner === this.owner ? peer : this.#port.adopt(peer.address, peer.port, this.owner);
    if (!this.#peers.includes(known)) this.#peers.push(known);
    const selected = this.#agent.paths.selected;
    if (selected?.port === known.port && selected.address === known.address) this.#peer = known;
    if (this.#validatedMs < 0) this.#validatedMs = nowMs;
    this.#dtls?.start();
  }

  /** A DTLS datagram from one of this client's validated addresses. */
  handleDtls(_nowMs: number, bytes: Uint8Array, offset: number, length: number, peer: Peer<Owner>): void {
    if (this.#isOver || peer.owner !== this.owner) return this.#drop('dtls-stranger');
    // The client repeats its flight; until its fingerprint is known there is nothing to believe.
    if (this.#dtls === undefined) return this.#drop('dtls-early');
    // It is kept for longer than the arena's slot is ours.
    const datagram = Buffer.from(bytes.subarray(offset, offset + length));
    const { dtlsQueue } = this.#options;
    if (dtlsQueue === undefined) this.#dtls.handleDatagram(datagram);
    else if (!dtlsQueue.add(this.#dtls, datagram)) this.#drop('dtls-queue-full');
  }

  /** Decrypts in place and returns the plain length, or a negative code (`protocol/srtp/outcome.ts`). */
  unprotectRtp(nowMs: number, bytes: Uint8Array, offset: number, length: number): number {
    if (this.#srtp === undefined) return SRTP_NO_KEYS;
    const plainLength = this.#srtp.unprotectRtp(bytes, offset, length);
    if (plainLength >= 0) this.#agent.refresh(nowMs);
    return plainLength;
  }

  unprotectRtcp(nowMs: number, bytes: Uint8Array, offset: number, length: number): number {
    if (this.#srtp === undefined) return SRTP_NO_KEYS;
    const plainLength = this.#srtp.unprotectRtcp(bytes, offset, length);
    if (plainLength >= 0) this.#agent.refresh(nowMs);
    return plainLength;
  }

  /** Sends the packet in a reserved slot of the port; the slot is given up either way. Before the keys are there it goes nowhere. */
  sendRtp(slotOffset: number, length: number): void {
    const protectedLength = this.#srtp?.protectRtp(this.#port.outgoing, slotOffset, length) ?? SRTP_NO_KEYS;
    this.#commit(slotOffset, protectedLength);
  }

  /** The same for a retransmission: RTX, or a packet sent before with the very same bytes. */
  resendRtp(slotOffset: number, length: number): void {
    const protectedLength = this.#srtp?.protectRtpAgain(this.#port.outgoing, slotOffset, length) ?? SRTP_NO_KEYS;
    this.#commit(slotOffset, protectedLength);
  }

  sendRtcp(slotOffset: number, length: number): void {
    const protectedLength = this.#srtp?.protectRtcp(this.#port.outgoing, slotOffset, length) ?? SRTP_NO_KEYS;
    this.#commit(slotOffset, protectedLength);
  }

  /** Sends a message; `bytes` are copied. Reliable ones wait for their channel. False when it was not taken (`DataChannels.send`). */
  sendData(kind: DataKind, bytes: Uint8Array): boolean {
    return !this.#isOver && this.#data.send(kind, bytes);
  }

  /** Roughly how many bytes of reliable messages wait for the client, and how many have ever left for it (`DataChannels`). */
  get dataBacklogBytes(): number {
    return this.#data.backlogBytes;
  }

  get dataDrainedBytes(): number {
    return this.#data.drainedBytes;
  }

  /** Leaves the client's reliable messages unread from the next one on, so that its own buffer fills. */
  holdData(): void {
    this.#data.hold();
  }

  /** Reads on; the sink hears what was left unread, until `holdData` is called again. */
  resumeData(): void {
    this.#data.resume();
  }

  /** What was left unread, once; after the end as well. */
  takeUnreadData(): readonly Uint8Array[] {
    return this.#data.takeUnread();
  }

  /** Ends what has waited too long. Called every 10 ms or so. */
  handleTimeout(nowMs: number): void {
    if (this.#isOver) return;
    if (this.#validatedMs < 0) {
      if (this.#awaitedMs >= 0 && nowMs - this.#awaitedMs > this.#timeoutMs) this.#finish('ice-timeout');
    } else if (this.#srtp === undefined && nowMs - this.#validatedMs > DTLS_TIMEOUT_MS) this.#finish('dtls-timeout');
    else if (this.#agent.hasLostConsent(nowMs, this.#timeoutMs)) this.#finish('consent-lost');
  }

  /** Says goodbye to the client and forgets it. The sink hears nothing more. `reason` is kept for whoever asks. */
  close(reason = 'closed'): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#endedBecause = reason;
    this.#data.close();
    if (this.#dtls !== undefined) {
      this.#options.dtlsQueue?.remove(this.#dtls);
      this.#dtls.close();
    }
    this.#srtp?.close();
    this.#srtp = undefined;
    this.#options.ice.close(this.#agent);
    for (const peer of this.#peers) this.#releasePeer(peer);
    this.#peers.length = 0;
  }

  #setRemoteDtls(setup: 'active' | 'passive' | 'actpass', fingerprints: readonly Fingerprint[]): void {
    const announced = JSON.stringify(fingerprints);
    if (this.#dtls !== undefined) {
      if (announced !== this.#fingerprints) this.#finish('dtls-changed');
      return;
    }
    this.#fingerprints = announced;
    this.#setup = setup === 'passive' ? 'active' : 'passive';
    this.#dtls = new DtlsEndpoint({
      role: setup === 'passive' ? 'client' : 'server',
      certificate: this.#options.certificate,
      fingerprints,
      srtpProfiles: SRTP_PROFILES,
      // Only datagrams from addresses that ICE has checked come here.
      isAddressValidated: true,
      sink: {
        send: datagram => this.#send(datagram),
        onConnected: () => this.#handleKeys(),
        onData: bytes => this.#data.handlePacket(bytes),
        onFailed: reason => this.#finish(reason),
        onClosed: reason => this.#finish(reason),
        onDrop: reason => this.#drop(reason),
      },
    });
    if (this.#validatedMs >= 0) this.#dtls.start();
  }

  #handleKeys(): void {
    if (this.#isOver) return;
    const profile = this.#dtls?.srtpProfile;
    if (this.#dtls === undefined || profile === undefined) return this.#finish('dtls-no-srtp');
    const keys = this.#dtls.srtpKeys(MASTER_KEY_BYTES, masterSaltBytes(profile));
    this.#srtp = (this.#options.createSrtpSession ?? createSrtpSession)(profile, keys);
    this.#data.handleTransportUp();
    this.#options.sink.onConnected();
  }

  #send(datagram: Buffer): void {
    if (this.#peer === undefined || datagram.length > SLOT_BYTES) return this.#drop('dtls-unsent');
    const slot = this.#port.reserve();
    if (slot < 0) return this.#drop('dtls-unsent');
    datagram.copy(this.#port.outgoing, slot);
    this.#port.commit(slot, datagram.length, this.#peer);
  }

  #commit(slotOffset: number, length: number): void {
    if (length < 0 || this.#peer === undefined || this.#isOver) {
      this.#port.cancel(slotOffset);
      this.#drop(srtpReason(length < 0 ? length : SRTP_NO_KEYS));
      return;
    }
    this.#port.commit(slotOffset, length, this.#peer);
  }

  /** The end that we come to by ourselves: failed before the keys, closed after. */
  #finish(reason: string): void {
    if (this.#isOver) return;
    const wasConnected = this.isConnected;
    this.close(reason);
    if (wasConnected) this.#options.sink.onClosed(reason);
    else this.#options.sink.onFailed(reason);
  }

  #release(path: Path): void {
    const index = this.#peers.findIndex(peer => peer.port === path.port && peer.address === path.address);
    if (index >= 0) this.#releasePeer(this.#peers.splice(index, 1)[0]);
  }

  #releasePeer(peer: Peer<Owner>): void {
    // An address that another endpoint has been validated from since is that one's.
    if (peer.owner === this.owner) this.#port.release(peer);
  }

  #drop(reason: string): void {
    this.#options.onDrop?.(reason);
  }
}

/** A whole bridge without network, clock or cryptography: transports keep what is sent, relays of several boxes hand frames to each other. */
import type { BridgeEvent } from '../../protocol/control/events.ts';
import type { ConferenceSpec, EndpointSpec } from '../../protocol/control/spec.ts';
import { type BridgeId, type ConferenceId, type EndpointId, formatId, type SourceId } from '../../protocol/ids.ts';
import type { Want } from '../../protocol/octo/wants.ts';
import { EXT_AUDIO_LEVEL, EXT_MID, EXT_REPAIRED_RID, EXT_RID, EXT_TRANSPORT_CC } from '../../protocol/rtp/table.ts';
import { Bridge } from '../bridge.ts';
import { BridgeCounters } from '../counters.ts';
import { Egress } from '../egress.ts';
import type { Endpoint } from '../endpoint.ts';
import { Ingress } from '../ingress.ts';
import type { EndpointTransport, EndpointTransportSink } from '../io/endpoint-transport.ts';
import type { Link } from '../relay/link.ts';
import type { MediaClass } from '../relay/media-class.ts';
import type { LinkObstacle, Relay } from '../relay/relay.ts';
import { RelayIntake } from '../relay-intake.ts';
import { RtcpEgress } from '../rtcp-egress.ts';
import { RtcpIngress } from '../rtcp-ingress.ts';
import { MemoryPort } from './memory-port.ts';

export const CONFERENCE = 7 as ConferenceId;

const FINGERPRINT = { algorithm: 'sha-256', value: 'AA:BB' };

/** What a client would have received, in order. */
export class FakeTransport {
  readonly local = { ufrag: 'ufrag', password: 'password-of-22-letters', setup: 'passive' as const };
  readonly rtp: Buffer[] = [];
  readonly rtcp: Buffer[] = [];
  readonly data: { readonly kind: 'reliable' | 'lossy'; readonly bytes: Uint8Array }[] = [];
  readonly heardMs = 0;
  /** What the client has not read yet, and what it has; for a test to say. */
  dataBacklogBytes = 0;
  dataDrainedBytes = 0;
  readonly unreadData: Uint8Array[] = [];
  isDataHeld = false;
  isClosed = false;
  readonly sink: EndpointTransportSink;
  readonly #port: MemoryPort<Endpoint>;

  constructor(port: MemoryPort<Endpoint>, sink: EndpointTransportSink) {
    this.#port = port;
    this.sink = sink;
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
    this.rtp.push(Buffer.from(this.#port.outgoing.subarray(slot, slot + length)));
    this.#port.cancel(slot);
  }

  resendRtp(slot: number, length: number): void {
    this.sendRtp(slot, length);
  }

  sendRtcp(slot: number, length: number): void {
    this.rtcp.push(Buffer.from(this.#port.outgoing.subarray(slot, slot + length)));
    this.#port.cancel(slot);
  }

  sendData(kind: 'reliable' | 'lossy', bytes: Uint8Array): boolean {
    this.data.push({ kind, bytes });
    return true;
  }

  /** A message of the client; a reliable one waits while data is held. */
  receiveData(kind: 'reliable' | 'lossy', bytes: Uint8Array): void {
    if (kind === 'reliable' && this.isDataHeld) this.unreadData.push(bytes);
    else this.sink.onData(kind, bytes);
  }

  holdData(): void {
    this.isDataHeld = true;
  }

  resumeData(): void {
    this.isDataHeld = false;
    while (!this.isDataHeld && this.unreadData.length > 0)
      this.sink.onData('reliable', this.unreadData.splice(0, 1)[0]);
  }

  takeUnreadData(): readonly Uint8Array[] {
    return this.unreadData.splice(0);
  }

  close(): void {
    this.isClosed = true;
  }
}

/** Links without a wire: each call is an immediate call of the other box's sink. Counts packets by layer. */
class DirectRelay {
  readonly packets: number[] = [0, 0, 0];
  /** What stands in the way of reliable messages to other bridges; for a test to say. */
  obstacle: LinkObstacle | undefined;
  /** Senders of this bridge that others hold. */
  readonly heldByPeers = new Set<EndpointId>();
  readonly #self: BridgeBox;
  readonly #peers: ReadonlyMap<string, BridgeBox>;

  constructor(self: BridgeBox, peers: ReadonlyMap<string, BridgeBox>) {
    this.#self = self;
    this.#peers = peers;
  }

  setPeers(): void {}
  removeConference(): void {}
  handleTimeout(): void {}
  async close(): Promise<void> {}

  linkTo(peer: BridgeId): Link | undefined {
    return this.#peers.get(peer)?.asLink;
  }

  linksOf(): readonly Link[] {
    return [...this.#peers.values()].map(box => box.asLink);
  }

  snapshot() {
    return [];
  }

  setWanted(id: ConferenceId, peer: BridgeId, wants: readonly Want[]): boolean {
    this.#peers.get(peer)?.intake.onWanted(this.#self.id, id, wants);
    return true;
  }

  sendPacket(
    link: Link,
    ...rest: [ConferenceId, EndpointId, SourceId, number, MediaClass, Uint8Array, number, number]
  ): void {
    this.packets[rest[3]]++;
    const [id, endpointId, sourceId, layer, _class, bytes, offset, length] = rest;
    const copy = Buffer.from(bytes.subarray(offset, offset + length));
    const peer = this.#peers.get(link.peerId);
    peer?.intake.onRelayedPacket(this.#self.id, id, endpointId, sourceId, layer, copy, 0, length);
    peer?.ingress.endBurst();
  }

  sendMessage(peer: BridgeId, id: ConferenceId, sender: EndpointId, isReliable: boolean, bytes: Uint8Array): boolean {
    this.#peers.get(peer)?.intake.onRelayedMessage(this.#self.id, id, sender, isReliable, bytes);
    return true;
  }

  messageObstacle(): LinkObstacle | undefined {
    return this.obstacle;
  }

  isDrained(): boolean {
    return this.obstacle === undefined;
  }

  holdSender(peer: BridgeId, _id: ConferenceId, sender: EndpointId, isHeld: boolean): void {
    const held = this.#peers.get(peer)?.relay.heldByPeers;
    if (isHeld) held?.add(sender);
    else held?.delete(sender);
  }

  requestKeyFrame(peer: BridgeId, id: ConferenceId, endpointId: EndpointId, sourceId: SourceId, layer: number): void {
    this.#peers.get(peer)?.intake.onKeyFrameRequest(this.#self.id, id, endpointId, sourceId, layer);
  }
}

/** One bridge in memory. Boxes that are given the same `peers` map are a mesh. Time is `nowMs`, moved by {@link run}. */
export class BridgeBox {
  nowMs = 1_000;
  readonly id: BridgeId;
  readonly bridge: Bridge;
  readonly ingress: Ingress;
  readonly intake: RelayIntake;
  readonly counters = new BridgeCounters();
  readonly events: BridgeEvent[] = [];
  readonly port = new MemoryPort<Endpoint>();
  readonly relay: DirectRelay;
  /** Stands for the link to this box in the books of the others. */
  readonly asLink: Link;
  readonly #transports = new Map<Endpoint, FakeTransport>();

  constructor(
    id: string,
    peers: Map<string, BridgeBox> = new Map(),
    limits: { endpoints?: number; conferences?: number } = {},
  ) {
    this.id = id as BridgeId;
    this.asLink = { peerId: id } as unknown as Link;
    peers.set(id, this);
    this.relay = new DirectRelay(this, peers);
    const relay = this.relay as unknown as Relay;
    const egress = new Egress(this.port, relay, this.counters);
    let random = 1;
    this.bridge = new Bridge({
      bridgeId: id,
      fingerprint: FINGERPRINT,
      candidates: [{ address: '127.0.0.1', port: 10_000, kind: 'host' }],
      endpointsMax: limits.endpoints ?? 100,
      conferencesMax: limits.conferences ?? 100,
      relay,
      egress,
      rtcp: new RtcpEgress(this.port, 1, this.counters),
      counters: this.counters,
      openTransport: (owner, sink) => {
        const transport = new FakeTransport(this.port, sink);
        this.#transports.set(owner, transport);
        return transport as unknown as EndpointTransport<Endpoint>;
      },
      emit: event => this.events.push(event),
      nowMs: () => this.nowMs,
      randomUint32: () => (random++ * 2_654_435_761) % 0x1_0000_0000,
    });
    this.ingress = new Ingress({
      egress,
      rtcp: new RtcpIngress(egress, this.counters),
      handleStun: () => {},
      conferences: this.bridge.conferences,
      counters: this.counters,
      nowMs: () => this.nowMs,
    });
    this.intake = new RelayIntake({
      counters: this.counters,
      nowMs: () => this.nowMs,
      onLinkState: () => {},
    });
    this.intake.attach(this.bridge, this.ingress);
  }

  /** Lets `durationMs` pass in ticks of 10 ms. */
  run(durationMs: number): void {
    for (let elapsedMs = 0; elapsedMs < durationMs; elapsedMs += 10) {
      this.nowMs += 10;
      this.bridge.handleTimeout(this.nowMs);
    }
  }

  put(id: number, spec: Partial<EndpointSpec> = {}): FakeTransport {
    this.bridge.putEndpoint(this.nowMs, CONFERENCE, id as EndpointId, endpointSpec(spec));
    const transport = this.transport(id);
    transport.sink.onConnected();
    return transport;
  }

  transport(id: number): FakeTransport {
    return this.#transports.get(this.endpoint(id))!;
  }

  endpoint(id: number): Endpoint {
    return this.bridge.conferences.get(CONFERENCE)!.endpoints.get(id as EndpointId)!;
  }

  /** A datagram from the validated address of endpoint `id`. */
  receive(id: number, datagram: Buffer): void {
    const slot = Buffer.alloc(2_048);
    datagram.copy(slot);
    const peer = { address: '127.0.0.1', port: 5_000 + id, family: 'IPv4' as const, owner: this.endpoint(id) };
    this.ingress.handleDatagram(slot, 0, datagram.length, peer);
    this.ingress.endBurst();
  }
}

/** A client with everything: Opus and VP8 with RTX under numbers of its own. */
export function endpointSpec(spec: Partial<EndpointSpec>): EndpointSpec {
  return {
    version: 1,
    identity: 'somebody',
    sid: 'PA_1',
    iceGeneration: 0,
    ice: null,
    dtls: null,
    codecs: [
      { codec: 'opus', payloadType: 109, rtxPayloadType: null },
      { codec: 'vp8', payloadType: 120, rtxPayloadType: 121 },
    ],
    extensions: [
      { id: 4, uri: EXT_MID },
      { id: 10, uri: EXT_RID },
      { id: 11, uri: EXT_REPAIRED_RID },
      { id: 3, uri: EXT_TRANSPORT_CC },
      { id: 1, uri: EXT_AUDIO_LEVEL },
    ],
    sources: [],
    projections: [],
    mayPublishData: true,
    ...spec,
  };
}

export function conferenceSpec(
  version: number,
  bridges: readonly string[],
  endpoints: Record<number, string>,
): ConferenceSpec {
  return {
    version,
    bridges: bridges.map((bridgeId, index) => ({
      bridgeId,
      region: 'eu',
      octo: { address: '127.0.0.1', port: 4_096 + index },
      fingerprint: FINGERPRINT,
    })),
    endpoints: Object.entries(endpoints).map(([id, bridgeId]) => ({
      endpointId: formatId(Number(id) as EndpointId),
      bridgeId,
      identity: `user-${id}`,
    })),
  };
}

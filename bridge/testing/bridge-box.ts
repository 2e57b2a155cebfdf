/** A whole bridge without network, clock or cryptography: transports keep what is sent, relays of several boxes hand frames to each other. */
import type { BridgeEvent } from '../../protocol/control/events.ts';
import type { BridgePeer, ConferenceSpec, EndpointSpec } from '../../protocol/control/spec.ts';
import { type BridgeId, type ConferenceId, type EndpointId, formatId, type SourceId } from '../../protocol/ids.ts';
import { FRAME_OVERHEAD_BYTES } from '../../protocol/octo/header.ts';
import type { Want } from '../../protocol/octo/wants.ts';
import type { Withheld } from '../../protocol/octo/withheld.ts';
import { EXT_AUDIO_LEVEL, EXT_MID, EXT_REPAIRED_RID, EXT_RID, EXT_TRANSPORT_CC } from '../../protocol/rtp/table.ts';
import { Bridge } from '../bridge.ts';
import { BridgeCounters } from '../counters.ts';
import { Egress } from '../egress.ts';
import type { Endpoint } from '../endpoint.ts';
import { Ingress } from '../ingress.ts';
import type { OpenChannels } from '../io/data-channels.ts';
import type { EndpointTransport, EndpointTransportSink } from '../io/endpoint-transport.ts';
import type { Link } from '../relay/link.ts';
import { createLinkCounters } from '../relay/link-counters.ts';
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
  /** The channels are the bridge's to open. */
  opensData = false;
  /** The client came with these. */
  resumed: { readonly channels: OpenChannels; readonly isReceived: (bytes: Uint8Array) => boolean } | undefined;
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

  openData(): void {
    this.opensData = true;
  }

  resumeChannels(channels: OpenChannels, isReceived: (bytes: Uint8Array) => boolean): void {
    this.resumed = { channels, isReceived };
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

/** Links without a wire: each call is a call of the other box's sink, at once or after that box's `linkDelayMs`. Counts packets by layer. */
class DirectRelay {
  readonly packets: number[] = [0, 0, 0];
  keyFrameRequests = 0;
  /** What stands in the way of reliable messages to other bridges; for a test to say. */
  obstacle: LinkObstacle | undefined;
  /** Senders of this bridge that others hold. */
  readonly heldByPeers = new Set<EndpointId>();
  readonly #self: BridgeBox;
  readonly #peers: ReadonlyMap<string, BridgeBox>;
  readonly #links = new Map<string, Link>();
  readonly #meshes = new Map<ConferenceId, ReadonlySet<string>>();

  constructor(self: BridgeBox, peers: ReadonlyMap<string, BridgeBox>) {
    this.#self = self;
    this.#peers = peers;
  }

  setPeers(id: ConferenceId, peers: readonly BridgePeer[]): void {
    const named = new Set(peers.map(({ bridgeId }) => bridgeId));
    const left = [...(this.#meshes.get(id) ?? [])].filter(bridgeId => !named.has(bridgeId));
    this.#meshes.set(id, named);
    for (const bridgeId of left) this.#tell(bridgeId, peer => peer.intake.onWanted(this.#self.id, id, []));
  }

  removeConference(id: ConferenceId): void {
    this.setPeers(id, []);
  }

  handleTimeout(): void {}
  async close(): Promise<void> {}

  linkTo(peer: BridgeId): Link | undefined {
    let link = this.#links.get(peer);
    if (link === undefined && this.#peers.has(peer)) {
      const delayMs = this.#self.linkDelayMs;
      link = standInLink(peer, delayMs === 0 ? null : 2 * delayMs);
      this.#links.set(peer, link);
    }
    return link;
  }

  get links(): Iterable<Link> {
    return this.#links.values();
  }

  linksOf(id: ConferenceId): readonly Link[] {
    const peers = [...(this.#meshes.get(id) ?? [])];
    return peers.map(peer => this.linkTo(peer as BridgeId)).filter(link => link !== undefined);
  }

  snapshot() {
    return [...this.links].map(({ peerId }) => ({ bridgeId: peerId }));
  }

  setWanted(id: ConferenceId, peer: BridgeId, wants: readonly Want[]): boolean {
    this.#tell(peer, to => to.intake.onWanted(this.#self.id, id, wants));
    return true;
  }

  setWithheld(id: ConferenceId, peer: BridgeId, withheld: readonly Withheld[]): boolean {
    this.#tell(peer, to => to.intake.onWithheld(this.#self.id, id, withheld));
    return true;
  }

  sendPacket(
    link: Link,
    ...rest: [ConferenceId, EndpointId, SourceId, number, MediaClass, Uint8Array, number, number]
  ): void {
    this.packets[rest[3]]++;
    const [id, endpointId, sourceId, layer, _class, bytes, offset, length] = rest;
    link.counters.bytesOut += length + FRAME_OVERHEAD_BYTES;
    const copy = Buffer.from(bytes.subarray(offset, offset + length));
    this.#tell(link.peerId, to => {
      to.intake.onRelayedPacket(this.#self.id, id, endpointId, sourceId, layer, copy, 0, length);
      to.ingress.endBurst();
    });
  }

  sendMessage(peer: BridgeId, id: ConferenceId, sender: EndpointId, isReliable: boolean, bytes: Uint8Array): boolean {
    this.#tell(peer, to => to.intake.onRelayedMessage(this.#self.id, id, sender, isReliable, bytes));
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
    this.keyFrameRequests++;
    this.#tell(peer, to => to.intake.onKeyFrameRequest(this.#self.id, id, endpointId, sourceId, layer));
  }

  #tell(peer: string, action: (box: BridgeBox) => void): void {
    this.#peers.get(peer)?.hear(action);
  }
}

/** What a bridge reads and writes of a link. */
function standInLink(peerId: BridgeId, rttMs: number | null): Link {
  const link: Pick<Link, 'peerId' | 'sendBudgetBps' | 'demandBps' | 'layers' | 'counters'> = {
    peerId,
    sendBudgetBps: Number.POSITIVE_INFINITY,
    demandBps: 0,
    layers: { wanted: 0, sent: 0, withheld: 0 },
    counters: createLinkCounters(),
  };
  return { ...link, meter: { rttMs } } as unknown as Link;
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
  /** How long what other boxes send is under way to this one; given to their links as half the round trip. */
  linkDelayMs = 0;
  readonly #underWay: { readonly atMs: number; readonly action: (box: BridgeBox) => void }[] = [];
  readonly #transports = new Map<Endpoint, FakeTransport>();

  constructor(
    id: string,
    peers: Map<string, BridgeBox> = new Map(),
    limits: { endpoints?: number; conferences?: number } = {},
  ) {
    this.id = id as BridgeId;
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

  /** Something comes over a link. */
  hear(action: (box: BridgeBox) => void): void {
    if (this.linkDelayMs === 0) action(this);
    else this.#underWay.push({ atMs: this.nowMs + this.linkDelayMs, action });
  }

  /** Lets `durationMs` pass in ticks of 10 ms. */
  run(durationMs: number): void {
    for (let elapsedMs = 0; elapsedMs < durationMs; elapsedMs += 10) {
      this.nowMs += 10;
      while (this.#underWay.length > 0 && this.#underWay[0].atMs <= this.nowMs) this.#underWay.shift()?.action(this);
      this.bridge.handleTimeout(this.nowMs);
    }
  }

  put(id: number, spec: Partial<EndpointSpec> = {}, conferenceId = CONFERENCE): FakeTransport {
    this.bridge.putEndpoint(this.nowMs, conferenceId, id as EndpointId, endpointSpec({ sid: `PA_${id}`, ...spec }));
    const transport = this.transport(id, conferenceId);
    transport.sink.onConnected();
    return transport;
  }

  transport(id: number, conferenceId = CONFERENCE): FakeTransport {
    return this.#transports.get(this.endpoint(id, conferenceId))!;
  }

  endpoint(id: number, conferenceId = CONFERENCE): Endpoint {
    return this.bridge.conferences.get(conferenceId)!.endpoints.get(id as EndpointId)!;
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

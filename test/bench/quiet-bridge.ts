/** For benchmarks of the bridge's own work: a whole bridge in memory. Its clients are silent listeners for whom nothing is encrypted, kept or sent, or others. */
import { Bridge } from '../../bridge/bridge.ts';
import { BridgeCounters } from '../../bridge/counters.ts';
import { Egress } from '../../bridge/egress.ts';
import type { Endpoint } from '../../bridge/endpoint.ts';
import { Ingress } from '../../bridge/ingress.ts';
import type { DatagramPort, Peer } from '../../bridge/io/datagram-port.ts';
import type { EndpointTransport, EndpointTransportSink } from '../../bridge/io/endpoint-transport.ts';
import type { Relay } from '../../bridge/relay/relay.ts';
import { RtcpEgress } from '../../bridge/rtcp-egress.ts';
import { RtcpIngress } from '../../bridge/rtcp-ingress.ts';
import { CONFERENCE, endpointSpec } from '../../bridge/testing/bridge-box.ts';
import { MemoryPort } from '../../bridge/testing/memory-port.ts';
import { AUDIO, projection, VIDEO } from '../../bridge/testing/vocabulary.ts';
import type { EndpointSpec } from '../../protocol/control/spec.ts';
import type { EndpointId } from '../../protocol/ids.ts';

/** The clients of a bridge: what its transports are, and where their datagrams come from. */
export interface Clients {
  readonly port: DatagramPort<Endpoint>;
  open(owner: Endpoint, sink: EndpointTransportSink, nowMs: number): EndpointTransport<Endpoint>;
  /** Where the datagrams of endpoint `id` come from. */
  peerOf(id: number): Peer<Endpoint>;
  /** The endpoint has been put for the first time. */
  handleOpened(endpoint: Endpoint): void;
  handleStun(nowMs: number, bytes: Buffer, offset: number, length: number, peer: Peer<Endpoint>): void;
}

/** They are connected from the beginning. */
class SilentClients implements Clients {
  readonly port = new MemoryPort<Endpoint>();
  readonly #sinks = new Map<Endpoint, EndpointTransportSink>();
  readonly #peers = new Map<number, Peer<Endpoint>>();

  open(owner: Endpoint, sink: EndpointTransportSink): EndpointTransport<Endpoint> {
    this.#sinks.set(owner, sink);
    return new SilentTransport(this.port) as unknown as EndpointTransport<Endpoint>;
  }

  handleOpened(endpoint: Endpoint): void {
    this.#peers.set(endpoint.id, this.port.adopt('127.0.0.1', 5_000, endpoint));
    this.#sinks.get(endpoint)!.onConnected();
  }

  peerOf(id: number): Peer<Endpoint> {
    return this.#peers.get(id)!;
  }

  handleStun(): void {}
}

/** Gives up what it is told to send. */
class SilentTransport {
  readonly local = { ufrag: 'ufrag', password: 'password-of-22-letters', setup: 'passive' as const };
  heardMs = 0;
  readonly #port: MemoryPort<Endpoint>;

  constructor(port: MemoryPort<Endpoint>) {
    this.#port = port;
  }

  setRemote(): void {}
  handleTimeout(): void {}

  unprotectRtp(nowMs: number, _bytes: Buffer, _offset: number, length: number): number {
    this.heardMs = nowMs;
    return length;
  }

  unprotectRtcp(nowMs: number, bytes: Buffer, offset: number, length: number): number {
    return this.unprotectRtp(nowMs, bytes, offset, length);
  }

  sendRtp(slot: number): void {
    this.#port.cancel(slot);
  }

  resendRtp(slot: number): void {
    this.#port.cancel(slot);
  }

  sendRtcp(slot: number): void {
    this.#port.cancel(slot);
  }

  sendData(): boolean {
    return true;
  }

  close(): void {}
}

export class QuietBridge {
  nowMs = 1_000;
  readonly bridge: Bridge;
  readonly counters = new BridgeCounters();
  readonly #clients: Clients;
  readonly #ingress: Ingress;
  readonly #slot = Buffer.alloc(2_048);

  constructor(clients: Clients = new SilentClients()) {
    this.#clients = clients;
    const relay = { handleTimeout() {}, snapshot: () => [], linksOf: () => [], removeConference() {} };
    const egress = new Egress(clients.port, relay as unknown as Relay, this.counters);
    let random = 1;
    this.bridge = new Bridge({
      bridgeId: 'quiet',
      fingerprint: { algorithm: 'sha-256', value: 'AA:BB' },
      candidates: [],
      endpointsMax: 10_000,
      conferencesMax: 10_000,
      relay: relay as unknown as Relay,
      egress,
      rtcp: new RtcpEgress(clients.port, 1, this.counters),
      counters: this.counters,
      openTransport: (owner, sink) => clients.open(owner, sink, this.nowMs),
      emit: () => {},
      nowMs: () => this.nowMs,
      randomUint32: () => (random++ * 2_654_435_761) % 0x1_0000_0000,
    });
    this.#ingress = new Ingress({
      egress,
      rtcp: new RtcpIngress(egress, this.counters),
      handleStun: (nowMs, bytes, offset, length, peer) => clients.handleStun(nowMs, bytes, offset, length, peer),
      conferences: this.bridge.conferences,
      counters: this.counters,
      nowMs: () => this.nowMs,
    });
  }

  /**
   * An endpoint that may send audio and three layers of video, and watches and hears `origins`. Put again, it watches others. `remote` is the
   * client's side of the transport.
   */
  put(
    id: number,
    version: number,
    publishes: boolean,
    origins: readonly number[],
    temporalMax = 3,
    remote: Partial<Pick<EndpointSpec, 'ice' | 'dtls'>> = {},
  ): void {
    const projections = origins.flatMap((origin, index) =>
      [AUDIO, VIDEO].map(source => {
        const ssrc = 0x10000 + index * 4 + source.sourceId * 2;
        return projection(origin, source, { ssrc, rtxSsrc: source === VIDEO ? ssrc + 1 : null, temporalMax });
      }),
    );
    const spec = endpointSpec({ version, sources: publishes ? [AUDIO, VIDEO] : [], projections, ...remote });
    const isNew = this.bridge.conferences.get(CONFERENCE)?.endpoints.has(id as EndpointId) !== true;
    this.bridge.putEndpoint(this.nowMs, CONFERENCE, id as EndpointId, spec);
    if (isNew) this.#clients.handleOpened(this.endpoint(id));
  }

  /** Lets `ms` pass, and does all that is due then. What was received before has gone out. Returns the microseconds that the bridge took for it. */
  tick(ms: number): number {
    this.#ingress.endBurst();
    this.nowMs += ms;
    const startedMs = performance.now();
    while (this.bridge.handleTimeout(this.nowMs));
    return (performance.now() - startedMs) * 1_000;
  }

  get endpoints(): Iterable<Endpoint> {
    return this.bridge.conferences.get(CONFERENCE)?.endpoints.values() ?? [];
  }

  endpoint(id: number): Endpoint {
    return this.bridge.conferences.get(CONFERENCE)!.endpoints.get(id as EndpointId)!;
  }

  /** A datagram of endpoint `id`; forwarded with those that follow it. */
  receive(id: number, datagram: Buffer): void {
    datagram.copy(this.#slot);
    this.#ingress.handleDatagram(this.#slot, 0, datagram.length, this.#clients.peerOf(id));
  }
}

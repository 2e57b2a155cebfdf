/** For benchmarks of the bridge's own work: a whole bridge in memory whose clients are silent listeners. Nothing is encrypted, kept or sent. */
import { Bridge } from '../../bridge/bridge.ts';
import { BridgeCounters } from '../../bridge/counters.ts';
import { Egress } from '../../bridge/egress.ts';
import type { Endpoint } from '../../bridge/endpoint.ts';
import { Ingress } from '../../bridge/ingress.ts';
import type { Peer } from '../../bridge/io/datagram-port.ts';
import type { EndpointTransport, EndpointTransportSink } from '../../bridge/io/endpoint-transport.ts';
import type { Relay } from '../../bridge/relay/relay.ts';
import { RtcpEgress } from '../../bridge/rtcp-egress.ts';
import { RtcpIngress } from '../../bridge/rtcp-ingress.ts';
import { CONFERENCE, endpointSpec } from '../../bridge/testing/bridge-box.ts';
import { MemoryPort } from '../../bridge/testing/memory-port.ts';
import { AUDIO, projection, VIDEO } from '../../bridge/testing/vocabulary.ts';
import type { EndpointId } from '../../protocol/ids.ts';
import type { SrtpSession } from '../../protocol/srtp/session.ts';

/** Gives up what it is told to send. With a session it encrypts first, so that the session's memory is there. */
class SilentTransport {
  readonly local = { ufrag: 'ufrag', password: 'password-of-22-letters', setup: 'passive' as const };
  heardMs = 0;
  readonly sink: EndpointTransportSink;
  readonly #port: MemoryPort<Endpoint>;
  readonly #srtp: SrtpSession | undefined;

  constructor(port: MemoryPort<Endpoint>, sink: EndpointTransportSink, srtp: SrtpSession | undefined) {
    this.#port = port;
    this.sink = sink;
    this.#srtp = srtp;
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

  sendRtp(slot: number, length: number): void {
    this.#srtp?.protectRtp(this.#port.outgoing, slot, length);
    this.#port.cancel(slot);
  }

  resendRtp(slot: number, length: number): void {
    this.#srtp?.protectRtpAgain(this.#port.outgoing, slot, length);
    this.#port.cancel(slot);
  }

  sendRtcp(slot: number, length: number): void {
    this.#srtp?.protectRtcp(this.#port.outgoing, slot, length);
    this.#port.cancel(slot);
  }

  sendData(): boolean {
    return true;
  }

  close(): void {}
}

export interface QuietBridgeOptions {
  /** The SRTP session of each endpoint; none when left out. */
  readonly createSession?: () => SrtpSession;
}

export class QuietBridge {
  nowMs = 1_000;
  readonly bridge: Bridge;
  readonly counters = new BridgeCounters();
  readonly #ingress: Ingress;
  readonly #transports = new Map<Endpoint, SilentTransport>();
  readonly #peers = new Map<number, Peer<Endpoint>>();
  readonly #slot = Buffer.alloc(2_048);

  constructor(options: QuietBridgeOptions = {}) {
    const port = new MemoryPort<Endpoint>();
    const relay = { handleTimeout() {}, snapshot: () => [], linksOf: () => [], removeConference() {} };
    const egress = new Egress(port, relay as unknown as Relay, this.counters);
    let random = 1;
    this.bridge = new Bridge({
      bridgeId: 'quiet',
      fingerprint: { algorithm: 'sha-256', value: 'AA:BB' },
      candidates: [],
      endpointsMax: 10_000,
      conferencesMax: 10_000,
      relay: relay as unknown as Relay,
      egress,
      rtcp: new RtcpEgress(port, 1, this.counters),
      counters: this.counters,
      openTransport: (owner, sink) => {
        const transport = new SilentTransport(port, sink, options.createSession?.());
        this.#transports.set(owner, transport);
        return transport as unknown as EndpointTransport<Endpoint>;
      },
      emit: () => {},
      nowMs: () => this.nowMs,
      randomUint32: () => (random++ * 2_654_435_761) % 0x1_0000_0000,
    });
    this.#ingress = new Ingress({
      egress,
      rtcp: new RtcpIngress(egress, this.counters),
      handleStun: () => {},
      conferences: this.bridge.conferences,
      counters: this.counters,
      nowMs: () => this.nowMs,
    });
  }

  /** A connected endpoint that may send audio and three layers of video, and watches and hears `origins`. Put again, it watches others. */
  put(id: number, version: number, publishes: boolean, origins: readonly number[], temporalMax = 3): void {
    const projections = origins.flatMap((origin, index) =>
      [AUDIO, VIDEO].map(source => {
        const ssrc = 0x10000 + index * 4 + source.sourceId * 2;
        return projection(origin, source, { ssrc, rtxSsrc: source === VIDEO ? ssrc + 1 : null, temporalMax });
      }),
    );
    const sources = publishes ? [AUDIO, VIDEO] : [];
    this.bridge.putEndpoint(this.nowMs, CONFERENCE, id as EndpointId, endpointSpec({ version, sources, projections }));
    if (this.#peers.has(id)) return;
    const endpoint = this.endpoint(id);
    this.#peers.set(id, { address: '127.0.0.1', port: 5_000, family: 'IPv4', owner: endpoint });
    this.#transports.get(endpoint)!.sink.onConnected();
  }

  /** Lets `ms` pass, and does all that is due then. What was received before has gone out. Returns the microseconds that the bridge took for it. */
  tick(ms: number): number {
    this.#ingress.endBurst();
    this.nowMs += ms;
    const startedMs = performance.now();
    while (this.bridge.handleTimeout(this.nowMs));
    return (performance.now() - startedMs) * 1_000;
  }

  endpoint(id: number): Endpoint {
    return this.bridge.conferences.get(CONFERENCE)!.endpoints.get(id as EndpointId)!;
  }

  /** A datagram of endpoint `id`; forwarded with those that follow it. */
  receive(id: number, datagram: Buffer): void {
    datagram.copy(this.#slot);
    this.#ingress.handleDatagram(this.#slot, 0, datagram.length, this.#peers.get(id)!);
  }
}

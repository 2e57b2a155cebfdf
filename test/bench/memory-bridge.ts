/** The bridge of `memory.ts`: its endpoints are whole (ICE, DTLS, SRTP, data channels), their clients are in another process, and what they are sent is given up. */
import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Arena, SLOT_BYTES } from '../../bridge/arena.ts';
import type { Endpoint } from '../../bridge/endpoint.ts';
import { IceRegistry } from '../../bridge/ice/ice-registry.ts';
import { type Certificate, createCertificate, type Fingerprint } from '../../bridge/io/certificate.ts';
import type { DatagramPort, Peer } from '../../bridge/io/datagram-port.ts';
import { DtlsQueue } from '../../bridge/io/dtls-queue.ts';
import { EndpointTransport, type EndpointTransportSink } from '../../bridge/io/endpoint-transport.ts';
import { PeerTable } from '../../bridge/io/peer-table.ts';
import { StunResponder } from '../../bridge/io/stun-responder.ts';
import { portCounters } from '../../bridge/port-counters.ts';
import { firstByteKind, RTP } from '../../protocol/demux.ts';
import { type Answer, CLIENT_ICE, type Datagram, type Done, type Task } from './memory-clients.ts';
import { type Clients, QuietBridge } from './quiet-bridge.ts';

const TURN_MS = 20;
const TURNS_PER_SECOND = 1_000 / TURN_MS;
/** Clients are told apart by their port: this and their id. */
const PORT_BASE = 20_000;
const CLIENT_ADDRESS = '203.0.113.1';

export class MemoryBridge {
  readonly quiet: QuietBridge;
  readonly #wire: Wire;

  static async open(): Promise<MemoryBridge> {
    return new MemoryBridge(await Wire.open());
  }

  private constructor(wire: Wire) {
    this.#wire = wire;
    this.quiet = new QuietBridge(new WholeClients(wire));
    wire.onDatagram = ({ id, bytes }) => this.quiet.receive(id, Buffer.from(bytes));
  }

  /** An endpoint as the focus puts it when its client asks to join. Put again, it watches others. */
  put(id: number, version: number, origins: readonly number[], temporalMax = 3): void {
    const { ufrag, password } = CLIENT_ICE;
    // Another text for each, as from another document.
    const remote = {
      ice: { ufrag, password },
      dtls: { setup: 'active' as const, fingerprints: [{ ...this.#wire.fingerprint }] },
    };
    this.quiet.put(id, version, true, origins, temporalMax, remote);
  }

  /** ICE and DTLS. */
  async join(id: number): Promise<void> {
    fillPool();
    const { ufrag, password } = this.quiet.endpoint(id).transport.local;
    const { fingerprint } = this.#wire.certificate;
    await this.#wire.ask({ kind: 'join', id, local: { ufrag, password }, fingerprint });
    if (this.quiet.endpoint(id).state !== 'connected') throw new Error(`endpoint ${id} is not connected`);
  }

  /** SCTP, and two data channels. */
  async openChannels(id: number): Promise<void> {
    fillPool();
    await this.#wire.ask({ kind: 'open-channels', id });
  }

  /** Lets time pass in which every client publishes. */
  async publish(seconds: number): Promise<void> {
    for (let second = 0; second < seconds; second++) {
      for (const turn of await this.#wire.ask({ kind: 'media', turns: TURNS_PER_SECOND })) {
        this.#deliver(turn);
        this.#tick();
      }
    }
  }

  /** Lets time pass in which nothing comes. */
  beSilent(seconds: number): void {
    for (let turn = 0; turn < seconds * TURNS_PER_SECOND; turn++) this.#tick();
  }

  /** RTCP packets in plain text; their clients encrypt and send them. */
  async report(reports: readonly Datagram[]): Promise<void> {
    for (const turn of await this.#wire.ask({ kind: 'reports', reports })) this.#deliver(turn);
  }

  close(): void {
    for (const { transport } of this.quiet.endpoints) transport.close();
    this.#wire.close();
  }

  #deliver(datagrams: readonly Datagram[]): void {
    for (const { id, bytes } of datagrams) this.quiet.receive(id, Buffer.from(bytes));
  }

  #tick(): void {
    for (let tick = 0; tick < 2; tick++) this.quiet.tick(TURN_MS / 2);
  }
}

/** The pool that small buffers are cut from is everybody's: on a busy bridge the next piece is of another slab, and a piece that is kept keeps its slab. */
function fillPool(): void {
  for (let bytes = 0; bytes < 2 * Buffer.poolSize; bytes += 1024) Buffer.allocUnsafe(1024);
}

/** Transports as the service makes them, with SRTP on node:crypto: what native code holds (`bridge/io/native`) is not the runtime's to count. */
class WholeClients implements Clients {
  readonly port: DatagramPort<Endpoint>;
  readonly #wire: Wire;
  readonly #peers = new PeerTable<Endpoint>('IPv4');
  readonly #registry = new IceRegistry<EndpointTransport<Endpoint>>(randomBytes);
  readonly #queue = new DtlsQueue({ nowMs: () => performance.now() });
  readonly #stun: StunResponder<Endpoint>;

  constructor(wire: Wire) {
    this.#wire = wire;
    this.port = new WirePort(wire, this.#peers);
    this.#stun = new StunResponder(this.port, this.#registry);
  }

  open(owner: Endpoint, sink: EndpointTransportSink, nowMs: number): EndpointTransport<Endpoint> {
    return new EndpointTransport<Endpoint>({
      owner,
      port: this.port,
      ice: this.#registry,
      certificate: this.#wire.certificate,
      sink,
      nowMs,
      dtlsQueue: this.#queue,
      onDrop: () => {},
    });
  }

  /** They join when they are told to. */
  handleOpened(): void {}

  peerOf(id: number): Peer<Endpoint> {
    return this.#peers.find(CLIENT_ADDRESS, PORT_BASE + id);
  }

  handleStun(nowMs: number, bytes: Buffer, offset: number, length: number, peer: Peer<Endpoint>): void {
    this.#stun.handle(nowMs, bytes, offset, length, peer);
  }
}

/** What is not media goes to the clients. */
class WirePort implements DatagramPort<Endpoint> {
  readonly address = '203.0.113.2';
  readonly port = 10_000;
  readonly counters = portCounters();
  readonly sendsRuns = false;
  readonly #wire: Wire;
  readonly #peers: PeerTable<Endpoint>;
  readonly #arena = new Arena(64);
  readonly #free = Array.from({ length: 64 }, (_, slot) => slot * SLOT_BYTES);

  constructor(wire: Wire, peers: PeerTable<Endpoint>) {
    this.#wire = wire;
    this.#peers = peers;
  }

  get outgoing(): Buffer {
    return this.#arena.bytes;
  }

  reserve(): number {
    return this.#free.pop() ?? -1;
  }

  commit(offset: number, length: number, peer: Peer<Endpoint>): void {
    if (firstByteKind(this.outgoing[offset]) !== RTP) {
      const bytes = Uint8Array.from(this.outgoing.subarray(offset, offset + length));
      this.#wire.send({ kind: 'datagram', datagram: { id: peer.port - PORT_BASE, bytes } });
    }
    this.cancel(offset);
  }

  cancel(offset: number): void {
    this.#free.push(offset);
  }

  flush(): void {}

  adopt(address: string, port: number, owner: Endpoint): Peer<Endpoint> {
    return this.#peers.adopt(address, port, owner);
  }

  release(peer: Peer<Endpoint>): void {
    this.#peers.release(peer);
  }

  async close(): Promise<void> {}
}

/** The clients' process. */
class Wire {
  readonly certificate: Certificate;
  readonly fingerprint: Fingerprint;
  onDatagram: (datagram: Datagram) => void = () => {};
  readonly #process: ChildProcess;
  #answered: (turns: Done['turns']) => void = () => {};
  #failed: (error: Error) => void = () => {};

  static async open(): Promise<Wire> {
    const clients = fork(new URL('./memory-clients.ts', import.meta.url), { serialization: 'advanced' });
    const [ready] = (await Promise.race([once(clients, 'message'), once(clients, 'exit')])) as [Answer | number | null];
    if (ready === null || typeof ready === 'number' || ready.kind !== 'ready')
      throw new Error('the clients did not start');
    return new Wire(clients, await createCertificate(), ready.fingerprint);
  }

  private constructor(clients: ChildProcess, certificate: Certificate, fingerprint: Fingerprint) {
    this.#process = clients;
    this.certificate = certificate;
    this.fingerprint = fingerprint;
    clients.on('message', (answer: Answer) => {
      if (answer.kind === 'datagram') this.onDatagram(answer.datagram);
      else if (answer.kind === 'done') this.#finish(answer.turns);
    });
    clients.on('exit', () => this.#failed(new Error('the clients have ended; the reason is above')));
  }

  send(task: Task): void {
    this.#process.send(task);
  }

  /** One task at a time. */
  ask(task: Task): Promise<Done['turns']> {
    return new Promise((resolve, reject) => {
      this.#answered = resolve;
      this.#failed = reject;
      this.send(task);
    });
  }

  close(): void {
    this.#process.disconnect();
  }

  #finish(turns: Done['turns']): void {
    const answered = this.#answered;
    // A promise that can be resolved holds its value.
    this.#answered = () => {};
    this.#failed = () => {};
    answered(turns);
  }
}

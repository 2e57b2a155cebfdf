/** The clients of `memory.ts`, in a process of their own so that their memory is not the bridge's. Datagrams go over the fork's channel: none is lost. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { RTCDataChannel, RTCDataChannelParameters, type RTCDtlsTransport, RTCSctpTransport } from 'werift';
import { createCertificate, type Fingerprint } from '../../bridge/io/certificate.ts';
import { DtlsEndpoint } from '../../bridge/io/dtls-endpoint.ts';
import { DTLS, firstByteKind } from '../../protocol/demux.ts';
import { createSrtpSession, MASTER_KEY_BYTES, masterSaltBytes, SRTP_PROFILES } from '../../protocol/srtp/profiles.ts';
import type { SrtpSession } from '../../protocol/srtp/session.ts';
import { BINDING_REQUEST } from '../../protocol/stun/constants.ts';
import { encodeStun } from '../../protocol/stun/encode.ts';
import { Publisher } from './publisher.ts';

/** Of every client: one is as good as another. */
export const CLIENT_ICE = { ufrag: 'clnt', password: 'a-password-of-22-letters' };

export interface Datagram {
  /** Of the client. */
  readonly id: number;
  readonly bytes: Uint8Array;
}

/** What the bridge asks for. Each is answered by one {@link Done}, but for datagrams. */
export type Task =
  | { readonly kind: 'datagram'; readonly datagram: Datagram }
  /** ICE and DTLS, until connected. */
  | { readonly kind: 'join'; readonly id: number; readonly local: typeof CLIENT_ICE; readonly fingerprint: Fingerprint }
  /** SCTP and LiveKit's two data channels, until they are open. */
  | { readonly kind: 'open-channels'; readonly id: number }
  /** What all clients send in so many times 20 ms. */
  | { readonly kind: 'media'; readonly turns: number }
  /** RTCP of the clients, to be encrypted by them. */
  | { readonly kind: 'reports'; readonly reports: readonly Datagram[] };

export interface Done {
  readonly kind: 'done';
  /** Encrypted, by turns. */
  readonly turns: readonly (readonly Datagram[])[];
}

export type Answer =
  | Done
  | { readonly kind: 'datagram'; readonly datagram: Datagram }
  | { readonly kind: 'ready'; readonly fingerprint: Fingerprint };

const SCTP_PORT = 5000;
const PACKET_BYTES_MAX = 2048;

const certificate = await createCertificate();
const clients = new Map<number, Client>();

process.on('message', (task: Task) => {
  if (task.kind === 'datagram') clients.get(task.datagram.id)?.receive(Buffer.from(task.datagram.bytes));
  else perform(task).then(turns => tell({ kind: 'done', turns }));
});
process.on('disconnect', () => process.exit(0));
tell({ kind: 'ready', fingerprint: certificate.fingerprint });

async function perform(task: Exclude<Task, { kind: 'datagram' }>): Promise<Done['turns']> {
  if (task.kind === 'media') return Array.from({ length: task.turns }, publish);
  if (task.kind === 'reports') {
    return [task.reports.map(({ id, bytes }) => ({ id, bytes: clientOf(id).protectReport(bytes) }))];
  }
  if (task.kind === 'join') {
    const client = new Client(task.id, task.fingerprint);
    clients.set(task.id, client);
    client.check(task.local);
    await until(() => client.dtls.isConnected);
  } else {
    await clientOf(task.id).openChannels();
  }
  return [];
}

function publish(): Datagram[] {
  return Array.from(clients.values()).flatMap(client => client.publish());
}

class Client {
  readonly id: number;
  readonly dtls: DtlsEndpoint;
  readonly #publisher: Publisher;
  readonly #sctp = new RTCSctpTransport(SCTP_PORT);
  /** As much of werift's DTLS transport as its SCTP uses; it puts its reader here. */
  readonly #sctpLink = {
    id: 'client',
    iceTransport: { role: 'controlling' },
    dataReceiver: undefined as ((packet: Buffer) => void) | undefined,
    sendData: async (packet: Buffer) => void this.dtls.send(Buffer.from(packet)),
    onStateChange: { subscribe: () => ({ unSubscribe: () => {} }) },
  };
  #srtp: SrtpSession | undefined;
  #published: Datagram[] = [];

  constructor(id: number, fingerprint: Fingerprint) {
    this.id = id;
    this.#publisher = new Publisher({ receive: (_id, packet) => this.#publish(packet) }, id);
    this.dtls = new DtlsEndpoint({
      role: 'client',
      certificate,
      fingerprints: [fingerprint],
      srtpProfiles: SRTP_PROFILES,
      sink: {
        send: datagram => this.#send(datagram),
        onConnected: () => this.#takeKeys(),
        onData: packet => this.#sctpLink.dataReceiver?.(packet),
        onFailed: reason => fail(`client ${id} did not connect: ${reason}`),
        onClosed: () => {},
      },
    });
  }

  /** Asks with the bridge's credentials; the answer begins the handshake. */
  check(local: typeof CLIENT_ICE): void {
    const bytes = Buffer.alloc(1280);
    const length = encodeStun(bytes, 0, {
      type: BINDING_REQUEST,
      transactionId: Buffer.alloc(12, this.id),
      username: `${local.ufrag}:${CLIENT_ICE.ufrag}`,
      key: local.password,
      controlling: 1n,
      priority: 1,
      useCandidate: true,
    });
    this.#send(bytes.subarray(0, length));
  }

  receive(bytes: Buffer): void {
    if (firstByteKind(bytes[0]) === DTLS) this.dtls.handleDatagram(bytes);
    else this.dtls.start();
  }

  async openChannels(): Promise<void> {
    this.#sctp.setDtlsTransport(this.#sctpLink as unknown as RTCDtlsTransport);
    await this.#sctp.start(SCTP_PORT);
    const channels = [
      new RTCDataChannel(this.#sctp, new RTCDataChannelParameters({ label: '_reliable', ordered: true })),
      new RTCDataChannel(
        this.#sctp,
        new RTCDataChannelParameters({ label: '_lossy', ordered: false, maxRetransmits: 0 }),
      ),
    ];
    await until(() => channels.every(({ readyState }) => readyState === 'open'));
  }

  /** What it sends in 20 ms. */
  publish(): readonly Datagram[] {
    this.#published = [];
    this.#publisher.send();
    return this.#published;
  }

  protectReport(report: Uint8Array): Uint8Array {
    return this.#protect('protectRtcp', report);
  }

  #publish(packet: Uint8Array): void {
    this.#published.push({ id: this.id, bytes: this.#protect('protectRtp', packet) });
  }

  #protect(operation: 'protectRtp' | 'protectRtcp', packet: Uint8Array): Uint8Array {
    if (this.#srtp === undefined) throw new Error(`client ${this.id} has no keys yet`);
    const bytes = Buffer.alloc(PACKET_BYTES_MAX);
    bytes.set(packet);
    return bytes.subarray(0, this.#srtp[operation](bytes, 0, packet.length));
  }

  #takeKeys(): void {
    const profile = this.dtls.srtpProfile;
    if (profile === undefined) return fail(`client ${this.id} has no SRTP profile`);
    this.#srtp = createSrtpSession(profile, this.dtls.srtpKeys(MASTER_KEY_BYTES, masterSaltBytes(profile)));
  }

  #send(bytes: Uint8Array): void {
    tell({ kind: 'datagram', datagram: { id: this.id, bytes } });
  }
}

function clientOf(id: number): Client {
  const client = clients.get(id);
  if (client === undefined) throw new Error(`there is no client ${id}`);
  return client;
}

function tell(answer: Answer): void {
  process.send?.(answer);
}

async function until(isDone: () => boolean): Promise<void> {
  while (!isDone()) await nextTurn();
}

/** The bridge's process sees the exit. */
function fail(reason: string): void {
  process.stderr.write(`${reason}\n`);
  process.exit(1);
}

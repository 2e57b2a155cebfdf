/** A client for tests of the transport: hand-made ICE checks, DTLS and SRTP over a real socket, with everything under the test's control. */
import { randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { DTLS, firstByteKind, isRtcp, STUN } from '../../protocol/demux.ts';
import {
  createSrtpSession,
  MASTER_KEY_BYTES,
  masterSaltBytes,
  SRTP_PROFILES,
  type SrtpProfile,
} from '../../protocol/srtp/profiles.ts';
import type { SrtpSession } from '../../protocol/srtp/session.ts';
import { BINDING_REQUEST } from '../../protocol/stun/constants.ts';
import { encodeStun, type StunFields } from '../../protocol/stun/encode.ts';
import { StunMessage } from '../../protocol/stun/message.ts';
import type { Certificate, Fingerprint } from './certificate.ts';
import { DtlsEndpoint } from './dtls-endpoint.ts';

const LOOPBACK = '127.0.0.1';

export interface TestClientOptions {
  readonly bridgePort: number;
  readonly certificate: Certificate;
  /** The bridge's. */
  readonly fingerprint: Fingerprint;
  readonly role?: 'client' | 'server';
  readonly srtpProfiles?: readonly SrtpProfile[];
  /** Told of each RTP packet as soon as it is decrypted. */
  readonly onRtp?: (packet: Buffer) => void;
}

export class TestClient {
  readonly ice = { ufrag: 'clnt', password: 'a-password-of-22-letters' };
  readonly dtls: DtlsEndpoint;
  /** In order: `connected`, `failed …`, `closed …`. */
  readonly log: string[] = [];
  readonly rtp: Buffer[] = [];
  readonly rtcp: Buffer[] = [];
  /** Where each decrypted packet arrived. */
  readonly arrivedAt: number[] = [];
  #srtp: SrtpSession | undefined;
  readonly #options: TestClientOptions;
  readonly #sockets: Socket[] = [];
  readonly #waiting: (() => void)[] = [];
  readonly #answers: ((message: StunMessage) => void)[] = [];

  static async open(options: TestClientOptions): Promise<TestClient> {
    const client = new TestClient(options);
    await client.openSocket();
    return client;
  }

  private constructor(options: TestClientOptions) {
    this.#options = options;
    this.dtls = new DtlsEndpoint({
      role: options.role ?? 'client',
      certificate: options.certificate,
      fingerprints: [options.fingerprint],
      srtpProfiles: options.srtpProfiles ?? SRTP_PROFILES,
      sink: {
        send: datagram => this.sendFrom(0, datagram),
        onConnected: () => {
          this.#takeKeys();
          this.#note('connected');
        },
        onData: () => {},
        onFailed: reason => this.#note(`failed ${reason}`),
        onClosed: reason => this.#note(`closed ${reason}`),
      },
    });
  }

  get port(): number {
    return this.portOf(0);
  }

  portOf(socket: number): number {
    return this.#sockets[socket].address().port;
  }

  /** Another address of the same client. */
  async openSocket(): Promise<void> {
    const socket = createSocket('udp4');
    socket.on('message', bytes => this.#receive(bytes, socket.address().port));
    socket.bind(0, LOOPBACK);
    await once(socket, 'listening');
    this.#sockets.push(socket);
  }

  sendFrom(socket: number, datagram: Uint8Array): void {
    this.#sockets[socket].send(datagram, this.#options.bridgePort, LOOPBACK);
  }

  /** Sends a check with the bridge's credentials, changed by `fields`, and gives the answer. */
  async check(
    bridge: { readonly ufrag: string; readonly password: string },
    fields: Partial<StunFields> = {},
    socket = 0,
  ): Promise<StunMessage> {
    const bytes = Buffer.alloc(1280);
    const length = encodeStun(bytes, 0, {
      type: BINDING_REQUEST,
      transactionId: randomBytes(12),
      username: `${bridge.ufrag}:${this.ice.ufrag}`,
      key: bridge.password,
      controlling: 1n,
      priority: 1,
      useCandidate: true,
      ...fields,
    });
    const { promise, resolve } = Promise.withResolvers<StunMessage>();
    this.#answers.push(resolve);
    this.sendFrom(socket, bytes.subarray(0, length));
    return promise;
  }

  sendRtp(packet: Buffer, socket = 0): Buffer {
    return this.#sendSecret('protectRtp', packet, socket);
  }

  sendRtcp(packet: Buffer, socket = 0): Buffer {
    return this.#sendSecret('protectRtcp', packet, socket);
  }

  /** Resolves when `isDone` holds: it is asked whenever something has arrived. */
  async until(isDone: () => boolean): Promise<void> {
    while (!isDone()) await new Promise<void>(resolve => this.#waiting.push(resolve));
  }

  close(): void {
    this.dtls.close();
    for (const socket of this.#sockets) socket.close();
  }

  #sendSecret(operation: 'protectRtp' | 'protectRtcp', packet: Buffer, socket: number): Buffer {
    if (this.#srtp === undefined) throw new Error('no keys yet');
    const bytes = Buffer.alloc(2048);
    packet.copy(bytes);
    const secret = bytes.subarray(0, this.#srtp[operation](bytes, 0, packet.length));
    this.sendFrom(socket, secret);
    return secret;
  }

  #receive(bytes: Buffer, port: number): void {
    const kind = firstByteKind(bytes[0]);
    if (kind === STUN) {
      const message = new StunMessage();
      message.decode(bytes, 0, bytes.length);
      this.#answers.shift()?.(message);
    } else if (kind === DTLS) {
      this.dtls.handleDatagram(Buffer.from(bytes));
    } else if (this.#srtp !== undefined) {
      const isReport = isRtcp(bytes, 0);
      const length = this.#srtp[isReport ? 'unprotectRtcp' : 'unprotectRtp'](bytes, 0, bytes.length);
      if (length < 0) throw new Error(`refused with ${length}`);
      const packet = bytes.subarray(0, length);
      if (!isReport) this.#options.onRtp?.(packet);
      (isReport ? this.rtcp : this.rtp).push(packet);
      this.arrivedAt.push(port);
    }
    this.#look();
  }

  #takeKeys(): void {
    const profile = this.dtls.srtpProfile;
    if (profile === undefined) throw new Error('no SRTP profile');
    this.#srtp = createSrtpSession(profile, this.dtls.srtpKeys(MASTER_KEY_BYTES, masterSaltBytes(profile)));
  }

  #note(event: string): void {
    this.log.push(event);
    this.#look();
  }

  #look(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}

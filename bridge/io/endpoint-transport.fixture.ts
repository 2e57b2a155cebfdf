/** A bridge's media port with one endpoint and its client, for tests of the transport. */
import { randomBytes } from 'node:crypto';
import type { TestContext } from 'node:test';
import type { EndpointSpec } from '../../protocol/control/spec.ts';
import { DTLS, firstByteKind, isRtcp, RTP, STUN } from '../../protocol/demux.ts';
import { DecodeError } from '../../protocol/errors.ts';
import { IceRegistry } from '../ice/ice-registry.ts';
import { TEST_DATAPATH } from '../testing/datapath.ts';
import { createCertificate } from './certificate.ts';
import type { DatagramPort } from './datagram-port.ts';
import { DtlsQueue } from './dtls-queue.ts';
import { TestClient, type TestClientOptions } from './endpoint-transport.client.ts';
import { EndpointTransport } from './endpoint-transport.ts';
import { StunResponder } from './stun-responder.ts';

export const [ours, theirs] = await Promise.all([createCertificate(), createCertificate()]);

/** A bridge's media port with one endpoint, and the client that is to be its. Time is `nowMs`, and stands still unless a test moves it. */
export class Room {
  nowMs = 1000;
  readonly log: string[] = [];
  readonly drops: string[] = [];
  readonly rtp: Buffer[] = [];
  readonly rtcp: Buffer[] = [];
  readonly registry = new IceRegistry<EndpointTransport<Room>>(randomBytes);
  port!: DatagramPort<Room>;
  stun!: StunResponder<Room>;
  transport!: EndpointTransport<Room>;
  client!: TestClient;
  readonly #waiting: (() => void)[] = [];

  static async open(
    context: TestContext,
    options: Partial<TestClientOptions> = {},
    dtlsQueue = new DtlsQueue({ nowMs: () => performance.now() }),
  ): Promise<Room> {
    const room = new Room();
    const onDrop = (reason: string) => room.#note(room.drops, reason);
    room.port = await TEST_DATAPATH.openPort<Room>({
      address: '127.0.0.1',
      port: 0,
      handler: (bytes, offset, length, peer) => {
        const kind = firstByteKind(bytes[offset]);
        try {
          if (kind === STUN) room.stun.handle(room.nowMs, bytes, offset, length, peer);
          else if (peer.owner === undefined) onDrop('stranger');
          else if (kind === DTLS) room.transport.handleDtls(room.nowMs, bytes, offset, length, peer);
          else if (kind === RTP) room.#handleSrtp(bytes, offset, length);
        } catch (error) {
          if (!(error instanceof DecodeError)) throw error;
          onDrop(error.reason);
        }
      },
    });
    room.stun = new StunResponder(room.port, room.registry, onDrop);
    room.transport = new EndpointTransport<Room>({
      owner: room,
      port: room.port,
      ice: room.registry,
      certificate: ours,
      nowMs: room.nowMs,
      createSrtpSession: TEST_DATAPATH.createSrtpSession,
      dtlsQueue,
      onDrop,
      sink: {
        onConnected: () => room.#note(room.log, 'connected'),
        onFailed: reason => room.#note(room.log, `failed ${reason}`),
        onClosed: reason => room.#note(room.log, `closed ${reason}`),
        onData: (kind, bytes) => room.#note(room.log, `${kind} ${bytes.length}`),
      },
    });
    const { fingerprint } = ours;
    room.client = await TestClient.open({ bridgePort: room.port.port, certificate: theirs, fingerprint, ...options });
    context.after(async () => {
      room.transport.close('test over');
      room.client.close();
      await room.port.close();
    });
    return room;
  }

  dtlsOf(certificate = theirs, setup: 'active' | 'passive' = 'active'): EndpointSpec['dtls'] {
    return { setup, fingerprints: [certificate.fingerprint] };
  }

  /** ICE, then DTLS. */
  async connect(): Promise<void> {
    this.transport.setRemote(this.nowMs, this.client.ice, this.dtlsOf(), 0);
    await this.client.check(this.transport.local);
    this.client.dtls.start();
    await Promise.all([
      this.until(() => this.transport.isConnected),
      this.client.until(() => this.client.dtls.isConnected),
    ]);
  }

  /** Sends a packet to the client as the egress does. */
  send(packet: Buffer, operation: 'sendRtp' | 'sendRtcp' = 'sendRtp'): void {
    const slot = this.port.reserve();
    packet.copy(this.port.outgoing, slot);
    this.transport[operation](slot, packet.length);
  }

  async until(isDone: () => boolean): Promise<void> {
    while (!isDone()) await new Promise<void>(resolve => this.#waiting.push(resolve));
  }

  #handleSrtp(bytes: Buffer, offset: number, length: number): void {
    const isReport = isRtcp(bytes, offset);
    const plain = this.transport[isReport ? 'unprotectRtcp' : 'unprotectRtp'](this.nowMs, bytes, offset, length);
    if (plain < 0) this.#note(this.drops, 'srtp');
    else this.#note(isReport ? this.rtcp : this.rtp, Buffer.from(bytes.subarray(offset, offset + plain)));
  }

  #note<T>(list: T[], entry: T): void {
    list.push(entry);
    for (const wake of this.#waiting.splice(0)) wake();
  }
}

export function rtp(sequence: number): Buffer {
  const packet = Buffer.alloc(40, sequence);
  packet[0] = 0x80;
  packet[1] = 96;
  packet.writeUInt16BE(sequence, 2);
  packet.writeUInt32BE(0x01020304, 8);
  return packet;
}

export const REPORT = Buffer.from(`80c8000601020304${'00'.repeat(20)}`, 'hex');

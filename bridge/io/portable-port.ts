/** The datagram port on node:dgram: any platform, one system call per datagram. */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { SLOT_BYTES } from '../arena.ts';
import { type PortCounters, portCounters } from '../port-counters.ts';
import type { DatagramHandler, DatagramPort, Peer, PortOptions } from './datagram-port.ts';
import { OutgoingSlots } from './outgoing-slots.ts';
import { type KnownPeer, PeerTable } from './peer-table.ts';
import { SOCKET_BUFFER_BYTES, warnOfSmallBuffers } from './socket-buffers.ts';

/** Queued datagrams that start a flush before the turn ends, so that the kernel drains while the burst is still being written. */
const FLUSH_EARLY = 512;

export class PortablePort<Owner> implements DatagramPort<Owner> {
  readonly counters: PortCounters = portCounters();
  readonly sendsRuns = false;
  readonly address: string;
  readonly port: number;
  readonly #socket: Socket;
  readonly #handler: DatagramHandler<Owner>;
  readonly #onReceived: (() => void) | undefined;
  readonly #peers: PeerTable<Owner>;
  readonly #slots: OutgoingSlots;
  readonly #incoming = Buffer.alloc(SLOT_BYTES);
  /** One completion per slot, made once: node:dgram wants a callback per datagram. */
  readonly #completions: ((error: Error | null) => void)[] = [];
  readonly #flushSoon = () => {
    this.#isFlushDue = false;
    this.flush();
  };
  #isFlushDue = false;
  #isClosed = false;
  #inFlight = 0;
  #drained: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  /** Binds a socket. Rejects with the system's error as it is (EADDRINUSE, EADDRNOTAVAIL, EACCES). */
  static async open<Owner>(options: PortOptions<Owner>): Promise<PortablePort<Owner>> {
    const type = isIPv6(options.address) ? 'udp6' : 'udp4';
    const family = type === 'udp6' ? 6 : 4;
    // Peers are addresses, never names: the default look-up would queue each datagram for another turn.
    const socket = createSocket({ type, lookup: (host, _options, done) => done(null, host, family) });
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind({ address: options.address, port: options.port, exclusive: true }, () => {
        socket.off('error', reject);
        resolve();
      });
    }).catch(error => {
      socket.close();
      throw error;
    });
    enlargeBuffers(socket, options.log);
    return new PortablePort(socket, options);
  }

  private constructor(socket: Socket, options: PortOptions<Owner>) {
    this.#socket = socket;
    ({ address: this.address, port: this.port } = socket.address());
    this.#handler = options.handler;
    this.#onReceived = options.onReceived;
    this.#peers = new PeerTable(isIPv6(options.address) ? 'IPv6' : 'IPv4');
    this.#slots = new OutgoingSlots(options.arenaSlots ?? 4096);
    for (let slot = 0; slot < this.#slots.count; slot++) {
      this.#completions.push(error => this.#complete(slot, error));
    }
    socket.on('message', (message, remote) => this.#receive(message, remote));
    // Errors of single sends come to their completion; what is left here is the socket's own, and it goes on.
    socket.on('error', error => options.log?.warn({ error: error.message }, 'datagram socket error'));
  }

  get outgoing(): Buffer {
    return this.#slots.bytes;
  }

  reserve(): number {
    const offset = this.#isClosed ? -1 : this.#slots.reserve();
    if (offset < 0) this.counters.sendDropped++;
    return offset;
  }

  commit(offset: number, length: number, peer: Peer<Owner>): void {
    if ((peer as KnownPeer<Owner>).isReleased) {
      this.counters.sendDropped++;
      return this.cancel(offset);
    }
    this.#slots.queue(offset, length, peer.address, peer.port);
    if (this.#slots.queued >= FLUSH_EARLY) this.flush();
    else if (!this.#isFlushDue) {
      this.#isFlushDue = true;
      setImmediate(this.#flushSoon);
    }
  }

  cancel(offset: number): void {
    this.#slots.free(offset / SLOT_BYTES);
  }

  flush(): void {
    const slots = this.#slots;
    for (let index = 0; index < slots.queued; index++) {
      const slot = slots.queuedSlot(index);
      this.#inFlight++;
      try {
        this.#socket.send(
          slots.bytes,
          slot * SLOT_BYTES,
          slots.lengthOf(slot),
          slots.portOf(slot),
          slots.addressOf(slot),
          this.#completions[slot],
        );
      } catch (error) {
        this.#complete(slot, error as Error);
      }
    }
    slots.clearQueue();
  }

  adopt(address: string, port: number, owner: Owner): Peer<Owner> {
    return this.#peers.adopt(address, port, owner);
  }

  release(peer: Peer<Owner>): void {
    this.#peers.release(peer);
  }

  /** Sends what is queued, then closes the socket. Nothing is received any more. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#isClosed = true;
    this.#socket.removeAllListeners('message');
    this.flush();
    if (this.#inFlight > 0) await new Promise<void>(resolve => (this.#drained = resolve));
    await new Promise<void>(resolve => this.#socket.close(resolve));
  }

  #receive(message: Buffer, remote: RemoteInfo): void {
    const length = message.length;
    if (length > SLOT_BYTES) {
      this.counters.oversized++;
      return;
    }
    this.counters.received++;
    this.counters.receiveCalls++;
    this.counters.receivedBytes += length;
    // node:dgram gives a buffer of the datagram's own size; handlers may use a whole slot.
    message.copy(this.#incoming);
    this.#handler(this.#incoming, 0, length, this.#peers.find(remote.address, remote.port));
    this.#onReceived?.();
  }

  #complete(slot: number, error: Error | null): void {
    this.#inFlight--;
    if (error === null) {
      this.counters.sent++;
      this.counters.sendCalls++;
      this.counters.sentBytes += this.#slots.lengthOf(slot);
    } else {
      this.counters.sendErrors++;
      this.counters.sendDropped++;
    }
    this.#slots.free(slot);
    if (this.#inFlight === 0) this.#drained?.();
  }
}

function enlargeBuffers(socket: Socket, log: PortOptions<unknown>['log']): void {
  try {
    socket.setRecvBufferSize(SOCKET_BUFFER_BYTES);
    socket.setSendBufferSize(SOCKET_BUFFER_BYTES);
  } catch (error) {
    log?.warn({ error: (error as Error).message }, 'socket buffers keep their default size');
    return;
  }
  warnOfSmallBuffers(socket.getRecvBufferSize(), socket.getSendBufferSize(), log);
}

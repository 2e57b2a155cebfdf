/**
 * The datagram port on batched system calls (Linux): `recvmmsg` when the event loop says so, `sendmmsg` once per turn (send-queue.ts), each for many
 * datagrams. A turn of the loop does a bounded amount of work: timers and other sockets have theirs in between.
 */
import { SLOT_BYTES } from '../arena.ts';
import { copyBytes } from '../forward/copy-bytes.ts';
import { type PortCounters, portCounters } from '../port-counters.ts';
import type { DatagramPort, Peer, PortOptions } from './datagram-port.ts';
import { NativeMemory } from './native/native-memory.ts';
import { NativeSlots } from './native/native-slots.ts';
import { NativeSocket } from './native/native-socket.ts';
import { READABLE, Readiness, WRITABLE } from './native/readiness.ts';
import { OFFLOAD_CONTROL_BYTES, ReceiveBatch } from './native/receive-batch.ts';
import { SendBatch } from './native/send-batch.ts';
import { NAME_WORDS } from './native/socket-name.ts';
import { LENT_NAMES, type NamedPeer, PeerNames } from './peer-names.ts';
import { SEND_MESSAGES, SEND_PIECES, SendQueue } from './send-queue.ts';
import { SOCKET_BUFFER_BYTES, warnOfSmallBuffers } from './socket-buffers.ts';

/** Datagrams per receiving call. */
const RECEIVE_BATCH = 64;
/** With receive offload a message is up to 64 KiB: a run of datagrams. */
const RUN_BYTES = 65_536;
const RUN_BATCH = 16;
/** Work of one turn of the event loop, too large datagrams included; what is left waits for the next. */
const TURN_RECEIVED_MAX = 256;
const TURN_QUEUED_MAX = 2048;
/** Datagrams queued that are sent at once: their slots are still in the processor's second cache, and the next ones use them again. */
const FLUSH_QUEUED = 128;
/** How long closing waits for a full send buffer to drain. */
const CLOSE_WAIT_MS = 1_000;

/** The system calls a port makes, so that tests can make them fail. */
export interface PortCalls {
  send(batch: SendBatch, socket: NativeSocket, first: number): number;
  receive(batch: ReceiveBatch, socket: NativeSocket): number;
}

const SYSTEM: PortCalls = {
  send: (batch, socket, first) => batch.send(socket, first),
  receive: (batch, socket) => batch.receive(socket),
};

export class FastPort<Owner> implements DatagramPort<Owner> {
  readonly counters: PortCounters = portCounters();
  readonly address: string;
  readonly port: number;
  readonly outgoing: Buffer;
  readonly #options: PortOptions<Owner>;
  readonly #calls: PortCalls;
  readonly #socket: NativeSocket;
  readonly #readiness: Readiness;
  readonly #names: PeerNames<Owner>;
  readonly #queue: SendQueue;
  readonly #batch: ReceiveBatch;
  /** Slots that handlers see: the receive buffers themselves, or one slot that each datagram of a run is copied to. */
  readonly #incoming: NativeSlots;
  readonly #receivesRuns: boolean;
  /** Messages of the last receiving call, the next of them to handle, and how far that is handled (bytes of a run). */
  #received = 0;
  #nextMessage = 0;
  #nextByte = 0;
  /** Names lent to strangers since the queue was empty. */
  #lent = 0;
  #isReceiving = false;
  /** Something was received whose handling may have queued promises (`PortOptions.isSynchronous`). */
  #leavesWork = false;
  #isTurnDue = false;
  #isClosed = false;
  #closing: Promise<void> | undefined;
  #drained: (() => void) | undefined;
  readonly #takeTurn = () => {
    this.#isTurnDue = false;
    if (this.#isClosed) return;
    if (this.#nextMessage < this.#received) this.#receive();
    this.flush();
  };

  /** Binds a socket. Rejects with the system's error (EADDRINUSE, EADDRNOTAVAIL, EACCES), as node:dgram's. */
  static async open<Owner>(options: PortOptions<Owner>, calls: PortCalls = SYSTEM): Promise<FastPort<Owner>> {
    const socket = NativeSocket.open(options.address, options.port);
    try {
      return new FastPort(options, calls, socket);
    } catch (error) {
      socket.close();
      throw error;
    }
  }

  private constructor(options: PortOptions<Owner>, calls: PortCalls, socket: NativeSocket) {
    this.#options = options;
    this.#calls = calls;
    this.#socket = socket;
    ({ address: this.address, port: this.port } = socket.name());
    enlargeBuffers(socket, options.log);
    // What can fail comes first: slots are known to the process until they are closed.
    this.#readiness = new Readiness(socket, (isReadable, isWritable) => this.#handleReady(isReadable, isWritable));
    this.#names = new PeerNames(socket.family);
    const batch = new SendBatch({ messages: SEND_MESSAGES, pieces: SEND_PIECES });
    this.#queue = new SendQueue({
      slots: options.arenaSlots ?? 4096,
      names: this.#names,
      batch,
      counters: this.counters,
      send: first => calls.send(batch, socket, first),
      sendsRuns: socket.option('segmentBytes') >= 0,
      warn: (details, message) => options.log?.warn(details, message),
    });
    this.outgoing = this.#queue.bytes;
    this.#receivesRuns = options.receivesRuns === true && socket.setOption('receiveOffload', 1);
    this.#incoming = new NativeSlots(this.#receivesRuns ? 1 : RECEIVE_BATCH);
    this.#batch = this.#receivesRuns
      ? new ReceiveBatch({
          messages: RUN_BATCH,
          memory: new NativeMemory(RUN_BATCH * RUN_BYTES),
          bufferBytes: RUN_BYTES,
          controlBytes: OFFLOAD_CONTROL_BYTES,
        })
      : new ReceiveBatch({ messages: RECEIVE_BATCH, memory: this.#incoming.memory, bufferBytes: SLOT_BYTES });
  }

  get sendsRuns(): boolean {
    return this.#queue.sendsRuns;
  }

  reserve(): number {
    const offset = this.#isClosed ? -1 : this.#queue.reserve();
    if (offset < 0) this.counters.sendDropped++;
    return offset;
  }

  cancel(offset: number): void {
    this.#queue.free(offset);
  }

  commit(offset: number, length: number, peer: Peer<Owner>): void {
    let place = (peer as NamedPeer<Owner>).index;
    if (place === 0) place = this.#lend();
    // A peer that was released, too many strangers, no datagram, or nothing leaves any more.
    if (place < 0 || !(length >= 0 && length <= SLOT_BYTES) || this.#isClosed) {
      this.counters.sendDropped++;
      return this.#queue.free(offset);
    }
    this.#queue.queue(offset, length, place);
    if (this.#queue.queued >= FLUSH_QUEUED) this.flush();
    else if (!this.#isReceiving) this.#takeTurnSoon();
  }

  flush(): void {
    const queue = this.#queue;
    if (queue.isBlocked) return;
    queue.flush();
    if (queue.isBlocked) this.#readiness.watch(this.#isClosed ? WRITABLE : READABLE | WRITABLE);
    else this.#lent = 0;
  }

  adopt(address: string, port: number, owner: Owner): Peer<Owner> {
    return this.#names.adopt(address, port, owner);
  }

  /** What is queued for the peer leaves first. What cannot is dropped: its name may become another's. */
  release(peer: Peer<Owner>): void {
    const place = (peer as NamedPeer<Owner>).index;
    if (place > LENT_NAMES && this.#queue.holds(place)) this.flush();
    if (this.#names.release(peer)) this.#queue.drop(place);
  }

  /** Sends what is queued, then closes the socket. Nothing is received any more; what the kernel does not take within a second is dropped. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#isClosed = true;
    this.flush();
    if (this.#queue.isBlocked) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#drained = resolve;
      const deadline = setTimeout(resolve, CLOSE_WAIT_MS);
      await promise;
      clearTimeout(deadline);
    }
    this.#readiness.close();
    this.#socket.close();
    this.#queue.close();
    this.#incoming.close();
  }

  /** True when no work for Node is left behind. */
  #handleReady(isReadable: boolean, isWritable: boolean): boolean {
    this.#leavesWork = false;
    if (isWritable && this.#queue.isBlocked) {
      this.#leavesWork = true;
      this.#queue.unblock();
      this.flush();
      if (!this.#queue.isBlocked) {
        this.#readiness.watch(READABLE);
        this.#drained?.();
      }
    }
    if (!isReadable || this.#isClosed) return false;
    this.#receive();
    if (!this.#isClosed) this.flush();
    return !this.#leavesWork;
  }

  /** Receives and handles datagrams until there are no more, or this turn has done its share. */
  #receive(): void {
    const { counters } = this;
    const queue = this.#queue;
    const receivedEnough = counters.received + counters.oversized + TURN_RECEIVED_MAX;
    const sentEnough = counters.sent + queue.queued + TURN_QUEUED_MAX;
    this.#isReceiving = true;
    try {
      while (!this.#isClosed && (this.#nextMessage < this.#received || this.#receiveMore())) {
        this.#handleNext();
        if (counters.received + counters.oversized >= receivedEnough) break;
        if (counters.sent + queue.queued >= sentEnough) break;
      }
      if (!this.#isClosed) this.#options.onReceived?.();
    } catch (error) {
      // A handler's: what it has queued, and what came with its datagram, are not forgotten.
      this.#takeTurnSoon();
      throw error;
    } finally {
      this.#isReceiving = false;
    }
    if (this.#nextMessage < this.#received) this.#takeTurnSoon();
  }

  /** False when there is nothing to receive, or an error in place of it. */
  #receiveMore(): boolean {
    this.#nextMessage = 0;
    this.#received = Math.max(0, this.#calls.receive(this.#batch, this.#socket));
    if (this.#received === 0) return false;
    this.counters.receiveCalls++;
    return true;
  }

  /** Hands one datagram to the handler. */
  #handleNext(): void {
    const batch = this.#batch;
    const message = this.#nextMessage;
    const length = batch.lengthOf(message);
    const peer = this.#names.find(batch.names, message * NAME_WORDS);
    if (this.#receivesRuns) return this.#handleNextOfRun(message, length, batch.segmentBytesOf(message), peer);
    this.#nextMessage++;
    if (batch.isTruncated(message)) this.counters.oversized++;
    else this.#handle(message * SLOT_BYTES, length, peer);
  }

  #handleNextOfRun(message: number, length: number, segmentBytes: number, peer: Peer<Owner>): void {
    const from = this.#nextByte;
    const datagramLength = segmentBytes > 0 ? Math.min(segmentBytes, length - from) : length;
    this.#nextByte += datagramLength;
    if (this.#nextByte >= length) {
      this.#nextByte = 0;
      this.#nextMessage++;
    }
    if (datagramLength > SLOT_BYTES) {
      this.counters.oversized++;
      return;
    }
    if (segmentBytes > 0) this.counters.receivedInRuns++;
    copyBytes(this.#batch.memory.bytes, message * RUN_BYTES + from, this.#incoming.bytes, 0, datagramLength);
    this.#handle(0, datagramLength, peer);
  }

  #handle(offset: number, length: number, peer: Peer<Owner>): void {
    this.counters.received++;
    this.counters.receivedBytes += length;
    const { bytes } = this.#incoming;
    // Asked before the handler decrypts in place.
    if (!this.#leavesWork) this.#leavesWork = this.#options.isSynchronous?.(bytes[offset]) !== true;
    this.#options.handler(bytes, offset, length, peer);
  }

  /** A name of its own for the stranger at the cursor, until the queue is empty; -1 when there are none left. */
  #lend(): number {
    if (this.#lent === LENT_NAMES) this.flush();
    if (this.#lent === LENT_NAMES) return -1;
    this.#lent++;
    this.#names.lend(this.#lent);
    return this.#lent;
  }

  #takeTurnSoon(): void {
    if (this.#isTurnDue) return;
    this.#isTurnDue = true;
    setImmediate(this.#takeTurn);
  }
}

function enlargeBuffers(socket: NativeSocket, log: PortOptions<unknown>['log']): void {
  socket.setOption('receiveBufferBytes', SOCKET_BUFFER_BYTES);
  socket.setOption('sendBufferBytes', SOCKET_BUFFER_BYTES);
  if (socket.option('receiveBufferBytes') < SOCKET_BUFFER_BYTES)
    socket.setOption('receiveBufferForceBytes', SOCKET_BUFFER_BYTES);
  if (socket.option('sendBufferBytes') < SOCKET_BUFFER_BYTES)
    socket.setOption('sendBufferForceBytes', SOCKET_BUFFER_BYTES);
  warnOfSmallBuffers(socket.option('receiveBufferBytes'), socket.option('sendBufferBytes'), log);
}

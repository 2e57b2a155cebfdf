/**
 * One wildcard UDP socket that is every endpoint of a load generator: endpoint n has the address 127.10.(n >> 8).(n & 255), chosen on the way out and told on the
 * way in by IP_PKTINFO. So a thousand endpoints cost one system call per batch, in both directions.
 */
import { NativeMemory } from '../../../../bridge/io/native/native-memory.ts';
import { NativeSlots } from '../../../../bridge/io/native/native-slots.ts';
import { NativeSocket } from '../../../../bridge/io/native/native-socket.ts';
import { Readiness } from '../../../../bridge/io/native/readiness.ts';
import { ReceiveBatch } from '../../../../bridge/io/native/receive-batch.ts';
import { SendBatch } from '../../../../bridge/io/native/send-batch.ts';
import { NAME_BYTES, nameBytes, writeName } from '../../../../bridge/io/native/socket-name.ts';
import { createNativeSrtpSession } from '../../../../bridge/io/native/srtp.ts';
import { type GeneratorHandler, type GeneratorSocket, OUTGOING_BYTES } from './generator-socket.ts';

const ENDPOINTS_MAX = 65_536;
/** 127.10.0.0, in network order. */
const ADDRESS_PREFIX = '127.10.';

const MESSAGES = 64;
/** A run of datagrams that the kernel put together is up to 64 KiB; not a power of two, so that buffers do not share cache lines. */
const RECEIVE_BYTES = 66_880;
const CONTROL_BYTES = 128;
/** System calls for receiving in one turn of the event loop: publishing has to come to its turn too. */
const RECEIVES_PER_TURN = 16;
/** Asked of the kernel: what a bridge sends in 100 ms at full speed. */
const RECEIVE_BUFFER_BYTES = 64 * 1024 * 1024;

const SENDS = 256;
/** Ports of bridges that a run may have. */
const DESTINATIONS_MAX = 64;

// cmsghdr: length (8), level (4), type (4), data. in_pktinfo: interface (4), local address (4), destination address (4).
const SOL_IP = 0;
const IP_PKTINFO = 8;
const PKTINFO_CONTROL_BYTES = 32;
const SOL_UDP = 17;
const UDP_GRO = 104;
const SOL_SOCKET = 1;
/** Seconds (8) and nanoseconds (8) of the time of day. */
const SCM_TIMESTAMPNS = 35;

/** The endpoint that only ever hears from itself, to compare clocks. */
const CLOCK_ENDPOINT = ENDPOINTS_MAX - 1;
const CLOCK_PINGS = 32;

export class BatchedSocket implements GeneratorSocket {
  readonly kind = 'batched';
  readonly clock: 'kernel' | 'generator';
  readonly createSession = createNativeSrtpSession;
  received = 0;
  sent = 0;
  refused = 0;
  readonly outgoing: Buffer;
  readonly #handler: GeneratorHandler;
  readonly #socket = NativeSocket.open('0.0.0.0', 0);
  readonly #port = this.#socket.name().port;
  readonly #readiness: Readiness;
  readonly #incoming = new NativeMemory(MESSAGES * RECEIVE_BYTES);
  readonly #receives = new ReceiveBatch({
    messages: MESSAGES,
    memory: this.#incoming,
    bufferBytes: RECEIVE_BYTES,
    controlBytes: CONTROL_BYTES,
  });
  readonly #controlWords: Uint32Array;
  readonly #slots = new NativeSlots(SENDS);
  readonly #sends = new SendBatch({ messages: SENDS, pieces: SENDS, controlBytes: PKTINFO_CONTROL_BYTES });
  readonly #sourceControl = Buffer.alloc(PKTINFO_CONTROL_BYTES);
  readonly #destinations = new NativeMemory(DESTINATIONS_MAX * NAME_BYTES);
  readonly #ports: number[] = [];
  readonly #ownDestination: number;
  /** Set by {@link #readControl}. */
  #endpoint = 0;
  #segmentBytes = 0;
  /** µs of the kernel's clock, from {@link #epochSeconds} on; -1 when it told none. */
  #stampUs = -1;
  readonly #epochSeconds = Math.floor(Date.now() / 1_000) - 60;
  /** What {@link nowUs} is behind the kernel's clock. */
  #clockOffsetUs = 0;
  #pingedUs = -1;

  constructor(handler: GeneratorHandler) {
    this.#handler = handler;
    this.outgoing = this.#slots.bytes;
    const { controls } = this.#receives;
    this.#controlWords = new Uint32Array(controls.buffer, controls.byteOffset, controls.length / 4);
    if (!this.#socket.setOption('packetInfo', 1)) throw new Error('the kernel does not tell destination addresses');
    this.#socket.setOption('receiveOffload', 1);
    if (!this.#socket.setOption('receiveBufferForceBytes', RECEIVE_BUFFER_BYTES)) {
      this.#socket.setOption('receiveBufferBytes', RECEIVE_BUFFER_BYTES);
    }
    this.clock = this.#socket.setOption('receiveTimestamps', 1) ? 'kernel' : 'generator';
    this.#sourceControl.writeUInt32LE(16 + 12, 0);
    this.#sourceControl.writeUInt32LE(SOL_IP, 8);
    this.#sourceControl.writeUInt32LE(IP_PKTINFO, 12);
    const { address, port } = this.addressOf(CLOCK_ENDPOINT);
    this.#ownDestination = this.#addDestination(address, port);
    this.#readiness = new Readiness(this.#socket, () => this.#receive());
  }

  nowUs(): number {
    return Math.round(performance.now() * 1_000);
  }

  alignClocks(): void {
    const { sent } = this;
    let shortestUs = Number.POSITIVE_INFINITY;
    for (let ping = 0; ping < CLOCK_PINGS; ping++) {
      const offset = this.reserve();
      this.outgoing[offset] = 0xff;
      this.#queue(CLOCK_ENDPOINT, this.#ownDestination, offset, 1);
      this.#pingedUs = -1;
      const beforeUs = this.nowUs();
      this.flush();
      const afterUs = this.nowUs();
      this.#receive();
      if (this.#pingedUs < 0 || afterUs - beforeUs >= shortestUs) continue;
      shortestUs = afterUs - beforeUs;
      this.#clockOffsetUs = this.#pingedUs - (beforeUs + afterUs) / 2;
    }
    this.sent = sent;
  }

  async open(index: number): Promise<void> {
    if (index >= CLOCK_ENDPOINT) throw new RangeError(`endpoint ${index}; allowed: below ${CLOCK_ENDPOINT}`);
  }

  addressOf(index: number): { address: string; port: number } {
    return { address: `${ADDRESS_PREFIX}${index >> 8}.${index & 0xff}`, port: this.#port };
  }

  reserve(): number {
    return this.#sends.count * OUTGOING_BYTES;
  }

  send(index: number, port: number, offset: number, length: number): void {
    this.#queue(index, this.#destination(port), offset, length);
    if (this.#sends.count === SENDS) this.flush();
  }

  flush(): void {
    const sends = this.#sends;
    let first = 0;
    while (first < sends.count) {
      const sent = sends.send(this.#socket, first);
      if (sent > 0) {
        first += sent;
        this.sent += sent;
      } else {
        this.refused++;
        first++;
      }
    }
    sends.clear();
  }

  async close(): Promise<void> {
    this.#readiness.close();
    this.#socket.close();
    this.#slots.close();
  }

  /** Queues a datagram from endpoint `index` to a place in {@link #destinations}. */
  #queue(index: number, destination: number, offset: number, length: number): void {
    const control = this.#sourceControl;
    // ipi_spec_dst: the source address, in network order.
    control[20] = 127;
    control[21] = 10;
    control[22] = index >> 8;
    control[23] = index & 0xff;
    this.#sends.begin(this.#destinations, destination * NAME_BYTES, nameBytes('IPv4'));
    this.#sends.add(this.#slots.memory, offset, length);
    this.#sends.control(control);
  }

  #destination(port: number): number {
    const known = this.#ports.indexOf(port);
    return known >= 0 ? known : this.#addDestination('127.0.0.1', port);
  }

  #addDestination(address: string, port: number): number {
    const index = this.#ports.length;
    if (index === DESTINATIONS_MAX) throw new RangeError(`more than ${DESTINATIONS_MAX - 1} bridges`);
    writeName(this.#destinations.words, (index * NAME_BYTES) / 4, { address, port, family: 'IPv4' });
    this.#ports.push(port);
    return index;
  }

  #receive(): void {
    const receives = this.#receives;
    for (let call = 0; call < RECEIVES_PER_TURN; call++) {
      const count = receives.receive(this.#socket);
      if (count <= 0) return;
      const nowUs = this.nowUs();
      for (let message = 0; message < count; message++) this.#take(message, nowUs);
      if (count < MESSAGES) return;
    }
  }

  #take(message: number, nowUs: number): void {
    this.#readControl(message);
    if (this.#endpoint === CLOCK_ENDPOINT) {
      this.#pingedUs = this.#stampUs;
      return;
    }
    const receivedUs = this.#stampUs < 0 ? nowUs : this.#stampUs - this.#clockOffsetUs;
    const end = message * RECEIVE_BYTES + this.#receives.lengthOf(message);
    const step = this.#segmentBytes === 0 ? RECEIVE_BYTES : this.#segmentBytes;
    for (let offset = message * RECEIVE_BYTES; offset < end; offset += step) {
      this.received++;
      this.#handler(this.#incoming.bytes, offset, Math.min(step, end - offset), this.#endpoint, receivedUs);
    }
  }

  #readControl(message: number): void {
    const words = this.#controlWords;
    let at = (message * CONTROL_BYTES) / 4;
    const end = at + this.#receives.controlLengthOf(message) / 4;
    this.#segmentBytes = 0;
    this.#stampUs = -1;
    while (at + 4 < end) {
      const level = words[at + 2];
      const type = words[at + 3];
      if (level === SOL_IP && type === IP_PKTINFO) this.#endpoint = endpointOf(words[at + 6]);
      else if (level === SOL_UDP && type === UDP_GRO) this.#segmentBytes = words[at + 4] & 0xffff;
      else if (level === SOL_SOCKET && type === SCM_TIMESTAMPNS) {
        this.#stampUs = (words[at + 4] - this.#epochSeconds) * 1_000_000 + words[at + 6] / 1_000;
      }
      at += Math.max(4, ((words[at] + 7) & ~7) / 4);
    }
  }
}

/** From ipi_addr as it lies in memory (network order, read as a little-endian word). */
function endpointOf(address: number): number {
  return ((address >>> 16) & 0xff) * 256 + (address >>> 24);
}

/** `recvmmsg(2)`: many datagrams with one call, into buffers of native memory. */
import { type Foreign, loadForeign } from './foreign.ts';
import { NativeMemory } from './native-memory.ts';
import type { NativeSocket } from './native-socket.ts';
import { SMALL_INTEGER_MAX, SMALL_INTEGERS } from './small-integers.ts';
import { NAME_BYTES } from './socket-name.ts';

/** See send-batch.ts for the structure. */
const HEADER_WORDS = 16;
const NAME_LENGTH = 2;
const CONTROL_LENGTH = 10;
const FLAGS = 12;
const LENGTH = 14;

const MSG_TRUNC = 0x20;
const NO_TIMEOUT = 0n;
/** What is told when the kernel failed and named no reason. */
const EIO = 5;
const NO_FLAGS = SMALL_INTEGERS[0];

const SOL_UDP = 17;
const UDP_GRO = 104;
/** A cmsghdr and an int, padded. */
export const OFFLOAD_CONTROL_BYTES = 24;

export interface ReceiveBatchOptions {
  /** Datagrams per call, at most SMALL_INTEGER_MAX. */
  readonly messages: number;
  /** Where they are written: message n at `n * bufferBytes`. At least messages x bufferBytes long. */
  readonly memory: NativeMemory;
  readonly bufferBytes: number;
  /** Room for control messages of each (multiple of 8); 0 unless told. */
  readonly controlBytes?: number;
}

export class ReceiveBatch {
  readonly messages: number;
  readonly bufferBytes: number;
  /** Senders' names: message n at word `n * NAME_WORDS`. */
  readonly names: Uint32Array;
  /** Control messages: of message n at byte `n * controlBytes`. */
  readonly controls: Buffer;
  readonly controlBytes: number;
  readonly #foreign: Foreign;
  readonly #headers: NativeMemory;
  readonly #headersPointer: bigint;
  readonly #count: bigint;
  readonly #controls: NativeMemory;
  /** Native code writes to it: it lives as long as this. */
  readonly memory: NativeMemory;
  /** Of the last call. */
  #received = 0;

  constructor(
    { messages, memory, bufferBytes, controlBytes = 0 }: ReceiveBatchOptions,
    foreign: Foreign = loadForeign(),
  ) {
    if (!(messages >= 1 && messages <= SMALL_INTEGER_MAX) || !Number.isInteger(messages))
      throw new RangeError(`${messages} messages; allowed: 1 to ${SMALL_INTEGER_MAX}`);
    if (!(controlBytes >= 0 && controlBytes <= 1024 && controlBytes % 8 === 0) || !Number.isInteger(controlBytes))
      throw new RangeError(`${controlBytes} control bytes; allowed: 0 to 1024 in steps of 8`);
    this.messages = messages;
    this.bufferBytes = bufferBytes;
    this.controlBytes = controlBytes;
    this.memory = memory;
    this.#foreign = foreign;
    this.#count = SMALL_INTEGERS[messages];
    this.#headers = new NativeMemory(messages * (HEADER_WORDS * 4 + 16));
    this.#headersPointer = this.#headers.pointer(0, messages * HEADER_WORDS * 4);
    const names = new NativeMemory(messages * NAME_BYTES);
    this.names = names.words;
    this.#controls = new NativeMemory(Math.max(8, messages * controlBytes));
    this.controls = this.#controls.bytes;
    const { words } = this.#headers;
    for (let message = 0; message < messages; message++) {
      const header = message * HEADER_WORDS;
      const vector = messages * HEADER_WORDS + message * 4;
      names.writeAddress(message * NAME_BYTES, NAME_BYTES, words, header);
      this.#headers.writeAddress(vector * 4, 16, words, header + 4);
      words[header + 6] = 1;
      if (controlBytes > 0) this.#controls.writeAddress(message * controlBytes, controlBytes, words, header + 8);
      memory.writeAddress(message * bufferBytes, bufferBytes, words, vector);
      words[vector + 2] = bufferBytes;
    }
  }

  /** Receives what is there, without waiting: the number of datagrams, or a negative `errno` (-11, EAGAIN: none). Valid until the next call. */
  receive(socket: NativeSocket): number {
    if (!socket.isOpen) throw new RangeError('the socket is closed');
    const { words } = this.#headers;
    for (let message = 0; message < this.messages; message++) {
      const header = message * HEADER_WORDS;
      words[header + NAME_LENGTH] = NAME_BYTES;
      words[header + CONTROL_LENGTH] = this.controlBytes;
    }
    const received = this.#foreign.recvmmsg(socket.descriptor, this.#headersPointer, this.#count, NO_FLAGS, NO_TIMEOUT);
    const result = received >= 0 ? received : -this.#foreign.errno[0] || -EIO;
    this.#received = Math.max(0, result);
    return result;
  }

  /**
   * Bytes of a received message; of a truncated one, those that are there. Throws RangeError, as all below do, for a message that the last call did
   * not receive.
   */
  lengthOf(message: number): number {
    return this.#headers.words[this.#headerOf(message) + LENGTH];
  }

  /** The datagram was larger than its buffer. */
  isTruncated(message: number): boolean {
    return (this.#headers.words[this.#headerOf(message) + FLAGS] & MSG_TRUNC) !== 0;
  }

  controlLengthOf(message: number): number {
    return this.#headers.words[this.#headerOf(message) + CONTROL_LENGTH];
  }

  /**
   * Size of the datagrams that receive offload has put together (the last may be shorter); 0 when it is a single one. For sockets without other
   * control messages.
   */
  segmentBytesOf(message: number): number {
    if (this.controlLengthOf(message) < OFFLOAD_CONTROL_BYTES - 4) return 0;
    const { words } = this.#controls;
    const at = (message * this.controlBytes) / 4;
    return words[at + 2] === SOL_UDP && words[at + 3] === UDP_GRO ? words[at + 4] & 0xffff : 0;
  }

  /** The first word of a message's header. */
  #headerOf(message: number): number {
    if ((message | 0) !== message || message < 0 || message >= this.#received)
      throw new RangeError(`message ${message} of ${this.#received} received`);
    return message * HEADER_WORDS;
  }
}

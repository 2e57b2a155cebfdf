/** `sendmmsg(2)` with UDP segmentation offload: messages are put together from pieces of native memory, then sent with one call. */
import { type Foreign, loadForeign } from './foreign.ts';
import { NativeMemory } from './native-memory.ts';
import type { NativeSocket } from './native-socket.ts';
import { SMALL_INTEGER_MAX, SMALL_INTEGERS } from './small-integers.ts';
import { NAME_BYTES } from './socket-name.ts';

/** Segments in one message: UDP_MAX_SEGMENTS of every kernel since 4.18 is at least this. */
export const SEGMENTS_MAX = 64;
/** Bytes of one message, all segments: what an IPv4 or IPv6 datagram of before the cutting may have, with room for headers. */
export const MESSAGE_BYTES_MAX = 65_000;

/**
 * struct mmsghdr { msg_name, msg_namelen, msg_iov, msg_iovlen, msg_control, msg_controllen, msg_flags, msg_len }: 64 bytes, words as numbered.
 * struct iovec { base, length }: 16 bytes. struct cmsghdr { length, level, type }: 16 bytes, then the data.
 */
const HEADER_WORDS = 16;
const NAME = 0;
const NAME_LENGTH = 2;
const VECTORS = 4;
const VECTOR_COUNT = 6;
const CONTROL = 8;
const CONTROL_LENGTH = 10;
const VECTOR_WORDS = 4;
const SEGMENT_CONTROL_BYTES = 24;
const CONTROL_HEADER_BYTES = 16;
const SOL_UDP = 17;
const UDP_SEGMENT = 103;

const FLAGS = SMALL_INTEGERS[0];

export interface SendBatchOptions {
  /** Messages per call, at most SMALL_INTEGER_MAX. */
  readonly messages: number;
  /** Pieces of all messages together. */
  readonly pieces: number;
  /** Bytes of control data that each message may carry of the caller's (multiple of 8), beside the segment size; 0 unless told. */
  readonly controlBytes?: number;
}

export class SendBatch {
  readonly messagesMax: number;
  readonly piecesMax: number;
  readonly #foreign: Foreign;
  readonly #memory: NativeMemory;
  readonly #controls: NativeMemory;
  readonly #controlBytes: number;
  readonly #vectorsAt: number;
  /** By message: its header, as native calls take it. */
  readonly #headers: readonly bigint[];
  readonly #bytes: Uint32Array;
  /** By message and by piece: what the kernel's structures point into. Kept until it is overwritten by that of a later message. */
  readonly #nameMemories: (NativeMemory | undefined)[];
  readonly #pieceMemories: (NativeMemory | undefined)[];
  #count = 0;
  #pieces = 0;

  constructor({ messages, pieces, controlBytes = 0 }: SendBatchOptions, foreign: Foreign = loadForeign()) {
    if (!(messages >= 1 && messages <= SMALL_INTEGER_MAX) || !Number.isInteger(messages))
      throw new RangeError(`${messages} messages; allowed: 1 to ${SMALL_INTEGER_MAX}`);
    if (!(pieces >= messages && pieces <= 1 << 20) || !Number.isInteger(pieces))
      throw new RangeError(`${pieces} pieces; allowed: ${messages} to ${1 << 20}`);
    if (!(controlBytes >= 0 && controlBytes <= 256 && controlBytes % 8 === 0) || !Number.isInteger(controlBytes))
      throw new RangeError(`${controlBytes} control bytes; allowed: 0 to 256 in steps of 8`);
    this.messagesMax = messages;
    this.piecesMax = pieces;
    this.#foreign = foreign;
    this.#vectorsAt = messages * HEADER_WORDS;
    this.#memory = new NativeMemory((this.#vectorsAt + pieces * VECTOR_WORDS) * 4);
    this.#controlBytes = SEGMENT_CONTROL_BYTES + controlBytes;
    this.#controls = new NativeMemory(messages * this.#controlBytes);
    this.#headers = Array.from({ length: messages }, (_, index) =>
      this.#memory.pointer(index * HEADER_WORDS * 4, HEADER_WORDS * 4),
    );
    this.#bytes = new Uint32Array(messages);
    this.#nameMemories = new Array<undefined>(messages).fill(undefined);
    this.#pieceMemories = new Array<undefined>(pieces).fill(undefined);
    for (let message = 0; message < messages; message++) this.#prepare(message);
  }

  /** Messages that have been begun. */
  get count(): number {
    return this.#count;
  }

  /** Pieces in use. */
  get pieces(): number {
    return this.#pieces;
  }

  /** Begins a message to the name (`nameLength` bytes of NAME_BYTES) at `nameOffset` of `names`. Throws RangeError when the batch is full. */
  begin(names: NativeMemory, nameOffset: number, nameLength: number): void {
    const message = this.#count;
    if (message >= this.messagesMax) throw new RangeError(`the batch is full: ${message} messages`);
    if (!(nameLength >= 16 && nameLength <= NAME_BYTES))
      throw new RangeError(`a name of ${nameLength} bytes; allowed: 16 to ${NAME_BYTES}`);
    const { words } = this.#memory;
    const header = message * HEADER_WORDS;
    names.writeAddress(nameOffset, nameLength, words, header + NAME);
    words[header + NAME_LENGTH] = nameLength;
    this.#nameMemories[message] = names;
    this.#memory.writeAddress((this.#vectorsAt + this.#pieces * VECTOR_WORDS) * 4, 0, words, header + VECTORS);
    words[header + VECTOR_COUNT] = 0;
    words[header + CONTROL_LENGTH] = 0;
    this.#bytes[message] = 0;
    this.#count++;
  }

  /** Adds `length` bytes at `offset` of `memory` to the message begun last. What they are when it is sent, is sent. Throws RangeError when there is no room. */
  add(memory: NativeMemory, offset: number, length: number): void {
    const message = this.#count - 1;
    const pieces = this.#pieces;
    const bytes = this.#bytes[message] + length;
    const { words } = this.#memory;
    const count = message * HEADER_WORDS + VECTOR_COUNT;
    if (message < 0 || pieces >= this.piecesMax)
      throw new RangeError(`no room for a piece: ${pieces} in ${message + 1} messages`);
    if (!(length >= 0 && bytes <= MESSAGE_BYTES_MAX && words[count] < SEGMENTS_MAX))
      throw new RangeError(
        `a message of ${words[count] + 1} pieces, ${bytes} bytes; allowed: ${SEGMENTS_MAX}, ${MESSAGE_BYTES_MAX}`,
      );
    const vector = this.#vectorsAt + pieces * VECTOR_WORDS;
    memory.writeAddress(offset, length, words, vector);
    words[vector + 2] = length;
    words[count]++;
    this.#pieceMemories[pieces] = memory;
    this.#bytes[message] = bytes;
    this.#pieces = pieces + 1;
  }

  /** The message begun last leaves as datagrams of `segmentBytes`, the last one shorter or as long. In place of {@link control}. */
  segment(segmentBytes: number): void {
    const message = this.#count - 1;
    if (message < 0 || (segmentBytes | 0) !== segmentBytes || segmentBytes < 1 || segmentBytes > 0xffff)
      throw new RangeError(`segments of ${segmentBytes} bytes in ${message + 1} messages; allowed: 1 to 65535 in one`);
    const offset = message * this.#controlBytes;
    this.#controls.words[(offset + CONTROL_HEADER_BYTES) / 4] = segmentBytes;
    this.#pointToControl(message, offset, SEGMENT_CONTROL_BYTES);
  }

  /** The message begun last carries these control data of the caller's (whole cmsghdr structures). In place of {@link segment}. */
  control(bytes: Uint8Array): void {
    const message = this.#count - 1;
    const room = this.#controlBytes - SEGMENT_CONTROL_BYTES;
    const { length } = bytes;
    if (message < 0 || (length | 0) !== length || length < 0 || length > room)
      throw new RangeError(`${length} control bytes in ${message + 1} messages; allowed: ${room} in one`);
    const offset = message * this.#controlBytes + SEGMENT_CONTROL_BYTES;
    this.#controls.bytes.set(bytes, offset);
    this.#pointToControl(message, offset, length);
  }

  /**
   * Sends messages from number `first` on. Returns how many the kernel took, at least 1, or the negative `errno` of the first: it was not taken
   * then, and nothing after it. The batch stays as it is: call again with the rest, or {@link clear}.
   */
  send(socket: NativeSocket, first: number): number {
    const messages = this.#count - first;
    if (!socket.isOpen || (first | 0) !== first || first < 0 || messages < 1)
      throw new RangeError(
        `messages from ${first} of ${this.#count} on a socket that is ${socket.isOpen ? 'open' : 'closed'}`,
      );
    const sent = this.#foreign.sendmmsg(socket.descriptor, this.#headers[first], SMALL_INTEGERS[messages], FLAGS);
    return sent > 0 ? sent : -this.#foreign.errno[0] || -EIO;
  }

  clear(): void {
    this.#count = 0;
    this.#pieces = 0;
  }

  /** Both kinds of control data have a place of their own: neither is sent with the length of the other. */
  #pointToControl(message: number, offset: number, length: number): void {
    const { words } = this.#memory;
    const header = message * HEADER_WORDS;
    this.#controls.writeAddress(offset, length, words, header + CONTROL);
    words[header + CONTROL_LENGTH] = length;
  }

  #prepare(message: number): void {
    const offset = message * this.#controlBytes;
    const { words } = this.#controls;
    words[offset / 4] = CONTROL_HEADER_BYTES + 2;
    words[offset / 4 + 2] = SOL_UDP;
    words[offset / 4 + 3] = UDP_SEGMENT;
  }
}

/** What is told when the kernel sent nothing and named no reason. */
const EIO = 5;

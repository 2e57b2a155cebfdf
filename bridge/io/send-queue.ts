/**
 * The send side of a fast port: slots, a queue for each peer, and their way into `sendmmsg`. What is queued for a peer in one turn leaves together, and datagrams of one
 * size in a row become one message which the kernel cuts up (UDP segmentation offload; the last may be shorter). A slot is free, reserved or queued. Nothing allocates.
 */
import { SLOT_BYTES } from '../arena.ts';
import type { PortCounters } from '../port-counters.ts';
import { NativeSlots } from './native/native-slots.ts';
import { MESSAGE_BYTES_MAX, SEGMENTS_MAX, type SendBatch } from './native/send-batch.ts';
import { NAME_BYTES } from './native/socket-name.ts';
import type { PeerNames } from './peer-names.ts';

/** Messages and datagrams of one sending call: a few hundred microseconds. */
export const SEND_MESSAGES = 256;
export const SEND_PIECES = 1024;

/** A power of two, as it is after growing. */
const PLACES_START = 1024;

/** Calls interrupted by a signal before the rest waits for the next turn. */
const INTERRUPTS_MAX = 8;

const NONE = -1;
const EINTR = 4;
const EIO = 5;
const EAGAIN = 11;

/** What the kernel says of the way, or of a moment, and not of runs: EPERM, ENOMEM, ENETDOWN, ENETUNREACH, ENOBUFS, ECONNREFUSED, EHOSTDOWN, EHOSTUNREACH. */
const NOT_ABOUT_RUNS: readonly number[] = [1, 12, 100, 101, 105, 111, 112, 113];

/** Whether runs are made for a peer. */
const MAKES_RUNS = 0;
const NONE_UNTIL_EMPTY = 1;
const NEVER = 2;

export interface SendQueueOptions {
  readonly slots: number;
  readonly names: PeerNames<unknown>;
  readonly batch: SendBatch;
  readonly counters: PortCounters;
  /** Sends the batch from message `first` on: how many were taken, or a negative errno about the first. */
  readonly send: (first: number) => number;
  /** The kernel can cut messages up. */
  readonly sendsRuns: boolean;
  readonly warn: (details: object, message: string) => void;
}

export class SendQueue {
  readonly bytes: Buffer;
  /** Datagrams waiting. */
  queued = 0;
  /** The kernel's buffer was full: nothing is tried until {@link unblock}. */
  isBlocked = false;
  sendsRuns: boolean;
  readonly #options: SendQueueOptions;
  readonly #slots: NativeSlots;
  /** A stack: the slot used last is still in the processor's cache. */
  readonly #free: Uint32Array;
  #freeCount: number;
  readonly #lengths: Uint16Array;
  /** The slot queued after this one for the same peer. */
  readonly #next: Int32Array;
  /** By the peer's place among the names: first and last slot queued, whether it is in `#waiting`, and whether its path has refused a run. */
  #heads = new Int32Array(PLACES_START).fill(NONE);
  #tails = new Int32Array(PLACES_START).fill(NONE);
  #isWaiting = new Uint8Array(PLACES_START);
  #runs = new Uint8Array(PLACES_START);
  /** Places for which something may be queued, the longest waiting first: a ring as long as there are places, because each is in it at most once. */
  #waiting = new Int32Array(PLACES_START);
  #waitingFrom = 0;
  #waitingCount = 0;
  /** By message of the batch: the peer's place, and its first piece. By piece: the slot. */
  readonly #messagePlaces = new Int32Array(SEND_MESSAGES);
  readonly #messagePieces = new Int32Array(SEND_MESSAGES + 1);
  readonly #pieceSlots = new Int32Array(SEND_PIECES);

  constructor(options: SendQueueOptions) {
    const { slots } = options;
    this.#options = options;
    this.sendsRuns = options.sendsRuns;
    this.#slots = new NativeSlots(slots);
    this.bytes = this.#slots.bytes;
    this.#free = Uint32Array.from({ length: slots }, (_, index) => slots - 1 - index);
    this.#freeCount = slots;
    this.#lengths = new Uint16Array(slots);
    this.#next = new Int32Array(slots);
  }

  /** Offset of a free slot, now reserved; -1 when there is none. */
  reserve(): number {
    return this.#freeCount === 0 ? NONE : this.#free[--this.#freeCount] * SLOT_BYTES;
  }

  free(offset: number): void {
    this.#free[this.#freeCount++] = offset / SLOT_BYTES;
  }

  /** Queues a reserved slot for the peer at `place` of the names. */
  queue(offset: number, length: number, place: number): void {
    const slot = offset / SLOT_BYTES;
    if (place >= this.#heads.length) this.#growPlaces(place);
    this.#lengths[slot] = length;
    this.#next[slot] = NONE;
    if (this.#heads[place] !== NONE) this.#next[this.#tails[place]] = slot;
    else {
      this.#heads[place] = slot;
      if (this.#runs[place] === NONE_UNTIL_EMPTY) this.#runs[place] = MAKES_RUNS;
    }
    this.#tails[place] = slot;
    this.queued++;
    this.#wait(place);
  }

  /** Hands what is queued to the kernel, until it takes no more. */
  flush(): void {
    while (this.#waitingCount > 0 && !this.isBlocked) {
      this.#fillBatch();
      this.#transmit();
    }
  }

  unblock(): void {
    this.isBlocked = false;
  }

  /** True when something is queued for the peer at this place. */
  holds(place: number): boolean {
    return place < this.#heads.length && this.#heads[place] !== NONE;
  }

  /** Gives up what is queued for the peer at this place, which may be another's from now on. */
  drop(place: number): void {
    if (place >= this.#heads.length) return;
    for (let slot = this.#heads[place]; slot !== NONE; slot = this.#next[slot]) this.#giveUp(slot);
    this.#heads[place] = NONE;
    this.#runs[place] = MAKES_RUNS;
  }

  /** Gives up everything. Nothing may be queued any more. */
  close(): void {
    this.#options.counters.sendDropped += this.queued;
    this.queued = 0;
    this.#waitingCount = 0;
    this.#slots.close();
  }

  /** Moves queued datagrams into the batch, peer by peer: those of one peer are in a row there. */
  #fillBatch(): void {
    const { batch } = this.#options;
    while (this.#waitingCount > 0) {
      const place = this.#waiting[this.#waitingFrom];
      while (this.#heads[place] !== NONE) {
        if (batch.count === SEND_MESSAGES || batch.pieces === SEND_PIECES) return;
        this.#takeMessage(place);
      }
      this.#isWaiting[place] = 0;
      this.#waitingFrom = (this.#waitingFrom + 1) & (this.#waiting.length - 1);
      this.#waitingCount--;
    }
  }

  /** One message: the first datagram of a peer, and those after it as long as they make a run. */
  #takeMessage(place: number): void {
    const { batch, names } = this.#options;
    const { memory } = this.#slots;
    const mayRun = this.sendsRuns && this.#runs[place] === MAKES_RUNS;
    this.#messagePlaces[batch.count] = place;
    this.#messagePieces[batch.count] = batch.pieces;
    batch.begin(names.memory, place * NAME_BYTES, names.lengthOf(place));
    let slot = this.#heads[place];
    const size = this.#lengths[slot];
    let length = size;
    let bytes = 0;
    for (let pieces = 1; ; pieces++) {
      this.#pieceSlots[batch.pieces] = slot;
      batch.add(memory, slot * SLOT_BYTES, length);
      bytes += length;
      slot = this.#next[slot];
      const isRunOver =
        slot === NONE || !mayRun || length < size || pieces === SEGMENTS_MAX || batch.pieces === SEND_PIECES;
      if (!isRunOver) length = this.#lengths[slot];
      if (!isRunOver && length > 0 && length <= size && bytes + length <= MESSAGE_BYTES_MAX) continue;
      if (pieces > 1) batch.segment(size);
      this.#heads[place] = slot;
      return;
    }
  }

  #transmit(): void {
    const { batch, send, counters } = this.#options;
    this.#messagePieces[batch.count] = batch.pieces;
    let first = 0;
    let interrupts = 0;
    while (first < batch.count) {
      const sent = send(first);
      if (sent > 0) {
        counters.sendCalls++;
        for (const end = Math.min(first + sent, batch.count); first < end; first++) this.#complete(first);
      } else if (sent === -EAGAIN || (sent === -EINTR && ++interrupts > INTERRUPTS_MAX)) {
        this.isBlocked = true;
        counters.sendBlocked++;
        for (let message = batch.count - 1; message >= first; message--) this.#putBack(message);
        break;
      } else if (sent !== -EINTR) first = this.#refuse(first, -sent);
    }
    batch.clear();
  }

  #complete(message: number): void {
    const { counters } = this.#options;
    const from = this.#messagePieces[message];
    const end = this.#messagePieces[message + 1];
    for (let piece = from; piece < end; piece++) {
      const slot = this.#pieceSlots[piece];
      counters.sentBytes += this.#lengths[slot];
      this.#free[this.#freeCount++] = slot;
    }
    counters.sent += end - from;
    if (end - from > 1) counters.sentInRuns += end - from;
    this.queued -= end - from;
  }

  /**
   * Returns the message to go on with. A single datagram is given up. A run (its path has a smaller MTU, its device cannot cut) is tried again one by one, and so that the order
   * stays, with everything behind it for the same peer.
   */
  #refuse(message: number, errno: number): number {
    const { batch, counters, warn } = this.#options;
    const places = this.#messagePlaces;
    const place = places[message];
    const from = this.#messagePieces[message];
    if (this.#messagePieces[message + 1] - from === 1) {
      counters.sendErrors++;
      this.#giveUp(this.#pieceSlots[from]);
      return message + 1;
    }
    this.#runs[place] = NOT_ABOUT_RUNS.includes(errno) ? NONE_UNTIL_EMPTY : NEVER;
    if (errno === EIO && this.sendsRuns) {
      this.sendsRuns = false;
      warn({ errno }, 'the network device cannot segment UDP: datagrams leave one by one');
    }
    let end = message + 1;
    while (end < batch.count && places[end] === place) end++;
    for (let last = end - 1; last >= message; last--) this.#putBack(last);
    return end;
  }

  /** To the front of its peer's queue again, and the peer to the front of those that wait. The last message first: so the queue's tail is still what it was. */
  #putBack(message: number): void {
    const place = this.#messagePlaces[message];
    for (let piece = this.#messagePieces[message + 1] - 1; piece >= this.#messagePieces[message]; piece--) {
      const slot = this.#pieceSlots[piece];
      this.#next[slot] = this.#heads[place];
      this.#heads[place] = slot;
    }
    if (this.#isWaiting[place] !== 0) return;
    this.#isWaiting[place] = 1;
    this.#waitingFrom = (this.#waitingFrom - 1) & (this.#waiting.length - 1);
    this.#waiting[this.#waitingFrom] = place;
    this.#waitingCount++;
  }

  #giveUp(slot: number): void {
    this.#options.counters.sendDropped++;
    this.queued--;
    this.#free[this.#freeCount++] = slot;
  }

  #wait(place: number): void {
    if (this.#isWaiting[place] !== 0) return;
    this.#isWaiting[place] = 1;
    this.#waiting[(this.#waitingFrom + this.#waitingCount++) & (this.#waiting.length - 1)] = place;
  }

  #growPlaces(place: number): void {
    const places = 2 ** Math.ceil(Math.log2(place + 1));
    const waiting = new Int32Array(places);
    for (let index = 0; index < this.#waitingCount; index++)
      waiting[index] = this.#waiting[(this.#waitingFrom + index) & (this.#waiting.length - 1)];
    this.#waiting = waiting;
    this.#waitingFrom = 0;
    this.#heads = grown(this.#heads, new Int32Array(places).fill(NONE));
    this.#tails = grown(this.#tails, new Int32Array(places).fill(NONE));
    this.#isWaiting = grown(this.#isWaiting, new Uint8Array(places));
    this.#runs = grown(this.#runs, new Uint8Array(places));
  }
}

function grown<T extends Int32Array | Uint8Array>(old: T, larger: T): T {
  larger.set(old);
  return larger;
}

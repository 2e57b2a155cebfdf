/** Largest packet kept: an Ethernet datagram, with room for nothing more. */
export const HISTORY_PACKET_BYTES_MAX = 1536;

/** Older packets are not handed out: nobody is still waiting for them. */
export const HISTORY_AGE_MS_MAX = 15_000;

/** Memory that the first packet takes. */
export const HISTORY_BYTES_MIN = 8 * 1024;
/** It grows in chunks of this: what is in a chunk is given up together. */
export const HISTORY_CHUNK_BYTES = 2 * 1024;

/** Packets and bytes kept of one layer at the most, whatever the time. */
const LIMITS = {
  audio: { packets: 128, bytes: 64 * 1024 },
  video: { packets: 512, bytes: 512 * 1024 },
} as const;

/**
 * The time that memory grows for while it is within the limits: three tries of a retransmission, and what it takes to notice that a packet is missing. Nobody
 * is helped by a packet that comes a second late.
 */
const TRIES_KEPT = 3;
const NOTICED_AFTER_MS = 100;
const KEPT_MS_MIN = 300;
const KEPT_MS_MAX = 1_000;

/** Packets that the index has room for at first: an audio layer's. A power of two, as all its sizes: they are masks. */
const INDEX_PACKETS = 16;
/** A turn of the ring that took this many times the kept time has memory to spare. */
const SLOW_TURN = 4;
/** Longer than between two packets of a stream that goes on: silence suppression and shared screens send several a second, or one. */
const PAUSE_MS_MIN = 2_000;

const NEVER = -1;

/**
 * The last packets of one layer, normalised, in one ring of bytes: where the ingress writes them, where projections and links read them, and where
 * retransmissions come from. Bounded by packets and by bytes; the oldest give way. Memory is taken with the first packet, follows the layer's rate, and is
 * given back by {@link release}. It moves only in `offsetFor`: an offset holds until the next reservation.
 *
 * A packet is written in three steps: `offsetFor`, the bytes, `commit`. One reservation is open at a time.
 */
export class PacketHistory {
  /** Empty until the first reservation. Replaced when it grows: read it after `offsetFor`. */
  bytes: Buffer = NOTHING;
  /** Grows with every {@link clear}: sequence numbers of different generations have nothing to do with each other. */
  generation = 0;
  /** Highest extended sequence number committed in this generation, or -1. */
  highest = NEVER;

  private readonly packetsMax: number;
  private readonly bytesMax: number;
  private keptMs = KEPT_MS_MIN;
  /** Bytes ever written to this ring, skipped ends included: a packet whose place has been passed by a whole ring is gone. */
  private written = 0;
  /** Offset of the next packet. */
  private head = 0;
  /** How far the next packets may reach, in chunks: what was in this one may be gone. */
  private chunk = NEVER;
  /** By chunk: when the newest packet in it came, or NEVER. */
  private chunkMs = NO_TIMES;
  /** When this turn of the ring began, and the newest packet came. */
  private turnMs = NEVER;
  private newestMs = NEVER;
  /** By sequence number modulo its size. */
  private index: PacketIndex = EMPTY_INDEX;

  constructor(kind: 'audio' | 'video') {
    this.packetsMax = LIMITS[kind].packets;
    this.bytesMax = LIMITS[kind].bytes;
  }

  /** Makes it last for subscribers whose round trip is up to `rttMs`. */
  keepFor(rttMs: number): void {
    this.keptMs = Math.max(KEPT_MS_MIN, Math.min(KEPT_MS_MAX, TRIES_KEPT * rttMs + NOTICED_AFTER_MS));
  }

  /**
   * Where in `bytes` packet `sequence` (extended) may be written, up to HISTORY_PACKET_BYTES_MAX bytes; -1 when it is held already or older
   * than the window. The oldest packets give up their bytes now.
   */
  offsetFor(sequence: number): number {
    if (sequence <= this.highest - this.packetsMax || this.isHeld(sequence)) return -1;
    if (this.bytes.length === 0) this.resize(HISTORY_BYTES_MIN);
    if (this.reach() !== this.chunk) this.enter();
    if (this.bytes.length - this.head < HISTORY_PACKET_BYTES_MAX) this.turn();
    return this.head;
  }

  /** Keeps the `length` bytes written at the offset that `offsetFor(sequence)` returned. */
  commit(sequence: number, length: number, nowMs: number): void {
    while (this.mustWiden(sequence, nowMs)) this.widen();
    const index = this.index;
    const slot = sequence & (index.packets - 1);
    index.sequences[slot] = sequence;
    index.positions[slot] = this.written;
    index.offsets[slot] = this.head;
    index.lengths[slot] = length;
    index.arrivals[slot] = nowMs;
    this.chunkMs[chunkOf(this.head)] = nowMs;
    this.written += length;
    this.head += length;
    this.chunkMs[chunkOf(this.head - 1)] = nowMs;
    // A pause says nothing about the rate that was before it, and will be again: the turn counts from its end.
    if (this.turnMs < 0 || nowMs - this.newestMs > PAUSE_MS_MIN) this.turnMs = nowMs;
    this.newestMs = nowMs;
    if (sequence > this.highest) this.highest = sequence;
  }

  /** Offset of packet `sequence` in `bytes`, or -1 when it never came or has been overwritten. */
  offsetOf(sequence: number): number {
    return this.isHeld(sequence) ? this.index.offsets[sequence & (this.index.packets - 1)] : NEVER;
  }

  /** Its bytes, or 0 when absent. */
  lengthOf(sequence: number): number {
    return this.isHeld(sequence) ? this.index.lengths[sequence & (this.index.packets - 1)] : 0;
  }

  /** When it was committed, or -1 when absent. */
  arrivedMsOf(sequence: number): number {
    return this.isHeld(sequence) ? this.index.arrivals[sequence & (this.index.packets - 1)] : NEVER;
  }

  /** Forgets everything: the layer's sender began anew, with sequence numbers that do not follow the old ones. */
  clear(): void {
    this.generation++;
    this.highest = NEVER;
    this.index.sequences.fill(NEVER);
  }

  /** Gives its memory back, and the packets with it: the layer has been silent for so long that nobody may have them any more. The stream may go on. */
  release(): void {
    this.bytes = NOTHING;
    this.index = EMPTY_INDEX;
    this.written = 0;
    this.head = 0;
    this.chunk = NEVER;
    this.chunkMs = NO_TIMES;
    this.turnMs = NEVER;
  }

  /** Held until a reservation could reach its bytes; compared with the reservation's full size, so an open one is covered too. */
  private isHeld(sequence: number): boolean {
    const index = this.index;
    const slot = sequence & (index.packets - 1);
    if (index.sequences[slot] !== sequence) return false;
    return index.positions[slot] >= this.written + HISTORY_PACKET_BYTES_MAX - this.bytes.length;
  }

  /**
   * The chunk that the next reservation, and the one after it, may reach into; one behind the last stands for the first, round the end of the ring. Two, for
   * the packet that a reservation may overwrite counts as gone as soon as the one before is committed.
   */
  private reach(): number {
    return chunkOf(Math.min(this.bytes.length, this.head + 2 * HISTORY_PACKET_BYTES_MAX - 1));
  }

  /** What is in the chunk within reach goes, unless it is too young for that. */
  private enter(): void {
    const chunk = this.reach();
    const chunks = this.chunkMs.length;
    const isAhead = chunk === chunks || chunk !== chunkOf(this.head);
    const oldestMs = this.chunkMs[chunk % chunks];
    const heldMs = oldestMs < 0 ? this.keptMs : this.newestMs - oldestMs;
    if (isAhead && this.bytes.length < this.bytesMax && heldMs < this.keptMs) this.grow(heldMs);
    this.chunk = this.reach();
  }

  /** The end of the ring: on from its start, or into a smaller one. */
  private turn(): void {
    if (this.newestMs - this.turnMs > this.keptMs * SLOW_TURN && this.shrink()) return;
    this.written += this.bytes.length - this.head;
    this.head = 0;
    this.turnMs = NEVER;
  }

  /**
   * To what holds the kept time, going by the time it holds now, but by a sixteenth at least and by a half at the most: that time may be of a burst. Rings left
   * behind are not free: V8 marks and compacts the whole heap for each 64 MiB of them.
   */
  private grow(heldMs: number): void {
    const size = this.bytes.length;
    const needed = (size * this.keptMs) / Math.max(1, heldMs);
    const step = Math.min(size / 2, Math.max(size / 16, needed - size));
    this.resize(Math.min(this.bytesMax, size + Math.ceil(step / HISTORY_CHUNK_BYTES) * HISTORY_CHUNK_BYTES));
  }

  /** Into a ring of twice what came within the kept time, when that is at most half of this one. */
  private shrink(): boolean {
    const { packets, arrivals, lengths } = this.index;
    let keptBytes = HISTORY_PACKET_BYTES_MAX;
    for (let slot = 0; slot < packets; slot++) {
      if (arrivals[slot] > this.newestMs - this.keptMs) keptBytes += lengths[slot];
    }
    const size = Math.max(HISTORY_BYTES_MIN, Math.ceil((keptBytes * 2) / HISTORY_CHUNK_BYTES) * HISTORY_CHUNK_BYTES);
    if (size > this.bytes.length / 2) return false;
    this.resize(size);
    this.turnMs = NEVER;
    return true;
  }

  /** Moves the newest packets, as many as fit beside a reservation, to a ring of `size` bytes. */
  private resize(size: number): void {
    const { bytes, index } = this;
    const oldest = this.written + HISTORY_PACKET_BYTES_MAX - Math.min(size, bytes.length);
    const moved = Buffer.allocUnsafeSlow(size);
    this.chunkMs = new Float64Array(size / HISTORY_CHUNK_BYTES).fill(NEVER);
    let head = 0;
    for (let sequence = Math.max(0, this.highest - index.packets + 1); sequence <= this.highest; sequence++) {
      const slot = sequence & (index.packets - 1);
      if (index.sequences[slot] !== sequence || index.positions[slot] < oldest) {
        // Older than the index reaches, or than the ring will hold.
        index.sequences[slot] = NEVER;
        continue;
      }
      const from = index.offsets[slot];
      bytes.copy(moved, head, from, from + index.lengths[slot]);
      index.positions[slot] = head;
      index.offsets[slot] = head;
      head += index.lengths[slot];
      this.chunkMs[chunkOf(head - 1)] = index.arrivals[slot];
    }
    this.bytes = moved;
    this.written = head;
    this.head = head;
    this.chunk = NEVER;
    if (index === EMPTY_INDEX) this.index = new PacketIndex(INDEX_PACKETS);
  }

  /** True when the index is too small: `sequence` is further behind than it reaches, or would push out a packet that is still to be kept. */
  private mustWiden(sequence: number, nowMs: number): boolean {
    const index = this.index;
    if (index.packets === this.packetsMax) return false;
    if (sequence <= this.highest - index.packets) return true;
    const slot = sequence & (index.packets - 1);
    const held = index.sequences[slot];
    return held !== NEVER && held !== sequence && nowMs - index.arrivals[slot] < this.keptMs && this.isHeld(held);
  }

  private widen(): void {
    const narrow = this.index;
    this.index = new PacketIndex(narrow.packets * 2);
    this.index.take(narrow);
  }
}

const NOTHING = Buffer.alloc(0);
const NO_TIMES = new Float64Array(0);

function chunkOf(offset: number): number {
  return Math.floor(offset / HISTORY_CHUNK_BYTES);
}

/** Where packets lie, by sequence number modulo the number of places. */
class PacketIndex {
  readonly packets: number;
  readonly sequences: Float64Array;
  /** As `written` counts. */
  readonly positions: Float64Array;
  readonly offsets: Uint32Array;
  readonly arrivals: Float64Array;
  readonly lengths: Uint16Array;

  /** All in one buffer: one more would cost as much as six packets do. The widest come first, so that each lies aligned. */
  constructor(packets: number) {
    const bytes = new ArrayBuffer(packets * (3 * 8 + 4 + 2));
    this.packets = packets;
    this.sequences = new Float64Array(bytes, 0, packets).fill(NEVER);
    this.positions = new Float64Array(bytes, packets * 8, packets);
    this.arrivals = new Float64Array(bytes, packets * 16, packets);
    this.offsets = new Uint32Array(bytes, packets * 24, packets);
    this.lengths = new Uint16Array(bytes, packets * 28, packets);
  }

  take(narrow: PacketIndex): void {
    for (let from = 0; from < narrow.packets; from++) {
      const sequence = narrow.sequences[from];
      if (sequence === NEVER) continue;
      const slot = sequence & (this.packets - 1);
      this.sequences[slot] = sequence;
      this.positions[slot] = narrow.positions[from];
      this.offsets[slot] = narrow.offsets[from];
      this.arrivals[slot] = narrow.arrivals[from];
      this.lengths[slot] = narrow.lengths[from];
    }
  }
}

/** Of a history without memory: nothing is found in it, and nothing written to it. */
const EMPTY_INDEX = new PacketIndex(1);

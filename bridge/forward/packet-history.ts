/** Largest packet kept: an Ethernet datagram, with room for nothing more. */
export const HISTORY_PACKET_BYTES_MAX = 1536;

/** Older packets are not handed out: nobody is still waiting for them. */
export const HISTORY_AGE_MS_MAX = 15_000;

/** Packets and bytes kept of one layer. 128 audio packets are 2.5 s; 512 KiB of video at 2.5 Mbit/s are 1.6 s. */
const LIMITS = {
  audio: { packets: 128, bytes: 64 * 1024 },
  video: { packets: 512, bytes: 512 * 1024 },
} as const;

const NEVER = -1;

/**
 * The last packets of one layer, normalised, in one ring of bytes: where the ingress writes them, where projections and links read them, and
 * where retransmissions come from. Bounded by packets and by bytes; the oldest give way. Memory is taken with the first packet.
 *
 * A packet is written in three steps: `offsetFor`, the bytes, `commit`. One reservation is open at a time.
 */
export class PacketHistory {
  /** Empty until the first reservation. */
  bytes: Buffer = Buffer.alloc(0);
  /** Grows with every {@link clear}: sequence numbers of different generations have nothing to do with each other. */
  generation = 0;
  /** Highest extended sequence number committed in this generation, or -1. */
  highest = NEVER;

  private readonly packetsMax: number;
  private readonly bytesMax: number;
  /** Bytes ever written, skipped ends included; the place in the ring is this modulo its size. */
  private written = 0;
  /** By sequence number modulo the ring: what is there, where (as `written` counted), how long, since when. */
  private sequences = new Float64Array(0);
  private positions = new Float64Array(0);
  private arrivals = new Float64Array(0);
  private lengths = new Uint16Array(0);

  constructor(kind: 'audio' | 'video') {
    this.packetsMax = LIMITS[kind].packets;
    this.bytesMax = LIMITS[kind].bytes;
  }

  /**
   * Where in `bytes` packet `sequence` (extended) may be written, up to HISTORY_PACKET_BYTES_MAX bytes; -1 when it is held already or older
   * than the window. The oldest packets give up their bytes now.
   */
  offsetFor(sequence: number): number {
    if (this.bytes.length === 0) this.allocate();
    if (sequence <= this.highest - this.packetsMax) return -1;
    if (this.sequences[sequence & (this.packetsMax - 1)] === sequence && this.isHeld(sequence)) return -1;
    const toEnd = this.bytesMax - (this.written & (this.bytesMax - 1));
    if (toEnd < HISTORY_PACKET_BYTES_MAX) this.written += toEnd;
    return this.written & (this.bytesMax - 1);
  }

  /** Keeps the `length` bytes written at the offset that `offsetFor(sequence)` returned. */
  commit(sequence: number, length: number, nowMs: number): void {
    const slot = sequence & (this.packetsMax - 1);
    this.sequences[slot] = sequence;
    this.positions[slot] = this.written;
    this.lengths[slot] = length;
    this.arrivals[slot] = nowMs;
    this.written += length;
    if (sequence > this.highest) this.highest = sequence;
  }

  /** Offset of packet `sequence` in `bytes`, or -1 when it never came or has been overwritten. */
  offsetOf(sequence: number): number {
    return this.isHeld(sequence) ? this.positions[sequence & (this.packetsMax - 1)] & (this.bytesMax - 1) : -1;
  }

  /** Its bytes, or 0 when absent. */
  lengthOf(sequence: number): number {
    return this.isHeld(sequence) ? this.lengths[sequence & (this.packetsMax - 1)] : 0;
  }

  /** When it was committed, or -1 when absent. */
  arrivedMsOf(sequence: number): number {
    return this.isHeld(sequence) ? this.arrivals[sequence & (this.packetsMax - 1)] : NEVER;
  }

  /** Forgets everything: the layer's sender began anew, with sequence numbers that do not follow the old ones. */
  clear(): void {
    this.generation++;
    this.highest = NEVER;
    this.sequences.fill(NEVER);
  }

  /** Held until a reservation could reach its bytes; compared with the reservation's full size, so an open one is covered too. */
  private isHeld(sequence: number): boolean {
    const slot = sequence & (this.packetsMax - 1);
    if (this.sequences.length === 0 || this.sequences[slot] !== sequence) return false;
    return this.positions[slot] >= this.written + HISTORY_PACKET_BYTES_MAX - this.bytesMax;
  }

  private allocate(): void {
    this.bytes = Buffer.allocUnsafeSlow(this.bytesMax);
    this.sequences = new Float64Array(this.packetsMax).fill(NEVER);
    this.positions = new Float64Array(this.packetsMax);
    this.arrivals = new Float64Array(this.packetsMax);
    this.lengths = new Uint16Array(this.packetsMax);
  }
}

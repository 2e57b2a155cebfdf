import { extend16 } from '../sequence.ts';
import { ReplayWindow } from './replay-window.ts';

/** What one direction knows of one SSRC: the packets seen, whose highest index holds the rollover counter (index = ROC x 2^16 + sequence). */
export interface SrtpStream {
  /** The SSRC as a signed number: as unsigned, every other one would be put into a box of its own for each look-up. */
  readonly key: number;
  readonly seen: ReplayWindow;
  /** For eviction: the table's clock at the last accepted packet. */
  usedAt: number;
}

/**
 * The streams of one direction. A new SSRC gets its state only by {@link accept}, so nothing unauthentic fills it. When full,
 * `whenFull` says what happens: incoming, the stream idle longest goes (its rollover counter begins again at 0, as for any new SSRC); outgoing, a new SSRC is refused,
 * because forgetting a counter would let a nonce be used twice.
 */
export class StreamTable {
  readonly #streams = new Map<number, SrtpStream>();
  readonly #limit: number;
  readonly #whenFull: 'evict' | 'refuse';
  #clock = 0;
  /** The stream looked up last: packets come in runs. */
  #recent: SrtpStream | undefined;

  constructor(limit: number, whenFull: 'evict' | 'refuse') {
    this.#limit = limit;
    this.#whenFull = whenFull;
  }

  find(ssrc: number): SrtpStream | undefined {
    const key = ssrc | 0;
    if (this.#recent !== undefined && this.#recent.key === key) return this.#recent;
    const stream = this.#streams.get(key);
    if (stream !== undefined) this.#recent = stream;
    return stream;
  }

  /** True when state for `ssrc` exists or may be made. */
  hasRoomFor(ssrc: number): boolean {
    return this.#whenFull === 'evict' || this.#streams.size < this.#limit || this.#streams.has(ssrc | 0);
  }

  /** Records an authentic packet. */
  accept(stream: SrtpStream | undefined, ssrc: number, index: number): void {
    const known = stream ?? this.#open(ssrc);
    known.usedAt = ++this.#clock;
    known.seen.accept(index);
  }

  #open(ssrc: number): SrtpStream {
    if (this.#streams.size >= this.#limit) this.#evictIdlest();
    const stream = { key: ssrc | 0, seen: new ReplayWindow(), usedAt: 0 };
    this.#streams.set(stream.key, stream);
    return stream;
  }

  #evictIdlest(): void {
    let idlest: SrtpStream | undefined;
    for (const stream of this.#streams.values()) {
      if (idlest === undefined || stream.usedAt < idlest.usedAt) idlest = stream;
    }
    if (idlest === undefined) return;
    this.#streams.delete(idlest.key);
    if (this.#recent === idlest) this.#recent = undefined;
  }
}

/** SSRCs of one client: 64 sources of three encodings with RTX are 384. */
export const INCOMING_SSRCS_MAX = 512;
/** SSRCs sent to one client under one key, over its whole stay: 1024 projections with RTX, renewed eight times. */
export const OUTGOING_SSRCS_MAX = 16_384;

/** The packet index of `sequence` on a stream (RFC 3711 section 3.3.1): nearest to the highest seen. May be negative for one from before the start. */
export function packetIndex(stream: SrtpStream | undefined, sequence: number): number {
  return stream === undefined ? sequence : extend16(sequence, stream.seen.highest);
}

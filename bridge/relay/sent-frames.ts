import { FrameRing, RING_CHUNK_BYTES } from './frame-ring.ts';
import { CLASS_VIDEO, type MediaClass } from './media-class.ts';

/** Places in the index: twice as many frames as a full ring has of the usual size. */
const PLACES_MIN = 256;
const PLACES_MAX = 16_384;
/** In place of a position: this frame is never repeated; nothing is known of it any more. */
const NEVER = -1;
const FORGOTTEN = -2;

/** What is known of a frame that is asked for: its place (0 and up), or one of these. */
export const FRAME_GONE = -1;
export const FRAME_NEVER_REPEATED = -2;

/**
 * The last frames sealed on a session, as datagrams: a NACK is answered with the same bytes, so no nonce is used twice and nothing is encrypted again.
 * Holds what can still be asked for (`keepMs`), at most RING_BYTES_MAX and 16,384 frames; when full, the oldest are overwritten. The index grows and
 * shrinks from `handleTimeout`, never while sending.
 */
export class SentFrames {
  readonly #ring = new FrameRing();
  #positions = new Float64Array(PLACES_MIN);
  #sentMs = new Float64Array(PLACES_MIN);
  #repeatedMs = new Float64Array(PLACES_MIN);
  #lengths = new Uint16Array(PLACES_MIN);
  #classes = new Uint8Array(PLACES_MIN);
  /** The sequence number after the newest; all before it were noted, in order. */
  #next = 0;
  /** No frame before this one is young enough to be asked for. */
  #oldest = 0;

  /** Memory held for datagrams, bytes. */
  get capacityBytes(): number {
    return this.#ring.capacityBytes;
  }

  /** Keeps a copy of a sealed datagram, the next in sequence. */
  store(
    nowMs: number,
    sequence: number,
    mediaClass: MediaClass,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void {
    const place = this.#note(nowMs, sequence);
    if (length > RING_CHUNK_BYTES) return;
    this.#positions[place] = this.#ring.append(nowMs, bytes, offset, length);
    this.#lengths[place] = length;
    this.#classes[place] = mediaClass;
  }

  /** The next in sequence is a frame that is never repeated. */
  pass(nowMs: number, sequence: number): void {
    this.#classes[this.#note(nowMs, sequence)] = CLASS_VIDEO;
  }

  /** The place of a frame that can be repeated, {@link FRAME_GONE}, or {@link FRAME_NEVER_REPEATED}. */
  find(nowMs: number, sequence: number, keepMs: number): number {
    const places = this.#positions.length;
    if (sequence >= this.#next || sequence < 0 || this.#next - sequence > places) return FRAME_GONE;
    const place = sequence & (places - 1);
    const position = this.#positions[place];
    if (position === NEVER) return FRAME_NEVER_REPEATED;
    if (nowMs - this.#sentMs[place] > keepMs || !this.#ring.isHeld(position)) return FRAME_GONE;
    return place;
  }

  classAt(place: number): MediaClass {
    return this.#classes[place] as MediaClass;
  }

  lengthAt(place: number): number {
    return this.#lengths[place];
  }

  /** True when the frame was repeated within `quietMs`. */
  isQuiet(nowMs: number, place: number, quietMs: number): boolean {
    return nowMs - this.#repeatedMs[place] < quietMs;
  }

  /** Copies the datagram to `target`: it is being repeated. */
  repeatTo(nowMs: number, place: number, target: Buffer, targetOffset: number): void {
    this.#repeatedMs[place] = nowMs;
    this.#ring.copyTo(this.#positions[place], this.#lengths[place], target, targetOffset);
  }

  /** The newest frame that can be repeated, as its place; {@link FRAME_GONE} when there is none among the last few. */
  findNewest(nowMs: number, keepMs: number): number {
    for (let sequence = this.#next - 1; sequence >= this.#next - TAIL_FRAMES; sequence--) {
      const place = this.find(nowMs, sequence, keepMs);
      if (place >= 0) return place;
    }
    return FRAME_GONE;
  }

  /** Gives back what cannot be asked for any more, and fits the index to what can. */
  handleTimeout(nowMs: number, keepMs: number): void {
    this.#ring.handleTimeout(nowMs, keepMs);
    const places = this.#positions.length;
    this.#oldest = Math.max(this.#oldest, this.#next - places);
    while (this.#oldest < this.#next && nowMs - this.#sentMs[this.#oldest & (places - 1)] > keepMs) this.#oldest++;
    const needed = this.#next - this.#oldest;
    if (needed > places * 0.75 && places < PLACES_MAX) this.#resize(places * 2);
    else if (needed < places / 8 && places > PLACES_MIN) this.#resize(places / 2);
  }

  #note(nowMs: number, sequence: number): number {
    const place = sequence & (this.#positions.length - 1);
    this.#positions[place] = NEVER;
    this.#sentMs[place] = nowMs;
    this.#repeatedMs[place] = Number.NEGATIVE_INFINITY;
    this.#next = sequence + 1;
    return place;
  }

  #resize(places: number): void {
    const before = this.#positions.length - 1;
    const [positions, sentMs, repeatedMs] = [this.#positions, this.#sentMs, this.#repeatedMs];
    const [lengths, classes] = [this.#lengths, this.#classes];
    this.#positions = new Float64Array(places).fill(FORGOTTEN);
    this.#sentMs = new Float64Array(places);
    this.#repeatedMs = new Float64Array(places);
    this.#lengths = new Uint16Array(places);
    this.#classes = new Uint8Array(places);
    for (let sequence = Math.max(0, this.#next - Math.min(before + 1, places)); sequence < this.#next; sequence++) {
      const from = sequence & before;
      const to = sequence & (places - 1);
      this.#positions[to] = positions[from];
      this.#sentMs[to] = sentMs[from];
      this.#repeatedMs[to] = repeatedMs[from];
      this.#lengths[to] = lengths[from];
      this.#classes[to] = classes[from];
    }
  }
}

/** A session's last frames are mostly of its media; pings and acknowledgements between them are few. */
const TAIL_FRAMES = 64;

import { distance32, EXTENDED_START, extend16 } from '../../protocol/sequence.ts';
import type { PacketName } from './media-packets.ts';

/** A client stops waiting for a packet after this, and goes on with what it has. */
const GIVE_UP_MS = { audio: 120, video: 1_000 } as const;
const NACK_MS = 100;
/** A picture that cannot be decoded is asked for again so often. */
const PLI_MS = 500;
const PACKETS_BEHIND_MAX = 4_096;
const REQUESTS_HEARD = 3;
/** And what it takes to hear the next one, and to make the key frame. */
const REQUESTS_HEARD_MS = 12_000;

interface Held {
  readonly timestamp: number;
  readonly pictureId: number;
  readonly name: PacketName;
}

/** In the place of a packet that was decided against too late to give its number to another. */
type Filler = 'filler';

/**
 * One stream as its subscriber gets it: a jitter buffer, a decoder of its names, and every rule that a projected stream keeps. `fail` is
 * told of what breaks one.
 */
export class StreamViewer {
  readonly kind: 'audio' | 'video';
  readonly ssrc: number;
  /** When the newest frame was complete and decodable, and of which layer. */
  shownMs = Number.NEGATIVE_INFINITY;
  shownLayer = -1;
  frames = 0;
  packets = 0;
  /** Packets that never came. */
  lost = 0;
  readonly #fail: (text: string) => void;
  readonly #held = new Map<number, Held | Filler>();
  /** Numbers given up on: they may still come. */
  readonly #skipped = new Set<number>();
  #next = -1;
  #highest = -1;
  /** Since when `#next` is waited for. */
  #gapMs = Number.POSITIVE_INFINITY;
  #nackedMs = Number.NEGATIVE_INFINITY;
  #askedMs = Number.NEGATIVE_INFINITY;
  #last: Held | undefined;
  /** Nothing is missing between the last packet and the next. */
  #isContiguous = false;
  /** The newest decoded frame that others are decoded from. */
  #base: PacketName | undefined;
  #isWhole = false;
  #isBroken = false;
  /** When key frames began to come that had been asked for: the last ones. */
  readonly #servedMs: number[] = [];
  #isServed = true;

  constructor(kind: 'audio' | 'video', ssrc: number, fail: (text: string) => void) {
    this.kind = kind;
    this.ssrc = ssrc;
    this.#fail = text => fail(`ssrc ${ssrc}: ${text}`);
  }

  handlePacket(
    nowMs: number,
    sequence16: number,
    timestamp: number,
    pictureId: number,
    name: PacketName,
    isRtx: boolean,
  ): void {
    this.packets++;
    if (this.#next < 0) {
      this.#next = EXTENDED_START + sequence16;
      this.#highest = this.#next;
      if (this.kind === 'video' && !isKeyFrameStart(name)) this.#fail(`begins in the middle: ${show(name)}`);
    }
    const sequence = extend16(sequence16, this.#highest);
    if (sequence < this.#next || this.#held.has(sequence)) {
      if (!isRtx && !this.#skipped.delete(sequence)) this.#fail(`sequence number ${sequence16} twice: ${show(name)}`);
      return;
    }
    if (!this.#isServed && isKeyFrameStart(name)) this.#noteServed(nowMs);
    this.#hold(nowMs, sequence, { timestamp, pictureId, name: { ...name } });
  }

  /** A packet without a payload: it only says that its number is not missing. */
  handleFiller(nowMs: number, sequence16: number): void {
    if (this.#next < 0) return;
    const sequence = extend16(sequence16, this.#highest);
    if (sequence >= this.#next && !this.#held.has(sequence)) this.#hold(nowMs, sequence, 'filler');
  }

  /** It has something to ask for. */
  get isNeedy(): boolean {
    return this.#gapMs < Number.POSITIVE_INFINITY || this.#isBroken;
  }

  /** It waits for a key frame, and its requests are more than a bridge listens to (bridge/receive/README.md: three in ten seconds). */
  isPutOff(nowMs: number): boolean {
    return this.#isBroken && this.#servedMs.length === REQUESTS_HEARD && nowMs - this.#servedMs[0] < REQUESTS_HEARD_MS;
  }

  #noteServed(nowMs: number): void {
    this.#isServed = true;
    this.#servedMs.push(nowMs);
    if (this.#servedMs.length > REQUESTS_HEARD) this.#servedMs.shift();
  }

  #hold(nowMs: number, sequence: number, held: Held | Filler): void {
    this.#highest = Math.max(this.#highest, sequence);
    this.#held.set(sequence, held);
    this.#drain(nowMs);
    if (this.#held.size === 0) this.#gapMs = Number.POSITIVE_INFINITY;
    else if (this.#gapMs === Number.POSITIVE_INFINITY) this.#gapMs = nowMs;
    if (this.#held.size > PACKETS_BEHIND_MAX) this.#fail(`${this.#held.size} packets wait for one`);
  }

  /** Gives up on what has been missing for too long. */
  handleTimeout(nowMs: number): void {
    if (nowMs - this.#gapMs < GIVE_UP_MS[this.kind]) return;
    let first = Number.POSITIVE_INFINITY;
    for (const sequence of this.#held.keys()) first = Math.min(first, sequence);
    for (let sequence = this.#next; sequence < first; sequence++) {
      this.#skipped.add(sequence);
      this.lost++;
    }
    this.#next = first;
    this.#isContiguous = false;
    this.#drain(nowMs);
    this.#gapMs = this.#held.size === 0 ? Number.POSITIVE_INFINITY : nowMs;
  }

  /** What is to be NACKed now, into `into`; how many. */
  takeNacks(nowMs: number, into: Uint16Array): number {
    if (this.kind === 'audio' || this.#gapMs === Number.POSITIVE_INFINITY || nowMs - this.#nackedMs < NACK_MS) return 0;
    this.#nackedMs = nowMs;
    let count = 0;
    for (let sequence = this.#next; sequence < this.#highest && count < into.length; sequence++) {
      if (!this.#held.has(sequence)) into[count++] = sequence & 0xffff;
    }
    return count;
  }

  takeKeyFrameRequest(nowMs: number): boolean {
    if (!this.#isBroken || nowMs - this.#askedMs < PLI_MS) return false;
    this.#askedMs = nowMs;
    this.#isServed = false;
    return true;
  }

  #drain(nowMs: number): void {
    for (;;) {
      const held = this.#held.get(this.#next);
      if (held === undefined) return;
      this.#held.delete(this.#next++);
      this.#gapMs = this.#held.size === 0 ? Number.POSITIVE_INFINITY : nowMs;
      this.#isContiguous &&= held !== 'filler';
      if (held === 'filler') continue;
      this.#take(nowMs, held);
      this.#last = held;
      this.#isContiguous = true;
    }
  }

  /** The next packet in the order of sequence numbers. */
  #take(nowMs: number, held: Held): void {
    const last = this.#last;
    const { name } = held;
    if (last !== undefined) {
      const stepTicks = distance32(held.timestamp, last.timestamp);
      if (stepTicks < 0) this.#fail(`timestamp ${-stepTicks} back at ${show(name)} after ${show(last.name)}`);
      if (name.uid < last.name.uid) this.#fail(`an ended publication: ${show(name)} after ${show(last.name)}`);
      const isSameFrame = stepTicks === 0;
      if (isSameFrame) this.#checkSameFrame(name, last.name);
      else this.#checkNextFrame(held, last);
    }
    if (this.kind === 'audio') return this.#show(nowMs, name);
    if (name.index === 0) this.#isWhole = true;
    else if (!this.#isContiguous) this.#isWhole = false;
    if (this.#isWhole && name.index === name.count - 1) this.#decode(nowMs, name);
  }

  #checkSameFrame(name: PacketName, last: PacketName): void {
    if (this.kind === 'audio') return this.#fail(`two packets with one timestamp: ${show(name)}, ${show(last)}`);
    const isSame = name.uid === last.uid && name.layer === last.layer && name.frame === last.frame;
    if (!isSame) return this.#fail(`one frame of two: ${show(name)} with ${show(last)}`);
    if (this.#isContiguous && name.index !== last.index + 1) {
      this.#fail(`a frame out of order: ${show(name)} after ${show(last)}`);
    }
  }

  #checkNextFrame({ name, pictureId }: Held, { name: last, pictureId: lastPictureId }: Held): void {
    const isSameRun = name.uid === last.uid && name.layer === last.layer;
    // A picture that begins anew begins with the last key frame, which may have been shown before.
    if (isSameRun && name.frame <= last.frame && !isKeyFrameStart(name))
      this.#fail(`frame ${show(name)} after ${show(last)}`);
    if (this.kind === 'audio') return;
    if (!isSameRun && this.#isContiguous && !isKeyFrameStart(name)) {
      this.#fail(`a switch without a key frame: ${show(name)} after ${show(last)}`);
    }
    if (!this.#isContiguous) return;
    if (name.index !== 0) this.#fail(`a frame without its beginning: ${show(name)} after ${show(last)}`);
    const isCut = last.index !== last.count - 1;
    if (isCut && !isKeyFrameStart(name)) this.#fail(`a frame without its end: ${show(last)} before ${show(name)}`);
    if (!isCut && pictureId !== ((lastPictureId + 1) & 0x7fff)) {
      this.#fail(`picture id ${pictureId} after ${lastPictureId} at ${show(name)} after ${show(last)}`);
    }
  }

  #decode(nowMs: number, name: PacketName): void {
    const isKeyFrame = name.reference === name.frame;
    const base = this.#base;
    const isDecodable =
      isKeyFrame || (base?.uid === name.uid && base.layer === name.layer && base.frame === name.reference);
    if (isDecodable) {
      this.#isBroken = false;
      if (isKeyFrame || (name.frame & 1) === 0) this.#base = name;
      this.#show(nowMs, name);
    } else this.#isBroken = true;
  }

  #show(nowMs: number, name: PacketName): void {
    this.frames++;
    this.shownMs = nowMs;
    this.shownLayer = name.layer;
  }
}

function isKeyFrameStart(name: PacketName): boolean {
  return name.index === 0 && name.reference === name.frame;
}

function show({ uid, layer, frame, reference, index, count }: PacketName): string {
  return `publication ${uid} layer ${layer} frame ${frame}${reference === frame ? ' (key)' : ''} packet ${index + 1}/${count}`;
}

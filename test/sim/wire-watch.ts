import { FRAME_KEY_FRAME_REQUEST, FRAME_MEDIA, FRAME_OVERHEAD_BYTES } from '../../protocol/octo/header.ts';
import { readUint32 } from '../../protocol/rtp/packet.ts';
import type { PathClass } from './paths.ts';

/** How long a layer may go on after the last one who could want it: the word has to get there, and links linger so that nothing flaps. */
const LINGER_MS = 1_000;
/** A layer that stood in for one that was held back goes on until the next key frame of that. */
const STANDS_IN_MS = 4_500;
/** And after something between the two has changed, that is told only when the link is up again. */
const LINK_UP_MS = 2_000;
const GOES_ON_MS: Readonly<Record<PathClass, number>> = {
  clean: LINGER_MS + 1_000,
  lossy: LINGER_MS + 4_000,
  limited: LINGER_MS + 8_000,
  cut: LINGER_MS + 2_000,
};

/** Sequence numbers this far behind are of another session, not repeats. */
const REPEAT_REACH = 8_192;

/** What is known of one source at one bridge that may watch it. */
interface Wanted {
  /** Layers that somebody there could be shown now, bit by bit. */
  mask: number;
  /** When each was last in the mask. */
  readonly lastMs: [number, number, number];
  /** Who watches what, in one number; and since when it is that. */
  signature: number;
  changedMs: number;
  /** All that is to flow: known once everything there has long been as it is; -1 until then. */
  exactMask: number;
}

export interface WireHost {
  readonly nowMs: number;
  fail(text: string): void;
  /** The sender serves this endpoint. */
  serves(from: number, conferenceId: number, endpointId: number): boolean;
  /** The sender has been told that the other one is of this conference. */
  shares(from: number, to: number, conferenceId: number): boolean;
  pathOf(from: number, to: number): PathClass;
  /** When the link had a send budget last: then a lower layer may stand in for the one that is watched. */
  budgetedMs(from: number, to: number): number;
  /** When the path between them, or one of the two, last changed. */
  disturbedMs(from: number, to: number): number;
  /** When the source itself last changed: one that falls silent is shown, when it comes back, as it was until it can be shown otherwise. */
  sourceChangedMs(conferenceId: number, endpointId: number, sourceId: number): number;
}

/** A sender report on its way: 28 bytes, with header and tag. No media packet is as small. */
const REPORT_FRAME_BYTES = 28 + FRAME_OVERHEAD_BYTES;

export interface Watching {
  readonly mask: number;
  readonly signature: number;
}

/** Looks at every frame as it leaves a bridge: nothing unwanted, nothing of a conference that was left, nothing that had crossed a link before. */
export class WireWatch {
  frames = 0;
  mediaFrames = 0;
  mediaBytes = 0;
  keyFrameRequests = 0;
  readonly #host: WireHost;
  /** By bridge that watches; then by source. */
  readonly #wanted: Map<number, Wanted>[];
  /** Highest sequence number, by direction and label. */
  readonly #highest = new Map<number, number>();

  constructor(host: WireHost, bridges: number) {
    this.#host = host;
    this.#wanted = Array.from({ length: bridges }, () => new Map());
  }

  /** What those who are connected to bridge `at` may be shown now: layer masks by {@link sourceKey}; complete. */
  setWanted(at: number, masks: ReadonlyMap<number, Watching>): void {
    const { nowMs } = this.#host;
    for (const [key, wanted] of this.#wanted[at]) {
      note(wanted, nowMs);
      const { mask, signature } = masks.get(key) ?? NOBODY;
      wanted.mask = mask;
      if (signature !== wanted.signature) wanted.changedMs = nowMs;
      wanted.signature = signature;
    }
    for (const [key, { mask, signature }] of masks) {
      if (this.#wanted[at].has(key)) continue;
      const never = Number.NEGATIVE_INFINITY;
      this.#wanted[at].set(key, { mask, lastMs: [never, never, never], signature, changedMs: nowMs, exactMask: -1 });
    }
  }

  /** Nothing is exactly known of anybody any more. */
  forgetExact(): void {
    for (const sources of this.#wanted) for (const wanted of sources.values()) wanted.exactMask = -1;
  }

  /** No more than `mask` is watched there, if nobody has changed what they watch since `sinceMs`. */
  setExact(at: number, key: number, mask: number, sinceMs: number): void {
    const wanted = this.#wanted[at].get(key);
    if (wanted !== undefined && wanted.changedMs < sinceMs) wanted.exactMask = mask;
  }

  handleFrame(from: number, to: number, bytes: Buffer): void {
    if (bytes[0] < 192) return;
    this.frames++;
    const type = bytes[0] & 0x0f;
    if (type === FRAME_KEY_FRAME_REQUEST) this.keyFrameRequests++;
    if (type !== FRAME_MEDIA) return;
    this.mediaFrames++;
    this.mediaBytes += bytes.length;
    const hops = bytes[1] >> 4;
    if (hops !== 1) this.#host.fail(`a media frame with ${hops} hops`);
    const isRepeat = this.#isRepeat(from, to, bytes[1] & 3, readUint32(bytes, 4));
    const conferenceId = readUint32(bytes, 8);
    const endpointId = readUint32(bytes, 12);
    if (!isRepeat) this.#checkMembership(from, to, conferenceId, endpointId);
    // Reports of a source that is silent go on for the layer that was shown last: only when it sends again can another be shown.
    if (!isRepeat && bytes.length > REPORT_FRAME_BYTES)
      this.#checkWanted(from, to, conferenceId, endpointId, bytes[2], bytes[3]);
  }

  #isRepeat(from: number, to: number, label: number, sequence: number): boolean {
    const key = (from * 64 + to) * 4 + label;
    const highest = this.#highest.get(key) ?? -1;
    if (sequence <= highest && highest - sequence < REPEAT_REACH) return true;
    this.#highest.set(key, sequence);
    return false;
  }

  #checkMembership(from: number, to: number, conferenceId: number, endpointId: number): void {
    if (!this.#host.serves(from, conferenceId, endpointId)) {
      this.#host.fail(`media of endpoint ${endpointId} leaves bridge ${from}, which does not serve it: a loop`);
    }
    if (!this.#host.shares(from, to, conferenceId)) {
      this.#host.fail(`media of conference ${conferenceId} goes from ${from} to ${to}, which has left it`);
    }
  }

  #checkWanted(
    from: number,
    to: number,
    conferenceId: number,
    endpointId: number,
    sourceId: number,
    layer: number,
  ): void {
    const { nowMs } = this.#host;
    const wanted = this.#wanted[to].get(sourceKey(endpointId, sourceId));
    const title = () => `layer ${layer} of source ${sourceId} of endpoint ${endpointId} goes from ${from} to ${to}`;
    if (wanted === undefined) return this.#host.fail(`${title()}, where nobody ever wanted it`);
    if ((wanted.mask & (1 << layer)) !== 0) {
      const isMore = wanted.exactMask >= 0 && (wanted.exactMask & (1 << layer)) === 0;
      if (isMore && nowMs - this.#host.budgetedMs(from, to) > STANDS_IN_MS)
        this.#host.fail(`${title()}, where layers ${layersOf(wanted.exactMask)} are all that is watched`);
      return;
    }
    const host = this.#host;
    const sourceMs = host.sourceChangedMs(conferenceId, endpointId, sourceId);
    const overMs = nowMs - Math.max(wanted.lastMs[layer] ?? 0, host.disturbedMs(from, to) + LINK_UP_MS, sourceMs);
    if (overMs <= GOES_ON_MS[this.#host.pathOf(from, to)]) return;
    this.#host.fail(`${title()}, where nobody has wanted it for ${Math.round(overMs)} ms`);
  }
}

const NOBODY: Watching = { mask: 0, signature: 0 };

/** Of a source in a world: no two endpoints of it have one ID at one time. */
export function sourceKey(endpointId: number, sourceId: number): number {
  return endpointId * 256 + sourceId;
}

function note(wanted: Wanted, nowMs: number): void {
  for (let layer = 0; layer < wanted.lastMs.length; layer++) {
    if ((wanted.mask & (1 << layer)) !== 0) wanted.lastMs[layer] = nowMs;
  }
}

function layersOf(mask: number): string {
  return [0, 1, 2].filter(layer => (mask & (1 << layer)) !== 0).join(', ') || 'none';
}

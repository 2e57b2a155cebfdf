import { DATA_SYMBOLS_MAX } from '../../protocol/octo/reed-solomon.ts';
import { FecGroup } from './fec-group.ts';
import { type FecConditions, fecRule, isOnRule, LEFT_TO_NACK_MAX, WAITS_FOR_FRAMES } from './fec-policy.ts';
import { createProtection, reckonProtection } from './fec-residual.ts';
import type { MediaClass } from './media-class.ts';

/** Weight of the newest group in what a class's groups are like. */
const GAIN = 0.1;
/** What differs by less than this does not change the numbers of parity frames. */
const CHANGE_MIN = 0.1;
const SHORT_MS = 1000;

/** What the lanes of a link have in common. */
export interface LinkConditions extends Omit<FecConditions, 'isOn' | 'isShareSpent' | 'isTargetMet'> {
  /** Frames lost in a row, mean. */
  readonly burstLength: number;
}

/** Forward error correction of one class of media on one link: whether, how much, and the group being made. */
export class FecLane {
  isOn = false;
  /** The rule that decided. */
  reason = 'off-round-trip-unknown';
  /** There only while on. */
  group: FecGroup | undefined;
  /** Groups wait for more frames than those of one tick: that many alone cannot be protected well enough within the share. */
  waits = false;
  readonly #class: MediaClass;
  readonly #protection = createProtection();
  /** Frames in a group, mean: of one that waits for nothing, and of one that waits. */
  #framesAtOnce = 1;
  #framesInWait = DATA_SYMBOLS_MAX;
  /** Sequence numbers from one frame of the class to the next, mean. */
  #spacing = 1;
  #shortMs = Number.NEGATIVE_INFINITY;
  /** What the protection is reckoned for: share and length of losses, spacing, parity for each frame. */
  readonly #reckoned = new Float64Array(4);
  readonly #now = new Float64Array(4);

  constructor(mediaClass: MediaClass) {
    this.#class = mediaClass;
  }

  /** Frames of a group as they are now, mean, rounded. */
  get frames(): number {
    return Math.max(1, Math.round(this.waits ? this.#framesInWait : this.#framesAtOnce));
  }

  /** Parity frames for a group of so many frames. */
  rowsFor(frames: number): number {
    return this.#protection.rows[frames];
  }

  /** The most that any group gets. */
  get rowsMax(): number {
    return this.#protection.rows[DATA_SYMBOLS_MAX];
  }

  /** Decides anew; `rowsPerFrame`: parity frames for each frame that the share has room for. */
  decide(nowMs: number, conditions: LinkConditions, rowsPerFrame: number): void {
    const isShareSpent = nowMs - this.#shortMs < SHORT_MS;
    const isTargetMet = this.#protection.left[this.frames] <= LEFT_TO_NACK_MAX[this.#class];
    this.reason = fecRule({ ...conditions, isOn: this.isOn, isShareSpent, isTargetMet });
    const isOn = isOnRule(this.reason);
    if (isOn) this.#reckon(conditions, rowsPerFrame);
    if (isOn === this.isOn) return;
    this.isOn = isOn;
    this.group = isOn ? new FecGroup() : undefined;
  }

  /** A group has been closed: it had so many frames, of so many that were sent meanwhile; `isShort`: with less parity than it should have. */
  handleClosed(nowMs: number, frames: number, span: number, isShort: boolean): void {
    if (this.waits) this.#framesInWait += (frames - this.#framesInWait) * GAIN;
    else this.#framesAtOnce += (frames - this.#framesAtOnce) * GAIN;
    this.#spacing += (Math.max(1, span / frames) - this.#spacing) * GAIN;
    if (isShort) this.#shortMs = nowMs;
  }

  #reckon({ lossShare, burstLength }: LinkConditions, rowsPerFrame: number): void {
    const now = this.#now;
    now[0] = lossShare;
    now[1] = burstLength;
    now[2] = this.#spacing;
    now[3] = Math.min(DATA_SYMBOLS_MAX, rowsPerFrame);
    if (!now.every((value, index) => isNear(value, this.#reckoned[index]))) {
      this.#reckoned.set(now);
      const model = { share: lossShare, burstLength };
      reckonProtection(model, this.#spacing, LEFT_TO_NACK_MAX[this.#class], now[3], this.#protection);
    }
    const atOnce = Math.max(1, Math.round(this.#framesAtOnce));
    this.waits = WAITS_FOR_FRAMES[this.#class] && this.#protection.left[atOnce] > LEFT_TO_NACK_MAX[this.#class];
  }
}

function isNear(value: number, former: number): boolean {
  return Math.abs(value - former) <= former * CHANGE_MIN;
}

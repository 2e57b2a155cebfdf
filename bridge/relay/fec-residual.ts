import { DATA_SYMBOLS_MAX, PARITY_SYMBOLS_MAX } from '../../protocol/octo/reed-solomon.ts';

/**
 * How a path loses: a chain of two states (Gilbert, "Capacity of a Burst-Noise Channel", 1960) that takes a step per frame and loses all frames of its bad
 * state.
 */
export interface LossModel {
  /** Share lost, 0 to 1. */
  readonly share: number;
  /** Mean number of frames lost in a row, at least 1. */
  readonly burstLength: number;
}

/**
 * What is left to NACK: the share of a group's frames that are lost and not repaired. The group has `frames` frames, each `spacing` (1 or more) link frames
 * behind the one before, and `rows` parity frames, sent one after the other.
 */
export function shareLeft(model: LossModel, frames: number, rows: number, spacing: number): number {
  const { share, burstLength } = model;
  if (share <= 0) return 0;
  if (share >= 1) return 1;
  // What the state one frame ago still says of this one: 0 for independent loss.
  const memory = Math.max(0, 1 - 1 / burstLength - share / (burstLength * (1 - share)));
  const memoryApart = memory ** spacing;
  const total = frames + rows;
  // Probability of having lost n frames so far and being in the good or the bad state.
  let good = new Float64Array(total + 1);
  let bad = new Float64Array(total + 1);
  let goodNext = new Float64Array(total + 1);
  let badNext = new Float64Array(total + 1);
  good[0] = 1 - share;
  bad[1] = share;
  for (let frame = 1; frame < total; frame++) {
    const remembered = frame > frames ? memory : memoryApart;
    const toBad = share * (1 - remembered);
    const toGood = (1 - share) * (1 - remembered);
    badNext[0] = 0;
    for (let lost = 0; lost <= frame + 1; lost++) {
      goodNext[lost] = good[lost] * (1 - toBad) + bad[lost] * toGood;
      if (lost > 0) badNext[lost] = bad[lost - 1] * (1 - toGood) + good[lost - 1] * toBad;
    }
    [good, goodNext] = [goodNext, good];
    [bad, badNext] = [badNext, bad];
  }
  let left = 0;
  for (let lost = rows + 1; lost <= total; lost++) left += (good[lost] + bad[lost]) * lost;
  return left / total;
}

/** Parity frames for a group are at most so many more than its frames: beyond, a repeat is worth more. */
const ROWS_MORE_THAN_FRAMES_MAX = 1;

/** How much parity groups get, by their number of frames: index 1 to 24. */
export interface Protection {
  readonly rows: Uint8Array;
  /** What it leaves to NACK: {@link shareLeft}. */
  readonly left: Float64Array;
}

export function createProtection(): Protection {
  return { rows: new Uint8Array(DATA_SYMBOLS_MAX + 1), left: new Float64Array(DATA_SYMBOLS_MAX + 1).fill(1) };
}

/**
 * Finds for each number of frames the fewest parity frames that leave no more than `target`, or the most there may be: no more than `rowsPerFrame` of them for each
 * frame, which may be none.
 */
export function reckonProtection(
  model: LossModel,
  spacing: number,
  target: number,
  rowsPerFrame: number,
  protection: Protection,
): void {
  let fewest = 1;
  for (let frames = 1; frames <= DATA_SYMBOLS_MAX; frames++) {
    const most = Math.min(PARITY_SYMBOLS_MAX, frames + ROWS_MORE_THAN_FRAMES_MAX, Math.floor(frames * rowsPerFrame));
    // A longer group never needs fewer: the search goes on from where the shorter one's ended.
    let rows = Math.min(fewest, most);
    let left = shareLeft(model, frames, rows, spacing);
    while (rows < most && left > target) left = shareLeft(model, frames, ++rows, spacing);
    fewest = Math.max(1, rows);
    protection.rows[frames] = rows;
    protection.left[frames] = left;
  }
}

/** What a list of decoded frames says about an interruption. Pure. */

export interface Gap {
  /** The last frame before it, and the first after it. */
  readonly fromMs: number;
  readonly toMs: number;
}

/** The longest time without a frame that ended after `sinceMs`, of frames in order. Undefined: fewer than two frames, or none since then. */
export function longestGap(framesAtMs: readonly number[], sinceMs: number): Gap | undefined {
  let longest: Gap | undefined;
  for (let index = 1; index < framesAtMs.length; index++) {
    const [fromMs, toMs] = [framesAtMs[index - 1]!, framesAtMs[index]!];
    if (toMs < sinceMs) continue;
    if (longest === undefined || toMs - fromMs > longest.toMs - longest.fromMs) longest = { fromMs, toMs };
  }
  return longest;
}

/**
 * ms from a fault to the first frame after the interruption that it made; what was under way when it happened is decoded after it and does not count.
 * 0: there was no interruption, which is any gap of `interruptionMsMin` or more.
 */
export function outageMs(framesAtMs: readonly number[], faultAtMs: number, interruptionMsMin: number): number {
  const gap = longestGap(framesAtMs, faultAtMs);
  if (gap === undefined) return Number.POSITIVE_INFINITY;
  return gap.toMs - gap.fromMs < interruptionMsMin ? 0 : gap.toMs - faultAtMs;
}

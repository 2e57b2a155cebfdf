/**
 * What may be spent of a link's send budget on anything but media and control, as shares of it. Together they are over a half, but they are
 * rarely spent together: each is for trouble that the others are not for.
 */
const REPAIR_SHARE = 0.25;
const FEC_SHARE = 0.25;
const MESSAGE_SHARE = 0.25;
/** Messages go on at this rate on any path: a chat line and an answer to a remote call are small. */
const MESSAGE_BPS_MIN = 64_000;
const MESSAGE_BPS_MAX = 30_000_000;
/** How long a share may be saved up: a burst of loss wants its repeats at once. */
const SAVED_MS = 250;

/** Answers to NACKs, bit/s; Infinity without a limit. */
export function repairBps(sendBudgetBps: number): number {
  return sendBudgetBps * REPAIR_SHARE;
}

/** Answers to NACKs at once, after none for a while: bytes. */
export function repairBurstBytes(sendBudgetBps: number): number {
  return (repairBps(sendBudgetBps) * SAVED_MS) / 8000;
}

/** Forward error correction, bit/s; `shareMax`: what is configured. Infinity without a limit: then the configured share is of what is sent. */
export function fecBps(sendBudgetBps: number, shareMax: number): number {
  return sendBudgetBps * Math.min(FEC_SHARE, shareMax);
}

/** Reliable messages in a tick of `tickMs`, bytes with headers, repeats included; finite, never 0. */
export function messageBytesPerTick(sendBudgetBps: number, tickMs: number): number {
  const bps = Math.min(MESSAGE_BPS_MAX, Math.max(MESSAGE_BPS_MIN, sendBudgetBps * MESSAGE_SHARE));
  return (bps * tickMs) / 8000;
}

/** Whether the other end of a link is alive: pings at an interval, silence, round trip. Times are on the caller's clock. */

/** A focus that fell silent for this long is gone: its clients have waited long enough. */
export const SILENCE_MS_MAX = 3_000;
export const PING_INTERVAL_MS = 1_000;

export class Pulse {
  #heardAtMs: number;
  #tickedAtMs: number;
  /** Of the last ping that was answered; undefined before. */
  rttMs: number | undefined;

  constructor(nowMs: number) {
    this.#heardAtMs = nowMs;
    this.#tickedAtMs = nowMs;
  }

  /** Anything came from the other end. */
  handleHeard(nowMs: number): void {
    this.#heardAtMs = nowMs;
  }

  handlePong(nowMs: number, sentAtMs: number): void {
    this.rttMs = Math.max(0, nowMs - sentAtMs);
    this.handleHeard(nowMs);
  }

  /** Call it every {@link PING_INTERVAL_MS}. True: the other end is gone. */
  handleTick(nowMs: number): boolean {
    const heldUpMs = nowMs - this.#tickedAtMs - PING_INTERVAL_MS;
    this.#tickedAtMs = nowMs;
    // A process that was held up itself has not listened: what it missed is no silence of the other.
    if (heldUpMs > PING_INTERVAL_MS) this.#heardAtMs = Math.max(this.#heardAtMs, nowMs - PING_INTERVAL_MS);
    return nowMs - this.#heardAtMs >= SILENCE_MS_MAX;
  }
}

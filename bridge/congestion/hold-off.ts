const MS_MIN = 1_000;
const MS_MAX = 30_000;
/** Of the time that a limit has stood: what has lasted long will last, what is new may soon be over. */
const AGE_SHARE = 0.25;

/** How long nothing is tried after a trial that failed: a second, doubled each time, at most a quarter of the time the limit has stood, at most 30 s. */
export class HoldOff {
  #ms = MS_MIN / 2;
  #dueMs = Number.NEGATIVE_INFINITY;

  isOver(nowMs: number): boolean {
    return nowMs >= this.#dueMs;
  }

  /** `ageMs`: how long it has been known that there is a limit. */
  handleFailure(nowMs: number, ageMs: number): void {
    this.#ms = Math.min(MS_MAX, Math.max(MS_MIN, Math.min(2 * this.#ms, ageMs * AGE_SHARE)));
    this.#dueMs = nowMs + this.#ms;
  }

  /** Nothing before `untilMs`; what failed before counts no more. */
  restart(untilMs: number): void {
    this.#ms = MS_MIN / 2;
    this.#dueMs = untilMs;
  }
}

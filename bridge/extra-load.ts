const WINDOW_MS = 1_000;
/** Windows of which the least counts: a probe or a burst of repeats passes within one or two. */
const WINDOWS = 3;

/** What a link carries beside the media it was granted, as it has been for a while: retransmissions, error correction, messages, state. */
export class ExtraLoad {
  /** 0 until three seconds are measured. */
  bps = 0;
  readonly #windows: number[] = [];
  #startMs = Number.NaN;
  #atMs = 0;
  #startBytes = 0;
  #mediaBits = 0;
  #isSettled = true;

  /** `bytesOut`: all that the link has sent. `mediaBps`: what its media has taken since the last call. A time that is not settled is not judged. */
  update(nowMs: number, bytesOut: number, mediaBps: number, isSettled: boolean): void {
    if (Number.isNaN(this.#startMs)) return this.#begin(nowMs, bytesOut);
    this.#mediaBits += (mediaBps * (nowMs - this.#atMs)) / 1000;
    this.#isSettled &&= isSettled;
    this.#atMs = nowMs;
    const elapsedMs = nowMs - this.#startMs;
    if (elapsedMs < WINDOW_MS) return;
    if (this.#isSettled) {
      const extraBits = Math.max(0, (bytesOut - this.#startBytes) * 8 - this.#mediaBits);
      this.#windows.push((extraBits * 1000) / elapsedMs);
      if (this.#windows.length > WINDOWS) this.#windows.shift();
      if (this.#windows.length === WINDOWS) this.bps = Math.min(...this.#windows);
    }
    this.#begin(nowMs, bytesOut);
  }

  #begin(nowMs: number, bytesOut: number): void {
    this.#startMs = nowMs;
    this.#atMs = nowMs;
    this.#startBytes = bytesOut;
    this.#mediaBits = 0;
    this.#isSettled = true;
  }
}

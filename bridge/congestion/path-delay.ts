/** Time constants of the two averages whose distance is the trend: a video frame's burst is over within the first. */
const FAST_MS = 50;
const SLOW_MS = 200;
/** The base is the smallest smoothed delay of half a minute: clocks that drift by 100 ppm part by 3 ms in it. */
const WINDOW_MS = 5_000;
const WINDOWS = 6;
/** After a pause this long the averages begin anew. */
const PAUSE_MS = 1_000;
/** No queue is this long: the peer's clock is another one. */
const CLOCK_JUMP_MICROS = 5_000_000;
/** RFC 3550 section 6.4.1. */
const JITTER_GAIN = 1 / 16;
const NONE = Number.POSITIVE_INFINITY;

/**
 * One-way delay of what arrives, as far as one end can know it: up to a constant, the difference of two clocks. Only changes count, so
 * all is in relation to the smallest of the last half minute, when the queues were empty. Of what arrives together the smallest counts: a
 * queue that stands delays that one too.
 */
export class PathDelay {
  /** How the delay of frames that follow each other differs, RFC 3550 section 6.4.1. */
  jitterMicros = 0;
  /** Microseconds of delay per second, over the last fifth of a second. */
  trendMicrosPerSecond = 0;
  #reference = 0;
  #isStarted = false;
  #last = 0;
  #tickSmallest = NONE;
  #intervalSmallest = NONE;
  #fast = 0;
  #slow = 0;
  #tickMs = Number.NEGATIVE_INFINITY;
  #smoothed = 0;
  #intervalMs = Number.NEGATIVE_INFINITY;
  readonly #windows = new Float64Array(WINDOWS).fill(NONE);
  #window = 0;

  /** Hot path: a frame that came in order. `sendTime`: of its header. */
  handleFrame(nowMs: number, sendTime: number): void {
    const clocks = Math.floor(nowMs * 1000) - sendTime;
    if (!this.#isStarted) this.#start(clocks);
    let transit = (clocks - this.#reference) | 0;
    if (Math.abs(transit - this.#last) > CLOCK_JUMP_MICROS) {
      this.#start(clocks);
      transit = 0;
    }
    this.jitterMicros += (Math.abs(transit - this.#last) - this.jitterMicros) * JITTER_GAIN;
    this.#last = transit;
    if (transit < this.#tickSmallest) this.#tickSmallest = transit;
  }

  /** Every 10 ms. */
  handleTimeout(nowMs: number): void {
    const delay = this.#tickSmallest;
    if (delay === NONE) return;
    this.#tickSmallest = NONE;
    if (delay < this.#intervalSmallest) this.#intervalSmallest = delay;
    const elapsedMs = nowMs - this.#tickMs;
    this.#tickMs = nowMs;
    if (elapsedMs > PAUSE_MS) {
      this.#fast = delay;
      this.#slow = delay;
    } else {
      this.#fast += (delay - this.#fast) * (elapsedMs / (elapsedMs + FAST_MS));
      this.#slow += (delay - this.#slow) * (elapsedMs / (elapsedMs + SLOW_MS));
    }
    this.trendMicrosPerSecond = ((this.#fast - this.#slow) * 1000) / (SLOW_MS - FAST_MS);
  }

  /** How far what arrived since the last tick stands above the base; 0 before there is one. */
  get queueMicrosNow(): number {
    const base = this.#base();
    return base === NONE || this.#intervalSmallest === NONE ? 0 : Math.max(0, this.#fast - base);
  }

  /** Ends an interval, and returns its queueing delay: its smallest delay above the base. */
  takeQueueMicros(nowMs: number): number {
    const delay = this.#intervalSmallest === NONE ? this.#smoothed : this.#intervalSmallest;
    this.#intervalSmallest = NONE;
    const elapsedMs = nowMs - this.#intervalMs;
    this.#intervalMs = nowMs;
    if (elapsedMs > PAUSE_MS) this.#smoothed = delay;
    else this.#smoothed += (delay - this.#smoothed) * (elapsedMs / (elapsedMs + SLOW_MS));
    this.#remember(nowMs, this.#smoothed);
    return Math.max(0, Math.round(delay - this.#base()));
  }

  #start(clocks: number): void {
    this.#isStarted = true;
    this.#reference = clocks;
    this.#last = 0;
    this.#tickSmallest = NONE;
    this.#intervalSmallest = NONE;
    this.#tickMs = Number.NEGATIVE_INFINITY;
    this.#intervalMs = Number.NEGATIVE_INFINITY;
    this.#windows.fill(NONE);
  }

  #remember(nowMs: number, delay: number): void {
    const window = Math.floor(nowMs / WINDOW_MS);
    const passed = Math.min(WINDOWS, window - this.#window);
    for (let back = 0; back < passed; back++) this.#windows[(window - back) % WINDOWS] = NONE;
    this.#window = window;
    const slot = window % WINDOWS;
    if (delay < this.#windows[slot]) this.#windows[slot] = delay;
  }

  #base(): number {
    let smallest = NONE;
    for (let slot = 0; slot < WINDOWS; slot++) smallest = Math.min(smallest, this.#windows[slot]);
    return smallest;
  }
}

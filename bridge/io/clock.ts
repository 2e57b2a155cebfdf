/** Time as slow drivers see it (seconds, not packets); tests turn it by hand. */
export interface Clock {
  /** Monotonic. */
  nowMs(): number;
  /** Runs `run` once in `delayMs`; the returned function calls it off. */
  after(delayMs: number, run: () => void): () => void;
}

export const SYSTEM_CLOCK: Clock = {
  nowMs: () => performance.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};

/**
 * Jitter: a normal process of mean 0 and deviation 1 whose correlation over a time t is e^(-t/T) (Ornstein-Uhlenbeck, stepped exactly):
 *
 *      x' = c x + sqrt(1 - c²) z      c = e^(-t/T)      z normal
 *
 * The correlation is over time, not per datagram: the packets of one frame, sent together, are late together, at any packet rate.
 */
export class Jitter {
  readonly #random: () => number;
  #value: number;
  #atMs: number | undefined;

  constructor(random: () => number) {
    this.#random = random;
    this.#value = this.#normal();
  }

  /** The deviation at `nowMs`, which never goes back. Takes two random numbers, whatever the settings. */
  next(nowMs: number, correlationMs: number): number {
    const step = this.#normal();
    const elapsedMs = nowMs - (this.#atMs ?? nowMs);
    this.#atMs = nowMs;
    const kept = correlationMs === 0 ? 0 : Math.exp(-elapsedMs / correlationMs);
    this.#value = kept * this.#value + Math.sqrt(1 - kept * kept) * step;
    return this.#value;
  }

  /** Box and Muller, 1958. */
  #normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.#random()));
    return radius * Math.cos(2 * Math.PI * this.#random());
  }
}

/** Endpoints that joined lately, counted in steps of a second: what a bridge reports of load that its measures cannot show yet. */

const STEP_MS = 1_000;
const STEPS = 60;
/** A new endpoint's load is in the measures after so long: it connects, subscribes, its layers rise. Until then it counts by what is left of the time. */
const SETTLING_MS = 20_000;

export class RecentJoins {
  /** Joins of each second, on a ring of a minute. */
  readonly #counts = new Uint32Array(STEPS);
  /** The second that the newest entry of the ring is for. */
  #second = 0;
  /** Of the whole ring: most bridges have had no join for a while, and say so every 2 s. */
  #total = 0;

  note(nowMs: number): void {
    this.#advance(nowMs);
    this.#counts[this.#second % STEPS]!++;
    this.#total++;
  }

  /** Joins in the last minute. */
  lastMinute(nowMs: number): number {
    this.#advance(nowMs);
    return this.#total;
  }

  /** Joins of the last 20 s, each as the share of that time still to come: one that has just joined is 1, one of 10 s ago is a half. */
  unsettled(nowMs: number): number {
    this.#advance(nowMs);
    if (this.#total === 0) return 0;
    let sum = 0;
    for (let age = 0; age * STEP_MS < SETTLING_MS; age++) {
      const second = this.#second - age;
      if (second >= 0) sum += this.#counts[second % STEPS]! * (1 - (age * STEP_MS) / SETTLING_MS);
    }
    return sum;
  }

  #advance(nowMs: number): void {
    const second = Math.floor(nowMs / STEP_MS);
    if (this.#total > 0) this.#forget(second);
    this.#second = Math.max(this.#second, second);
  }

  #forget(second: number): void {
    const last = Math.min(second, this.#second + STEPS);
    for (let each = this.#second + 1; each <= last; each++) {
      this.#total -= this.#counts[each % STEPS]!;
      this.#counts[each % STEPS] = 0;
    }
  }
}

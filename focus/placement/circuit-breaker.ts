/** Whether a service that may be dead is worth waiting for. No clock of its own. */

export interface BreakerSettings {
  /** Failures in a row after which nobody waits for it. */
  readonly failures_max: number;
  /** Before the first probe, and the most it grows to: it doubles with each that fails. */
  readonly pause_ms_min: number;
  readonly pause_ms_max: number;
}

export class CircuitBreaker {
  readonly #settings: BreakerSettings;
  #failures = 0;
  #pauseMs: number;
  #nextProbeMs = 0;
  #isProbing = false;

  constructor(settings: BreakerSettings) {
    this.#settings = settings;
    this.#pauseMs = settings.pause_ms_min;
  }

  /** Nobody waits for the service. */
  get isOpen(): boolean {
    return this.#failures >= this.#settings.failures_max;
  }

  /** `wait` for its answer, `probe` it without waiting (and tell the outcome), or leave it alone (`skip`). */
  permit(nowMs: number): 'wait' | 'probe' | 'skip' {
    if (!this.isOpen) return 'wait';
    if (this.#isProbing || nowMs < this.#nextProbeMs) return 'skip';
    this.#isProbing = true;
    return 'probe';
  }

  succeeded(): void {
    this.#failures = 0;
    this.#isProbing = false;
    this.#pauseMs = this.#settings.pause_ms_min;
  }

  failed(nowMs: number, permit: 'wait' | 'probe'): void {
    const wasOpen = this.isOpen;
    this.#failures++;
    if (permit === 'probe') {
      this.#isProbing = false;
      this.#pauseMs = Math.min(this.#settings.pause_ms_max, this.#pauseMs * 2);
    }
    // Of many that were waiting when it died only the first decides when to look again.
    if (this.isOpen && (permit === 'probe' || !wasOpen)) this.#nextProbeMs = nowMs + this.#pauseMs;
  }
}

/**
 * Which focuses are worth trying first. Two sources: what happened to clients' requests (a short memory), and looks at /healthz. Neither
 * removes a focus: one that is believed down is tried last, so that a wrong belief costs time and never an answer.
 */
export interface FocusHealthOptions {
  /** How long a failed request is held against a focus. */
  readonly memoryMs: number;
}

/** Failed looks in a row before a focus counts as down: one may be a lost packet. */
const PROBES_FAILED_MAX = 2;

interface Record {
  probesFailed: number;
  failedUntilMs: number;
}

/** Knows as many focuses as are configured: records appear only for the origins given to the constructor. */
export class FocusHealth {
  readonly #options: FocusHealthOptions;
  readonly #records: ReadonlyMap<string, Record>;

  constructor(focuses: Iterable<string>, options: FocusHealthOptions) {
    this.#options = options;
    this.#records = new Map(
      [...focuses].map(focus => [focus, { probesFailed: 0, failedUntilMs: Number.NEGATIVE_INFINITY }]),
    );
  }

  /** Every focus once, in the order configured. */
  focuses(): string[] {
    return [...this.#records.keys()];
  }

  isHealthy(nowMs: number, focus: string): boolean {
    const record = this.#records.get(focus);
    return record !== undefined && record.probesFailed < PROBES_FAILED_MAX && nowMs >= record.failedUntilMs;
  }

  /** A client's request could not be handed to this focus. */
  handleRequestFailure(nowMs: number, focus: string): void {
    const record = this.#records.get(focus);
    if (record !== undefined) record.failedUntilMs = nowMs + this.#options.memoryMs;
  }

  /** A client's request was answered. It proves more than any look at /healthz. */
  handleRequestSuccess(focus: string): void {
    this.#clear(focus);
  }

  /** The outcome of one look at /healthz. */
  handleProbe(focus: string, isUp: boolean): void {
    const record = this.#records.get(focus);
    if (record === undefined) return;
    if (isUp) this.#clear(focus);
    else record.probesFailed = Math.min(record.probesFailed + 1, PROBES_FAILED_MAX);
  }

  /** `candidates` without repeats: healthy ones first, each group in the order given. */
  order(nowMs: number, candidates: readonly string[]): string[] {
    const distinct = [...new Set(candidates)];
    const healthy = distinct.filter(focus => this.isHealthy(nowMs, focus));
    return [...healthy, ...distinct.filter(focus => !healthy.includes(focus))];
  }

  #clear(focus: string): void {
    const record = this.#records.get(focus);
    if (record === undefined) return;
    record.probesFailed = 0;
    record.failedUntilMs = Number.NEGATIVE_INFINITY;
  }
}

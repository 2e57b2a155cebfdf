/** Why a budget is what it is. README.md has the story of each. */
export type BudgetReason =
  | 'delay-rising'
  | 'delay-standing'
  | 'queue-overflow'
  | 'loss-with-rate'
  | 'drained'
  | 'additive'
  | 'multiplicative'
  | 'probe-passed'
  | 'probe-found-limit'
  | 'probe-failed'
  | 'path-changed'
  | 'unlimited';

/** One change, or a row of steps for the same reason. Rates in bit/s, null: unlimited. */
export interface BudgetChange {
  readonly sinceMs: number;
  readonly atMs: number;
  readonly reason: BudgetReason;
  readonly fromBps: number | null;
  readonly toBps: number | null;
  readonly queueMs: number;
  readonly deliveredBps: number;
}

const CHANGES_MAX = 32;

/** The last changes of a budget, oldest first; steps of one growth are one entry. */
export class BudgetLog {
  readonly #changes: BudgetChange[] = [];

  get changes(): readonly BudgetChange[] {
    return this.#changes;
  }

  add(
    nowMs: number,
    reason: BudgetReason,
    fromBps: number,
    toBps: number,
    queueMs: number,
    deliveredBps: number,
  ): void {
    const last = this.#changes.at(-1);
    const isSameRow = last?.reason === reason && (reason === 'additive' || reason === 'multiplicative');
    if (isSameRow) this.#changes.pop();
    else if (this.#changes.length === CHANGES_MAX) this.#changes.shift();
    this.#changes.push({
      sinceMs: isSameRow ? last.sinceMs : nowMs,
      atMs: nowMs,
      reason,
      fromBps: isSameRow ? last.fromBps : finite(fromBps),
      toBps: finite(toBps),
      queueMs: Math.round(queueMs * 10) / 10,
      deliveredBps: Math.round(deliveredBps),
    });
  }
}

function finite(bps: number): number | null {
  return Number.isFinite(bps) ? Math.round(bps) : null;
}

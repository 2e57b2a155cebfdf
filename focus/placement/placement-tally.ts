/**
 * Decisions of placement, counted in plain numbers until somebody reads the metrics: at tens of thousands of placements a second, finding the
 * labels of two metrics for each would cost a good part of what placing costs.
 */
import type { FocusMetrics } from '../metrics.ts';

export type TalliedMetrics = Pick<FocusMetrics, 'joins' | 'placements' | 'beforeReading'>;

interface Counted {
  readonly policy: string;
  readonly rule: string;
  decisions: number;
  /** Those that were carried out, by the bridge's region. */
  readonly joins: Map<string, number>;
}

/** As many entries as there are rules, each with as many as there are regions. */
export class PlacementTally {
  readonly #metrics: TalliedMetrics;
  readonly #counted = new Map<string, Map<string, Counted>>();

  constructor(metrics: TalliedMetrics) {
    this.#metrics = metrics;
    metrics.beforeReading(() => this.#handOver());
  }

  /** A decision; `region` of the bridge when it was carried out, else null. */
  note(policy: string, rule: string, region: string | null): void {
    const counted = this.#of(policy, rule);
    counted.decisions++;
    if (region !== null) counted.joins.set(region, (counted.joins.get(region) ?? 0) + 1);
  }

  #of(policy: string, rule: string): Counted {
    let rules = this.#counted.get(policy);
    if (rules === undefined) {
      rules = new Map();
      this.#counted.set(policy, rules);
    }
    let counted = rules.get(rule);
    if (counted === undefined) {
      counted = { policy, rule, decisions: 0, joins: new Map() };
      rules.set(rule, counted);
    }
    return counted;
  }

  #handOver(): void {
    for (const rules of this.#counted.values()) {
      for (const counted of rules.values()) {
        const { policy, rule, decisions, joins } = counted;
        if (decisions > 0) this.#metrics.placements.inc({ policy, rule }, decisions);
        counted.decisions = 0;
        for (const [region, count] of joins) this.#metrics.joins.inc({ rule, region }, count);
        joins.clear();
      }
    }
  }
}

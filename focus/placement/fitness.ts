/** Which bridges the rules are offered. Filters that are preferences hold while any bridge passes them all, and give way one by one. */
import type { BridgeRecord } from '../store/store.ts';
import { FILTERS, type RuleContext } from './rule-sets.ts';

/** Preferences that gave way. */
export type Relaxed = ReadonlySet<string>;

export const NOTHING_RELAXED: Relaxed = new Set();

export function isFit(bridge: BridgeRecord, context: RuleContext, relaxed: Relaxed): boolean {
  if (relaxed !== NOTHING_RELAXED) return rejectionBy(bridge, context, relaxed) === undefined;
  for (let index = 0; index < FILTERS.length; index++) if (FILTERS[index]!.rejects(bridge, context)) return false;
  return true;
}

/** The first filter that takes the bridge out. */
export function rejectionBy(bridge: BridgeRecord, context: RuleContext, relaxed: Relaxed): string | undefined {
  for (const { name, rejects } of FILTERS) if (!relaxed.has(name) && rejects(bridge, context)) return name;
  return undefined;
}

/** Asked when no bridge passes every filter: which preferences must give way so that one does. A filter sees what those before it left. */
export function relaxedFor(bridges: readonly BridgeRecord[], context: RuleContext): Relaxed {
  let left = bridges;
  const given = new Set<string>();
  for (const filter of FILTERS) {
    const passing = left.filter(bridge => !filter.rejects(bridge, context));
    if (passing.length === 0 && left.length > 0 && filter.isPreference) given.add(filter.name);
    else left = passing;
  }
  return given.size === 0 ? NOTHING_RELAXED : given;
}

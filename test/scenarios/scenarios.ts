/** All scenarios: one for each row of "failure and change". */
import { BRIDGE_SCENARIOS } from './bridge-scenarios.ts';
import { CHANGE_SCENARIOS } from './change-scenarios.ts';
import { DRAIN_SCENARIOS } from './drain-scenarios.ts';
import { FOCUS_SCENARIOS } from './focus-scenarios.ts';
import type { Scenario } from './scenario.ts';
import { storeScenarios } from './store-scenarios.ts';

/** Long enough for every lease and expiry of the store (10 s) to be over. The benchmark takes longer when it is told. */
export const STORE_AWAY_MS = 12_000;

export function allScenarios(storeAwayMs = STORE_AWAY_MS): readonly Scenario[] {
  return [
    ...BRIDGE_SCENARIOS,
    ...FOCUS_SCENARIOS,
    ...DRAIN_SCENARIOS,
    ...CHANGE_SCENARIOS,
    ...storeScenarios(storeAwayMs),
  ];
}

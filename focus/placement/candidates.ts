/** What a placement looked at, in words and figures for people. */
import type { BridgeId } from '../../protocol/ids.ts';
import type { BridgeRecord } from '../store/store.ts';
import { expectedStress, joinsLastMinute, lackOf, measureOf, unseenEndpoints } from './bridge-load.ts';
import type { Candidate } from './placement.ts';
import type { SortKey } from './policy.ts';
import type { RuleContext } from './rule-sets.ts';

/** Candidates of one explanation: the chosen one, then the least loaded. `considered` says how many there were. */
export const CANDIDATES_MAX = 100;

/** Ordered by id. */
export function describeCandidates(
  considered: readonly BridgeRecord[],
  chosen: BridgeId | null,
  context: RuleContext,
  key: SortKey,
  rejectionBy: (bridge: BridgeRecord) => string | undefined,
): readonly Candidate[] {
  return shorten(considered, chosen, context).map(bridge => describe(bridge, context, key, rejectionBy(bridge)));
}

function shorten(
  considered: readonly BridgeRecord[],
  chosen: BridgeId | null,
  { settings }: RuleContext,
): readonly BridgeRecord[] {
  if (considered.length <= CANDIDATES_MAX) return considered;
  const byStress = considered.toSorted((a, b) => expectedStress(a, settings) - expectedStress(b, settings));
  const others = byStress.filter(({ bridgeId }) => bridgeId !== chosen);
  const kept = new Set(others.slice(0, CANDIDATES_MAX - 1).map(({ bridgeId }) => bridgeId));
  return considered.filter(({ bridgeId }) => bridgeId === chosen || kept.has(bridgeId));
}

function describe(
  bridge: BridgeRecord,
  { atMs, settings, inConference: countOf }: RuleContext,
  key: SortKey,
  rejectedBy: string | undefined,
): Candidate {
  const { bridgeId, report } = bridge;
  const inConference = countOf(bridge);
  const lacks = lackOf(bridge, inConference, settings);
  return {
    bridgeId,
    region: report.peer.region,
    ...(report.host === undefined ? {} : { host: report.host }),
    stress: expectedStress(bridge, settings),
    inConference,
    reportedStress: report.load.stress,
    ...(report.load.scarcest === undefined ? {} : { scarcest: report.load.scarcest }),
    unseenEndpoints: unseenEndpoints(bridge),
    joinsLastMinute: joinsLastMinute(bridge),
    ...(key === 'random' ? {} : { measure: measureOf(bridge, key, atMs, settings) }),
    ...(rejectedBy === undefined ? {} : { rejectedBy }),
    ...(lacks === undefined ? {} : { lacks }),
  };
}

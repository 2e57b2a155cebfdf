/** One placement decision: view in, explained choice out. Pure, so that a store can repeat it and a test can know it. */
import type { BridgeId } from '../../protocol/ids.ts';
import type { BridgeRecord, PlacementView } from '../store/store.ts';
import type { Candidate, Placement } from './placement.ts';
import type { RegionDistances } from './region-distance.ts';
import { byDistance, type Contender, FILTERS, REGION_RULES, type RuleContext } from './region-rules.ts';

/** Settings of `placement.*`; see focus/config-schema.ts for units and reasons. */
export interface PlacementSettings {
  readonly report_age_ms_max: number;
  readonly overload_stress: number;
  readonly endpoint_stress: number;
  readonly participants_per_bridge_max: number;
  readonly region_groups: readonly (readonly string[])[];
}

/** Where a client of `region` goes. `bridgeId` is null, and `rule` `no-bridge`, only when every bridge is unfit. */
export function chooseBridge(
  view: PlacementView,
  region: string,
  settings: PlacementSettings,
  distances: RegionDistances,
): Placement {
  const contenders = view.bridges.map(bridge => contender(view, bridge, region, settings, distances));
  const context = ruleContext(contenders, region, settings);
  const rejections = rejectUnfit(contenders, context);
  const fit = contenders.filter(bridge => !rejections.has(bridge.bridgeId));
  const placedFor = regionToServe(fit, context);
  const matched = firstMatch(fit, { ...context, region: placedFor, group: groupOf(placedFor, settings) });
  return {
    bridgeId: matched?.bridgeId ?? null,
    rule: matched?.rule ?? 'no-bridge',
    region,
    placedFor,
    candidates: contenders.map(bridge => candidate(bridge, rejections.get(bridge.bridgeId))),
    at: view.atMs,
  };
}

function contender(
  view: PlacementView,
  { bridgeId, report, reportedAtMs, placedSinceReport }: BridgeRecord,
  clientRegion: string,
  settings: PlacementSettings,
  distances: RegionDistances,
): Contender {
  return {
    bridgeId,
    region: report.peer.region,
    host: report.host,
    version: report.version,
    isDraining: report.state === 'draining',
    reportAgeMs: view.atMs - reportedAtMs,
    stress: report.load.stress + placedSinceReport * settings.endpoint_stress,
    placedSinceReport,
    inConference: view.inConference.get(bridgeId) ?? 0,
    rttMs: distances.rttMs(clientRegion, report.peer.region),
  };
}

function ruleContext(contenders: readonly Contender[], region: string, settings: PlacementSettings): RuleContext {
  const ofConference = contenders.filter(bridge => bridge.inConference > 0);
  return {
    region,
    group: groupOf(region, settings),
    reportAgeMsMax: settings.report_age_ms_max,
    overloadStress: settings.overload_stress,
    participantsPerBridgeMax: settings.participants_per_bridge_max,
    conferenceVersions: new Set(ofConference.map(bridge => bridge.version)),
    conferenceHosts: new Set(ofConference.flatMap(({ host }) => host ?? [])),
  };
}

function groupOf(region: string, settings: PlacementSettings): ReadonlySet<string> {
  return new Set([region, ...(settings.region_groups.find(group => group.includes(region)) ?? [])]);
}

/** The filter that took each unfit bridge out. */
function rejectUnfit(contenders: readonly Contender[], context: RuleContext): Map<BridgeId, string> {
  const rejections = new Map<BridgeId, string>();
  for (const filter of FILTERS) {
    const left = contenders.filter(bridge => !rejections.has(bridge.bridgeId));
    const rejected = left.filter(bridge => filter.rejects(bridge, context));
    if (filter.isPreference && rejected.length === left.length) continue;
    for (const bridge of rejected) rejections.set(bridge.bridgeId, filter.name);
  }
  return rejections;
}

/** The client's own region while it, or its group, has a fit bridge; else the nearest that has, if any distance is known. */
function regionToServe(fit: readonly Contender[], context: RuleContext): string {
  if (fit.some(bridge => context.group.has(bridge.region))) return context.region;
  const nearest = fit.toSorted(byDistance)[0];
  return nearest !== undefined && Number.isFinite(nearest.rttMs) ? nearest.region : context.region;
}

function firstMatch(
  fit: readonly Contender[],
  context: RuleContext,
): { readonly rule: string; readonly bridgeId: BridgeId } | undefined {
  for (const rule of REGION_RULES) {
    const winner = fit.filter(bridge => rule.matches(bridge, context)).toSorted(rule.order)[0];
    if (winner !== undefined) return { rule: rule.name, bridgeId: winner.bridgeId };
  }
  return undefined;
}

function candidate(bridge: Contender, rejectedBy: string | undefined): Candidate {
  const { bridgeId, region, host, stress, inConference } = bridge;
  return {
    bridgeId,
    region,
    ...(host === undefined ? {} : { host }),
    stress,
    inConference,
    ...(rejectedBy === undefined ? {} : { rejectedBy }),
  };
}

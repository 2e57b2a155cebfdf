/**
 * The bridge that a reconnecting client was on: its refreshed token names it. It is used again while it can take the client as well as any other could, so that a full reconnect does not
 * scatter a meeting; else the rules decide, and the placement says why.
 */
import type { BridgeId } from '../../protocol/ids.ts';
import type { BridgeRecord } from '../store/store.ts';
import { type Lack, lackOf } from './bridge-load.ts';
import type { PlacementSettings } from './choose-bridge.ts';
import { NOTHING_RELAXED, rejectionBy } from './fitness.ts';
import type { Filter, RuleContext } from './rule-sets.ts';

/** The rule's name in explanations, the log and metrics. */
export const STICKY_RULE = 'sticky-bridge';

/** What the token says. */
export interface Sticky {
  readonly bridgeId: BridgeId;
  /** A focus of this network wrote it: where machines are concerned, nobody else's word counts. */
  readonly isSealed: boolean;
}

/**
 * Why the bridge is not used: somebody else named it; it is not up any more; a filter takes it out (`silent`, `draining`, `other-version`); it has no room; the conference is to be on one bridge
 * and is on another; the client was placed away from its region, which has a bridge again.
 */
export type StickyRefusal = 'not-sealed' | 'gone' | Filter['name'] | Lack | 'conference-elsewhere' | 'region-is-back';

/** For the explanation. `ignored` is absent when the bridge is used again. */
export interface StickyOutcome {
  readonly bridgeId: BridgeId;
  readonly ignored?: StickyRefusal;
}

/** Why `bridge` does not get its client back; undefined when it does. `servedRegions`: the region placed for, and its group. */
export function stickyRefusal(
  { isSealed }: Sticky,
  bridge: BridgeRecord | undefined,
  context: RuleContext,
  settings: PlacementSettings,
  conferenceBridges: number,
  servedRegions: readonly string[],
): StickyRefusal | undefined {
  if (!isSealed) return 'not-sealed';
  if (bridge === undefined) return 'gone';
  const inConference = context.inConference(bridge);
  const unfit = rejectionBy(bridge, context, NOTHING_RELAXED) ?? lackOf(bridge, inConference, settings);
  if (unfit !== undefined) return unfit;
  if (settings.kind === 'single' && conferenceBridges > 0 && inConference === 0) return 'conference-elsewhere';
  const goesByRegion = settings.kind === 'region' || settings.kind === 'last-used';
  return goesByRegion && !servedRegions.includes(bridge.report.peer.region) ? 'region-is-back' : undefined;
}

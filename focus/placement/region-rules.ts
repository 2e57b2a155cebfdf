/**
 * The rule set `region`: a participant goes to the least-loaded bridge of its own region, preferably one that has the conference
 * already, else one on the same machine as a bridge that has it. Filters take unfit bridges out, then the first rule with a match decides. README.md has both as tables.
 */
import type { BridgeId } from '../../protocol/ids.ts';

/** A bridge as the rules see it. */
export interface Contender {
  readonly bridgeId: BridgeId;
  readonly region: string;
  /** Name of its machine; undefined when it does not say, and then it has no neighbours. */
  readonly host: string | undefined;
  readonly version: string;
  readonly isDraining: boolean;
  readonly reportAgeMs: number;
  /** Reported stress plus the estimate for what was placed since. */
  readonly stress: number;
  readonly placedSinceReport: number;
  readonly inConference: number;
  /** Round trip from the client's region, Infinity when unknown. */
  readonly rttMs: number;
}

/** What the rules compare with. */
export interface RuleContext {
  /** The client's region, or the nearest with a usable bridge. */
  readonly region: string;
  /** Regions that may stand in for it, itself included. */
  readonly group: ReadonlySet<string>;
  readonly reportAgeMsMax: number;
  readonly overloadStress: number;
  readonly participantsPerBridgeMax: number;
  /** Software versions of the conference's bridges; empty for a new conference. */
  readonly conferenceVersions: ReadonlySet<string>;
  /** Machines of the conference's bridges, as far as they are known. */
  readonly conferenceHosts: ReadonlySet<string>;
}

export interface Filter {
  /** What a bridge it takes out is said to be. */
  readonly name: string;
  readonly rejects: (bridge: Contender, context: RuleContext) => boolean;
  /** A preference gives way when it would leave no bridge. */
  readonly isPreference: boolean;
}

export interface Rule {
  readonly name: string;
  readonly matches: (bridge: Contender, context: RuleContext) => boolean;
  /** Which of several matches wins: negative when `a` goes first. */
  readonly order: (a: Contender, b: Contender) => number;
}

export const FILTERS: readonly Filter[] = [
  {
    name: 'silent',
    rejects: (bridge, context) => bridge.reportAgeMs >= context.reportAgeMsMax,
    isPreference: false,
  },
  {
    name: 'other-version',
    rejects: (bridge, { conferenceVersions }) => conferenceVersions.size > 0 && !conferenceVersions.has(bridge.version),
    isPreference: true,
  },
  { name: 'draining', rejects: bridge => bridge.isDraining, isPreference: true },
];

type Condition = Rule['matches'];
const all =
  (...conditions: readonly Condition[]): Condition =>
  (bridge, context) =>
    conditions.every(holds => holds(bridge, context));

const isInRegion: Condition = (bridge, context) => bridge.region === context.region;
const isInGroup: Condition = (bridge, context) => context.group.has(bridge.region);
const hasConference: Condition = bridge => bridge.inConference > 0;
const isOnHost: Condition = ({ host }, { conferenceHosts }) => host !== undefined && conferenceHosts.has(host);
const isBelowCap: Condition = (bridge, context) => bridge.inConference < context.participantsPerBridgeMax;
const hasRoom = all((bridge, context) => bridge.stress < context.overloadStress, isBelowCap);

/** Least stress; equal ones by fewest placed lately, then by name: the same view always has the same answer. */
export function byLoad(a: Contender, b: Contender): number {
  return a.stress - b.stress || a.placedSinceReport - b.placedSinceReport || (a.bridgeId < b.bridgeId ? -1 : 1);
}

/** Nearest first; equally near (or equally unknown) ones by load. */
export function byDistance(a: Contender, b: Contender): number {
  return a.rttMs === b.rttMs ? byLoad(a, b) : a.rttMs - b.rttMs;
}

export const REGION_RULES: readonly Rule[] = [
  { name: 'in-conference-in-region', matches: all(hasRoom, hasConference, isInRegion), order: byLoad },
  { name: 'on-host-in-region', matches: all(hasRoom, isOnHost, isInRegion), order: byLoad },
  { name: 'in-conference-in-group', matches: all(hasRoom, hasConference, isInGroup), order: byLoad },
  { name: 'in-region', matches: all(hasRoom, isInRegion), order: byLoad },
  { name: 'on-host-in-group', matches: all(hasRoom, isOnHost, isInGroup), order: byLoad },
  { name: 'in-group', matches: all(hasRoom, isInGroup), order: byLoad },
  { name: 'in-conference-elsewhere', matches: all(hasRoom, hasConference), order: byDistance },
  { name: 'on-host-elsewhere', matches: all(hasRoom, isOnHost), order: byDistance },
  { name: 'elsewhere', matches: hasRoom, order: byDistance },
  { name: 'overloaded-in-conference', matches: all(hasConference, isBelowCap), order: byLoad },
  { name: 'least-loaded', matches: () => true, order: byLoad },
];

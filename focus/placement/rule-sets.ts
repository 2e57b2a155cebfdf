/**
 * The rule sets that placement can go by (`placement.kind`), as data: a list of named rules, first match wins. Filters take unfit
 * bridges out before. README.md has all of it as tables.
 */
import { CONTROL_VERSION, FIRST_PROTOCOLS } from '../../protocol/control/events.ts';
import type { BridgeId } from '../../protocol/ids.ts';
import type { BridgeRecord } from '../store/store.ts';
import type { LoadSettings } from './bridge-load.ts';
import { lackOf } from './bridge-load.ts';
import type { PolicyKind } from './policy.ts';

/** What rules and filters compare with. */
export interface RuleContext {
  readonly atMs: number;
  readonly settings: LoadSettings & { readonly report_age_ms_max: number };
  /** Participants of the conference on this bridge. */
  readonly inConference: (bridge: BridgeRecord) => number;
  /** Software versions of the conference's bridges, each once; empty for a new conference. */
  readonly conferenceVersions: readonly string[];
  /** Versions of Octo that those speak. */
  readonly conferenceOctoVersions: readonly number[];
  /** Signs of its life are missing (focus/bridges/bridge-health.ts). */
  readonly isSuspected: (bridgeId: BridgeId) => boolean;
}

export type Condition = (bridge: BridgeRecord, context: RuleContext) => boolean;

export interface Filter {
  /** What a bridge it takes out is said to be. */
  readonly name: 'silent' | 'incompatible' | 'suspected' | 'other-version' | 'draining';
  readonly rejects: Condition;
  /** A preference gives way when it would leave no bridge. */
  readonly isPreference: boolean;
}

export interface Rule {
  readonly name: string;
  /** Bridges that have the conference, bridges on the machines of those, the one that an external service named, or all. */
  readonly of: 'conference' | 'its-hosts' | 'named' | 'all';
  /** Where they are: in the region placed for, in its group, or anywhere. */
  readonly where: 'region' | 'group' | 'anywhere';
  readonly needs: Condition;
  /**
   * Least load, most load, fewest participants of the conference; or nearest to the client's region, or with the shortest round trip between it
   * and the others, and of those the least load.
   */
  readonly first: 'least' | 'fullest' | 'fewest' | 'nearest' | 'shortest';
}

/** Bridges that may not be used, or rather not. In this order; each sees what the ones before it left. */
export const FILTERS: readonly Filter[] = [
  {
    name: 'silent',
    rejects: (bridge, { atMs, settings }) => atMs - bridge.reportedAtMs >= settings.report_age_ms_max,
    isPreference: false,
  },
  {
    // Without a link the conference would be two, and what is said in another language is not understood: no preference.
    name: 'incompatible',
    rejects: ({ report }, { conferenceOctoVersions }) => {
      const { control, octo } = report.protocols ?? FIRST_PROTOCOLS;
      return (
        control !== CONTROL_VERSION || (conferenceOctoVersions.length > 0 && !conferenceOctoVersions.includes(octo))
      );
    },
    isPreference: false,
  },
  { name: 'suspected', rejects: ({ bridgeId }, { isSuspected }) => isSuspected(bridgeId), isPreference: true },
  {
    name: 'other-version',
    rejects: ({ report }, { conferenceVersions }) =>
      conferenceVersions.length > 0 && !conferenceVersions.includes(report.version),
    isPreference: true,
  },
  { name: 'draining', rejects: ({ report }) => report.state === 'draining', isPreference: true },
];

export const hasRoom: Condition = (bridge, context) =>
  lackOf(bridge, context.inConference(bridge), context.settings) === undefined;
const isBelowCap: Condition = (bridge, { inConference, settings }) =>
  inConference(bridge) < settings.participants_per_bridge_max;
const any: Condition = () => true;

/** When nothing has room, and so at the end of every set: there is no join that a fit bridge would not take. */
const LEAST_LOADED: Rule = { name: 'least-loaded', of: 'all', where: 'anywhere', needs: any, first: 'least' };

const REGION_RULES: readonly Rule[] = [
  { name: 'in-conference-in-region', of: 'conference', where: 'region', needs: hasRoom, first: 'least' },
  { name: 'on-host-in-region', of: 'its-hosts', where: 'region', needs: hasRoom, first: 'least' },
  { name: 'in-conference-in-group', of: 'conference', where: 'group', needs: hasRoom, first: 'least' },
  { name: 'in-region', of: 'all', where: 'region', needs: hasRoom, first: 'least' },
  { name: 'on-host-in-group', of: 'its-hosts', where: 'group', needs: hasRoom, first: 'least' },
  { name: 'in-group', of: 'all', where: 'group', needs: hasRoom, first: 'least' },
  { name: 'in-conference-elsewhere', of: 'conference', where: 'anywhere', needs: hasRoom, first: 'nearest' },
  { name: 'on-host-elsewhere', of: 'its-hosts', where: 'anywhere', needs: hasRoom, first: 'nearest' },
  { name: 'elsewhere', of: 'all', where: 'anywhere', needs: hasRoom, first: 'nearest' },
  { name: 'overloaded-in-conference', of: 'conference', where: 'anywhere', needs: isBelowCap, first: 'least' },
  LEAST_LOADED,
];

const SINGLE_RULES: readonly Rule[] = [
  // Whatever its load: that a conference is on one bridge is the point.
  { name: 'on-its-bridge', of: 'conference', where: 'anywhere', needs: any, first: 'least' },
  { name: 'in-region', of: 'all', where: 'region', needs: hasRoom, first: 'least' },
  { name: 'in-group', of: 'all', where: 'group', needs: hasRoom, first: 'least' },
  { name: 'elsewhere', of: 'all', where: 'anywhere', needs: hasRoom, first: 'nearest' },
  LEAST_LOADED,
];

const LEAST_LOADED_RULES: readonly Rule[] = [
  { name: 'least-loaded-with-room', of: 'all', where: 'anywhere', needs: hasRoom, first: 'least' },
  LEAST_LOADED,
];

const LAST_USED_RULES: readonly Rule[] = [
  { name: 'in-conference-in-region', of: 'conference', where: 'region', needs: hasRoom, first: 'fullest' },
  { name: 'fullest-in-region', of: 'all', where: 'region', needs: hasRoom, first: 'fullest' },
  { name: 'in-conference-in-group', of: 'conference', where: 'group', needs: hasRoom, first: 'fullest' },
  { name: 'fullest-in-group', of: 'all', where: 'group', needs: hasRoom, first: 'fullest' },
  { name: 'in-conference-elsewhere', of: 'conference', where: 'anywhere', needs: hasRoom, first: 'nearest' },
  { name: 'elsewhere', of: 'all', where: 'anywhere', needs: hasRoom, first: 'nearest' },
  LEAST_LOADED,
];

const SPLIT_RULES: readonly Rule[] = [
  { name: 'fewest-of-conference', of: 'all', where: 'anywhere', needs: hasRoom, first: 'fewest' },
  LEAST_LOADED,
];

const LATENCY_RULES: readonly Rule[] = [
  { name: 'shortest-between-people', of: 'all', where: 'anywhere', needs: hasRoom, first: 'shortest' },
  LEAST_LOADED,
];

/** Before the rules of `placement.http.fallback`. A bridge without room is no answer, however it was meant. */
export const NAMED_BY_SERVICE: Rule = {
  name: 'named-by-service',
  of: 'named',
  where: 'anywhere',
  needs: hasRoom,
  first: 'least',
};

/** Every set ends with a rule that any fit bridge matches. */
export const RULE_SETS: Readonly<Record<Exclude<PolicyKind, 'http'>, readonly Rule[]>> = {
  region: REGION_RULES,
  single: SINGLE_RULES,
  'least-loaded': LEAST_LOADED_RULES,
  'last-used': LAST_USED_RULES,
  split: SPLIT_RULES,
  latency: LATENCY_RULES,
};

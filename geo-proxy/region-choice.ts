/**
 * A client's region, as a list of named rules: the first that applies decides, and its name goes into the log, the metric and `GET /region`.
 * The region is where the client is; it does not change when that region's focus is down. What changes then is who serves it: see `ranking`.
 */
import { nearestRegions, pointOf, type Region } from '../protocol/geo.ts';
import type { Location } from './location.ts';

/** A region and the origin of the focus that serves it first. */
export interface ServedRegion extends Region {
  readonly focus: string;
}

export interface Question {
  /** From the development path prefix; the caller has checked that such a region exists. */
  readonly prefixRegion: string | undefined;
  readonly isPrivateAddress: boolean;
  readonly location: Location | undefined;
}

export interface RankedFocus {
  readonly region: string;
  readonly focus: string;
  /** From the client, or from its region when the client's own place is unknown; null without coordinates on either side. */
  readonly distanceKm: number | null;
}

export interface RegionChoice {
  readonly region: string;
  readonly rule: RuleName;
  /** Why, in a sentence for people. */
  readonly explanation: string;
  /** All regions, the chosen one first: the order in which focuses are tried. */
  readonly ranking: readonly RankedFocus[];
}

export type RuleName = 'path-prefix' | 'private-address' | 'nearest' | 'not-located';

interface Rule {
  readonly name: RuleName;
  /** The region this rule gives, undefined when it does not apply. */
  readonly region: (question: Question, regions: readonly ServedRegion[], defaultRegion: string) => string | undefined;
  readonly explanation: string;
}

const RULES: readonly Rule[] = [
  {
    name: 'path-prefix',
    region: question => question.prefixRegion,
    explanation: 'the path prefix names the region (development mode)',
  },
  {
    name: 'private-address',
    region: (question, _regions, defaultRegion) => (question.isPrivateAddress ? defaultRegion : undefined),
    explanation: 'a private or loopback address has no place on the map: the default region',
  },
  {
    name: 'nearest',
    region: (question, regions) => nearest(question, regions),
    explanation: 'the region nearest to where the database places the address',
  },
  {
    name: 'not-located',
    region: (_question, _regions, defaultRegion) => defaultRegion,
    explanation: 'the database does not know the address, or no region has coordinates: the default region',
  },
];

/** Chooses among `regions` (at least one; `defaultRegion` is one of them). The same question always has the same answer. */
export function chooseRegion(
  question: Question,
  regions: readonly ServedRegion[],
  defaultRegion: string,
): RegionChoice {
  for (const rule of RULES) {
    const region = rule.region(question, regions, defaultRegion);
    if (region === undefined) continue;
    return { region, rule: rule.name, explanation: rule.explanation, ranking: rank(rule, question, regions, region) };
  }
  throw new Error('the last rule applies to everybody');
}

function nearest(question: Question, regions: readonly ServedRegion[]): string | undefined {
  if (question.location === undefined) return undefined;
  const first = nearestRegions(question.location.point, regions)[0];
  return first !== undefined && Number.isFinite(first.distanceKm) ? first.region.name : undefined;
}

/** The chosen region, then by distance from the client when the rule is about its place, else from the chosen region. */
function rank(rule: Rule, question: Question, regions: readonly ServedRegion[], chosen: string): RankedFocus[] {
  const own = regions.find(region => region.name === chosen);
  const from = rule.name === 'nearest' ? question.location?.point : own === undefined ? undefined : pointOf(own);
  const ranked: RankedFocus[] =
    from === undefined
      ? regions.map(({ name, focus }) => ({ region: name, focus, distanceKm: null }))
      : nearestRegions(from, regions).map(({ region, distanceKm }) => ({
          region: region.name,
          focus: region.focus,
          distanceKm: Number.isFinite(distanceKm) ? Math.round(distanceKm) : null,
        }));
  return [...ranked.filter(entry => entry.region === chosen), ...ranked.filter(entry => entry.region !== chosen)];
}

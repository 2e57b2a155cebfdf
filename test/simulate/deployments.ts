/** The ways of deploying bridges that are compared. All are placed by the production code: only what it is asked differs. */
import type { Policy, PolicyKind } from '../../focus/placement/policy.ts';
import { WORLD } from './regions.ts';

export interface Deployment {
  readonly name: string;
  readonly about: string;
  /** The region that placement is asked for, by index of the client's and of the first joiner's. */
  readonly regionFor: (client: number, first: number) => string;
  /** Null: the policy under test. */
  readonly override: Partial<Policy> | null;
}

/** On no map: every region is as far from it, so load alone decides. */
const ANYWHERE = 'anywhere';

/** The policy under test, beside it the rule set by round trips (or, where that is under test, the default), and deployments without a cascade. */
export function deployments(underTest: PolicyKind): readonly Deployment[] {
  const [cascade, ...others] = DEPLOYMENTS;
  const kind = underTest === 'latency' ? 'region' : 'latency';
  const compared: Deployment = {
    name: `cascade-${kind}`,
    about: `the same by rule set ${kind}`,
    regionFor: client => WORLD[client]!.name,
    override: { kind },
  };
  return [cascade!, compared, ...others];
}

export const DEPLOYMENTS: readonly Deployment[] = [
  {
    name: 'cascade',
    about: 'each participant in its own region, bridges relay to each other',
    regionFor: client => WORLD[client]!.name,
    override: null,
  },
  {
    name: 'single-bridge',
    about: 'each meeting on one bridge, wherever the load is least',
    regionFor: () => ANYWHERE,
    override: { kind: 'single', sort_by: 'stress', algorithm: 'lowest' },
  },
  {
    name: 'first-joiner',
    about: "each meeting on bridges of its first joiner's region",
    regionFor: (_client, first) => WORLD[first]!.name,
    override: { kind: 'region', sort_by: 'stress', algorithm: 'lowest' },
  },
];

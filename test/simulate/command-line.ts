import { ALGORITHMS, POLICY_KINDS, type Policy, SORT_KEYS } from '../../focus/placement/policy.ts';
import { wholeNumber as number, parseOptions, UsageError } from '../command-line.ts';
import { deployments } from './deployments.ts';
import { WORLD } from './regions.ts';

export interface Command {
  readonly seed: number;
  readonly participants: number;
  readonly bridges: number;
  readonly hours: number;
  readonly startHour: number;
  readonly policy: Policy;
  readonly flashCrowd: number;
  readonly lostRegion: string | null;
  readonly drainShare: number;
  /** Of the deployments only this one; null: all of them. */
  readonly only: string | null;
  /** Path of the plots; null: none. */
  readonly svg: string | null;
  readonly isJson: boolean;
}

/** Nobody is there to be asked by http. */
const KINDS = POLICY_KINDS.filter(kind => kind !== 'http');
const REGIONS = WORLD.map(({ name }) => name);

export const USAGE = `npm run simulate -- [options]

A day of meetings around the world, placed by the focus's own code on bridges that report every 2 s, in virtual time and from one seed.
The same people meet in four deployments: the cascade by the policy under test and by kind latency (else region), one bridge for each meeting, and
the first joiner's region for each meeting.

  --participants <n>   in meetings at the world's busiest hour, to 1000000 (default: 20000)
  --bridges <n>        in ${WORLD.length} regions, by their people, to 2000 (default: 100)
  --hours <n>          simulated time, to 48 (default: 24)
  --start <hour>       of the first day, UTC (default: 0)
  --kind <name>        rule set of the cascade: ${KINDS.join(', ')}
  --sort-by <name>     ${SORT_KEYS.join(', ')}
  --algorithm <name>   ${ALGORITHMS.join(', ')}
  --flash-crowd <n>    people of one region who join one meeting within a minute, 0: none (default: a 20th of the participants)
  --lose <region>      for 15 minutes, or none (default: eu-central); ${REGIONS.slice(0, 4).join(', ')}, ...
  --drain <percent>    of each region's bridges, for 15 minutes (default: 10)
  --only <name>        of the deployments: cascade, cascade-latency (or -region), single-bridge, first-joiner (default: one after the other)
  --seed <n>           (default: 1)
  --svg <path>         plots over time
  --json               all figures, for machines
  --help               this text
`;

/** Undefined: they ask for help. Throws {@link UsageError}. */
export function readCommandLine(args: readonly string[]): Command | undefined {
  const values = parse(args);
  if (values.help === true) return undefined;
  const participants = number('--participants', values.participants ?? '20000', 1, 1_000_000);
  const lost = values.lose ?? 'eu-central';
  const kind = oneOf('--kind', values.kind ?? 'region', KINDS);
  const names = deployments(kind).map(({ name }) => name);
  return {
    seed: number('--seed', values.seed ?? '1', 1, 2 ** 28),
    participants,
    bridges: number('--bridges', values.bridges ?? '100', WORLD.length, 2_000),
    hours: number('--hours', values.hours ?? '24', 1, 48),
    startHour: number('--start', values.start ?? '0', 0, 23),
    policy: {
      kind,
      sort_by: oneOf('--sort-by', values['sort-by'] ?? 'stress', SORT_KEYS),
      algorithm: oneOf('--algorithm', values.algorithm ?? 'lowest', ALGORITHMS),
    },
    flashCrowd: number('--flash-crowd', values['flash-crowd'] ?? `${Math.round(participants / 20)}`, 0, 1_000_000),
    lostRegion: lost === 'none' ? null : oneOf('--lose', lost, [...REGIONS, 'none']),
    drainShare: number('--drain', values.drain ?? '10', 0, 100) / 100,
    only: values.only === undefined ? null : oneOf('--only', values.only, names),
    svg: values.svg ?? null,
    isJson: values.json === true,
  };
}

function parse(args: readonly string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  return parseOptions(args, {
    participants: text,
    bridges: text,
    hours: text,
    start: text,
    kind: text,
    'sort-by': text,
    algorithm: text,
    'flash-crowd': text,
    lose: text,
    drain: text,
    only: text,
    seed: text,
    svg: text,
    json: flag,
    help: flag,
  });
}

function oneOf<const V extends string>(name: string, value: string, allowed: readonly V[]): V {
  const found = allowed.find(each => each === value);
  if (found === undefined) throw new UsageError(`${name} is ${value}; allowed: ${allowed.join(', ')}`);
  return found;
}

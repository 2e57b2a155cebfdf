import { parseOptions, UsageError, wholeNumber } from '../command-line.ts';

export interface Command {
  /** First seed, and how many from there on. */
  readonly from: number;
  readonly worlds: number;
  readonly jobs: number;
  /** Print every step of a world, failed or not; only for one. */
  readonly isTraced: boolean;
}

/** What `npm test` lives through. */
export const WORLDS = 2_000;
export const JOBS = 2;
const WORLDS_MAX = 1_000_000;
const JOBS_MAX = 64;
const SEED_MAX = 2 ** 31 - 1;

export const USAGE = `npm run worlds -- [options]

Lives through worlds: a cascade of bridges, a bad network and people, all in one process and in virtual time, all from one seed.

  --seed <n>      one world, this one
  --trace         with --seed: every step of it, also when all goes well
  --from <n>      the first of several worlds (default: 1)
  --worlds <n>    how many (default: ${WORLDS})
  --jobs <n>      in how many threads (default: ${JOBS})
  --help          this text

The exit code is 1 when an invariant did not hold in some world: its seed, its steps and what was wrong are printed.
`;

/** Undefined: they ask for help. Throws {@link UsageError}. */
export function readCommandLine(args: readonly string[]): Command | undefined {
  const values = parse(args);
  if (values.help === true) return undefined;
  if (values.seed !== undefined && (values.from !== undefined || values.worlds !== undefined)) {
    throw new UsageError('--seed is one world; --from and --worlds are for several');
  }
  if (values.trace === true && values.seed === undefined) throw new UsageError('--trace needs --seed');
  if (values.seed !== undefined) {
    return { from: number('--seed', values.seed, SEED_MAX), worlds: 1, jobs: 1, isTraced: values.trace === true };
  }
  return {
    from: number('--from', values.from ?? '1', SEED_MAX),
    worlds: number('--worlds', values.worlds ?? `${WORLDS}`, WORLDS_MAX),
    jobs: number('--jobs', values.jobs ?? `${JOBS}`, JOBS_MAX),
    isTraced: false,
  };
}

function parse(args: readonly string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  return parseOptions(args, { seed: text, trace: flag, from: text, worlds: text, jobs: text, help: flag });
}

function number(name: string, value: string, max: number): number {
  return wholeNumber(name, value, 1, max);
}

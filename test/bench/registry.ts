/** The benchmarks of `npm run bench`. Each is loaded when it is asked for. */
import { type FailoverFigures, meetsFailoverAims, renderFailoverText } from './failover-figures.ts';
import type { GuardFigures } from './forward/guard.ts';
import { type ForwardFigures, renderText } from './forward/report.ts';
import { type JoinFigures, meetsJoinAims } from './join-figures.ts';
import { type LinkFigures, meetsAims, renderText as renderLinkText } from './link/report.ts';
import { meetsPlacementAims, type PlacementFigures, renderPlacementText } from './placement-figures.ts';

export interface BenchmarkOptions {
  /** A smaller run, to see whether the benchmark works; its figures are rough. */
  readonly quick: boolean;
  /** Only these cases; empty: all. */
  readonly cases: readonly string[];
  /** Only this way of moving packets; undefined: all that work here. */
  readonly datapath: 'fast' | 'portable' | undefined;
  /** Write the figures to docs/benchmarks/ too. */
  readonly docs: boolean;
  /** Put the figures on record, for later runs to be held against. */
  readonly accept: boolean;
  /** How often each case runs; undefined: as often as the benchmark does by itself. */
  readonly runs: number | undefined;
  /** How long the store stays away where that is what is measured. */
  readonly storeAwayMs: number | undefined;
  /** For people who wait. */
  progress(line: string): void;
}

/** Options beyond --quick and --json, which every benchmark takes. */
export type SpecialOption = 'case' | 'datapath' | 'docs' | 'accept' | 'runs' | 'store-away-s';

export interface Benchmark {
  readonly name: string;
  readonly summary: string;
  readonly takes?: readonly SpecialOption[];
  /** Figures by name, nested as it suits; units are in the names. An Error's message is for the user. */
  run(options: BenchmarkOptions): Promise<object>;
  /** The figures as text that ends with a line break; a line per figure without it. */
  readonly render?: (figures: object) => string;
  /** False when the figures are a failure: the exit code is 1 then. */
  readonly holds?: (figures: object) => boolean;
}

export const BENCHMARKS: readonly Benchmark[] = [
  {
    name: 'join',
    summary:
      'ms to the join response and to the first decoded frame, p50 and p95 over 30 joins, with the store near and 200 ms away; fails when a join waits for more than that',
    run: async options => (await import('./join.ts')).runJoin(options),
    holds: figures => meetsJoinAims(figures as JoinFigures),
  },
  {
    name: 'failover',
    summary:
      'bridges, focuses and the store hurt in every way, 20 times each: p50 and p95 of how long pictures stand still; fails when an aim is missed',
    takes: ['case', 'runs', 'store-away-s', 'docs'],
    run: async options => (await import('./failover.ts')).runFailover(options),
    render: figures => renderFailoverText(figures as FailoverFigures),
    holds: figures => meetsFailoverAims(figures as FailoverFigures),
  },
  {
    name: 'placement',
    summary:
      'placements per second of one core at 2000 bridges, and how evenly 92 joins in 31 s spread; fails below its aims',
    takes: ['docs'],
    run: async options => (await import('./placement.ts')).runPlacement(options),
    render: figures => renderPlacementText(figures as PlacementFigures),
    holds: figures => meetsPlacementAims(figures as PlacementFigures),
  },
  {
    name: 'projection',
    summary: 'ns to write one packet for one subscriber, beside a bare copy of it',
    run: async () => ({ cases: (await import('./projection.ts')).measureProjection() }),
  },
  {
    name: 'fec',
    summary: 'ns of forward error correction on a link, per packet and parity row, beside a bare copy of it',
    run: async () => (await import('./fec.ts')).measureFec(),
  },
  {
    name: 'tick',
    summary: "CPU ms of a bridge's clock per second, 1000 endpoints and 40 x 40, idle and busy",
    run: async options => (await import('./tick.ts')).runTick(options),
  },
  {
    name: 'snapshot',
    summary: "bytes and CPU of a room's snapshot, 500 participants: nothing changed, all changed, restored",
    run: async options => (await import('./snapshot.ts')).runSnapshot(options),
  },
  {
    name: 'memory',
    summary: 'kB per whole endpoint, by part, and per further subscription',
    run: async options => (await import('./memory.ts')).runMemory(options),
  },
  {
    name: 'handshakes',
    summary: 'ms that 50 joins a second add to media, with and without the DTLS queue, and CPU per join',
    run: async options => (await import('./handshakes.ts')).runHandshakes(options),
  },
  {
    name: 'forward',
    summary:
      'CPU per forwarded packet, latency, loss and memory of a bridge under load, beside the least it could cost',
    takes: ['case', 'datapath', 'docs'],
    run: async options => (await import('./forward/run-forward.ts')).runForward(options),
    render: figures => renderText(figures as ForwardFigures),
  },
  {
    name: 'link',
    summary: 'what links between bridges do on bad networks, beside what they are to do; fails when an aim is missed',
    takes: ['case', 'docs'],
    run: async options => (await import('./link/run-link.ts')).runLink(options),
    render: figures => renderLinkText(figures as LinkFigures),
    holds: figures => meetsAims(figures as LinkFigures),
  },
  {
    name: 'forward-guard',
    summary: 'a minute that fails when forwarding costs a fifth more than on record, as a ratio to the floor',
    takes: ['accept'],
    run: async options => (await import('./forward/guard.ts')).runGuard(options),
    holds: figures => (figures as GuardFigures).holds,
  },
];

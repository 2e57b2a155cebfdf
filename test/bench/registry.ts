/** The benchmarks of `npm run bench`. Each is loaded when it is asked for. */
export interface BenchmarkOptions {
  /** A smaller run, to see whether the benchmark works; its figures are rough. */
  readonly quick: boolean;
  /** For people who wait. */
  progress(line: string): void;
}

export interface Benchmark {
  readonly name: string;
  readonly summary: string;
  /** Figures by name, nested as it suits; units are in the names. */
  run(options: BenchmarkOptions): Promise<object>;
}

export const BENCHMARKS: readonly Benchmark[] = [
  {
    name: 'join',
    summary: 'ms from connect to the first decoded frame across three regions, p50 and p95 over 30 joins',
    run: async options => (await import('./join.ts')).runJoin(options),
  },
  {
    name: 'projection',
    summary: 'ns to write one packet for one subscriber, beside a bare copy of it',
    run: async () => ({ cases: (await import('./projection.ts')).measureProjection() }),
  },
];

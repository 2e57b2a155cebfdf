/** `npm run bench -- failover`: every scenario of test/scenarios again and again, each run a process of its own with a network of its own. */
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { RunResult, Scenario } from '../scenarios/scenario.ts';
import { allScenarios, STORE_AWAY_MS } from '../scenarios/scenarios.ts';
import { type FailoverFigures, type FailoverRow, renderFailoverMarkdown } from './failover-figures.ts';
import type { BenchmarkOptions } from './registry.ts';
import { percentile } from './statistics.ts';

const RUNS = 20;
const RUNS_QUICK = 2;
const MAIN = fileURLToPath(new URL('../scenarios/main.ts', import.meta.url));
const DOCS = new URL('../../docs/benchmarks/', import.meta.url);

/** Rejects with an Error for a name that is no scenario. A run that fails is a finding, and the rest goes on. */
export async function runFailover(options: BenchmarkOptions): Promise<FailoverFigures> {
  const { quick, cases, runs = quick ? RUNS_QUICK : RUNS, storeAwayMs = STORE_AWAY_MS, progress } = options;
  const rows: FailoverRow[] = [];
  for (const scenario of chosen(allScenarios(), cases)) {
    const results: RunResult[] = [];
    const failures: string[] = [];
    for (let run = 1; run <= runs; run++) {
      const result = await runOnce(scenario, storeAwayMs);
      if (typeof result === 'string') failures.push(result);
      else results.push(result);
      const said = typeof result === 'string' ? `FAILED: ${result}` : `${result.worstMs.toFixed(0)} ms`;
      progress(`${scenario.name} ${run}/${runs}: ${said}`);
    }
    rows.push(rowOf(scenario, results, failures));
  }
  const figures = { machine: describeMachine(), rows };
  if (options.docs) {
    mkdirSync(DOCS, { recursive: true });
    writeFileSync(fileURLToPath(new URL('failover.md', DOCS)), renderFailoverMarkdown(figures));
  }
  return figures;
}

function chosen(scenarios: readonly Scenario[], names: readonly string[]): readonly Scenario[] {
  const unknown = names.find(name => !scenarios.some(scenario => scenario.name === name));
  if (unknown === undefined)
    return names.length === 0 ? scenarios : scenarios.filter(({ name }) => names.includes(name));
  throw new Error(`no case "${unknown}"; allowed: ${scenarios.map(({ name }) => name).join(', ')}`);
}

/** The result, or the first line of what went wrong. */
async function runOnce({ name }: Scenario, storeAwayMs: number): Promise<RunResult | string> {
  const args = ['--disable-warning=ExperimentalWarning', MAIN, name, '--store-away-ms', String(storeAwayMs)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const [out, problem, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise<number | null>(resolve => child.once('exit', resolve)),
  ]);
  if (code === 0) return JSON.parse(out.trimEnd().split('\n').at(-1)!) as RunResult;
  return problem.split('\n', 1)[0] || `ended with ${code}`;
}

function rowOf(scenario: Scenario, results: readonly RunResult[], failures: readonly string[]): FailoverRow {
  const { name, claim, figure, aimMs } = scenario;
  const all = results.flatMap(({ figuresMs }) => figuresMs);
  const ms =
    all.length === 0 ? undefined : { p50: percentile(all, 0.5), p95: percentile(all, 0.95), worst: Math.max(...all) };
  const names = Object.keys(results[0]?.also ?? {});
  const also = Object.fromEntries(
    names.map(what => [
      what,
      percentile(
        results.map(result => result.also![what]!),
        0.5,
      ),
    ]),
  );
  return { name, claim, figure, aimMs, runs: results.length + failures.length, failures, ms, also };
}

function describeMachine(): string {
  const load = loadavg()[0]!.toFixed(1);
  return `${cpus()[0]?.model.trim()}, ${availableParallelism()} cores (load ${load}), Node ${process.version}`;
}

/** `npm run bench -- link`: what links do on bad networks, case by case, beside what they are to do. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { BenchmarkOptions } from '../registry.ts';
import { BURST_LOSS } from './cases/burst-loss.ts';
import { CUT } from './cases/cut.ts';
import { HOP } from './cases/hop.ts';
import { HOSTILE } from './cases/hostile.ts';
import { RANDOM_LOSS } from './cases/random-loss.ts';
import { RATE_DROP } from './cases/rate-drop.ts';
import { REGIONS } from './cases/regions.ts';
import { RESTART } from './cases/restart.ts';
import type { LinkCase } from './link-case.ts';
import { type LinkFigures, type MeasuredCase, renderMarkdown } from './report.ts';

export const CASES: readonly LinkCase[] = [RANDOM_LOSS, BURST_LOSS, REGIONS, CUT, RESTART, RATE_DROP, HOSTILE, HOP];

/** One network for all: its luck is the same in every run, as far as the traffic is. */
const SEED = 20_261;
const DOCS = new URL('../../../docs/benchmarks/', import.meta.url);

/** Measures the cases asked for, all unless told. A case that cannot be run is a finding, and the rest goes on. Throws Error for a name that is no case. */
export async function runLink(options: BenchmarkOptions): Promise<LinkFigures> {
  const chosen = options.cases.length === 0 ? casesOf(options.quick) : options.cases.map(findCase);
  const cases: MeasuredCase[] = [];
  for (const [index, linkCase] of chosen.entries()) {
    options.progress(`${index + 1}/${chosen.length} ${linkCase.name}: ${linkCase.summary}`);
    cases.push(await measure(linkCase, options));
  }
  const figures = { machine: describeMachine(), seed: SEED, quick: options.quick, cases };
  if (options.docs) {
    mkdirSync(DOCS, { recursive: true });
    writeFileSync(fileURLToPath(new URL('link.md', DOCS)), renderMarkdown(figures));
  }
  return figures;
}

function casesOf(isQuick: boolean): readonly LinkCase[] {
  return CASES.filter(({ isSlow = false }) => !(isQuick && isSlow));
}

async function measure(linkCase: LinkCase, { quick, progress }: BenchmarkOptions): Promise<MeasuredCase> {
  const { name, summary } = linkCase;
  const startedMs = performance.now();
  try {
    const context = { quick, seed: SEED, progress: (line: string) => progress(`  ${name}: ${line}`) };
    const { findings, values } = await linkCase.run(context);
    return { name, summary, seconds: secondsSince(startedMs), findings, values };
  } catch (error) {
    const [measured] = (error as Error).message.split('\n');
    const findings = [{ what: 'the case itself', aim: 'runs to its end', measured, isMet: false }];
    return { name, summary, seconds: secondsSince(startedMs), findings, values: {} };
  }
}

function secondsSince(startedMs: number): number {
  return (performance.now() - startedMs) / 1_000;
}

function findCase(name: string): LinkCase {
  const found = CASES.find(one => one.name === name);
  if (found === undefined) throw new Error(`no case "${name}"; there are ${CASES.map(one => one.name).join(', ')}`);
  return found;
}

function describeMachine() {
  const [{ model }] = cpus();
  const [load] = loadavg();
  return { processor: model.trim(), cores: availableParallelism(), kernel: release(), node: process.version, load };
}

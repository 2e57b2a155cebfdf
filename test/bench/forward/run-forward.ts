/** `npm run bench -- forward`: what forwarding costs a bridge, case by case, beside the least it could cost. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, release } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { BenchmarkOptions } from '../registry.ts';
import type { DatapathName } from './bench-run.ts';
import { CASES, type ForwardCase } from './cases.ts';
import { type CaseFigures, FULL_EFFORT, measureCase, QUICK_EFFORT } from './measure-case.ts';
import { measureRelay, type RelayCaseFigures } from './measure-relay.ts';
import { plotCosts } from './plot.ts';
import { type ForwardFigures, type GrowthFigures, renderMarkdown } from './report.ts';

export const DATAPATHS: readonly DatapathName[] = ['fast', 'portable'];
const QUICK_CASES = ['webinar-50'];
const DOCS = new URL('../../../docs/benchmarks/', import.meta.url);

/** Measures the cases asked for: all unless told, one if it is to be quick. Throws Error for a name that is no case. */
export async function runForward(options: BenchmarkOptions): Promise<ForwardFigures> {
  const named = options.cases.length > 0 ? options.cases : options.quick ? QUICK_CASES : CASES.map(({ name }) => name);
  const chosen = named.map(findCase);
  const effort = options.quick ? QUICK_EFFORT : FULL_EFFORT;
  const datapaths = options.datapath === undefined ? DATAPATHS : [options.datapath];
  const cases: CaseFigures[] = [];
  let relay: RelayCaseFigures | null = null;
  for (const benchCase of chosen) {
    const settings = { datapaths, effort, progress: options.progress };
    if (benchCase.name === 'relay') relay = await measureRelay(benchCase, settings);
    else cases.push(await measureCase(benchCase, settings));
  }
  const generator = cases[0]?.generator ?? relay?.generator ?? { kind: 'none', clock: 'none' };
  const figures = { machine: describeMachine(), generator, cases, relay, growth: growthOf(cases) };
  if (options.docs) writeDocs(figures);
  return figures;
}

function findCase(name: string): ForwardCase {
  const found = CASES.find(one => one.name === name);
  if (found === undefined) throw new Error(`no case "${name}"; there are ${CASES.map(one => one.name).join(', ')}`);
  return found;
}

function describeMachine() {
  const [{ model }] = cpus();
  return { processor: model.trim(), cores: availableParallelism(), kernel: release(), node: process.version };
}

export function growthOf(cases: readonly CaseFigures[]): GrowthFigures | null {
  const webinars = cases.filter(({ name }) => /^webinar-\d+$/.test(name)).toSorted((a, b) => a.endpoints - b.endpoints);
  if (webinars.length < 2) return null;
  const [small, large] = [webinars[0], webinars.at(-1)!];
  const cost = (name: DatapathName) => {
    const [before, after] = [small[name]?.busy.cost.totalUs, large[name]?.busy.cost.totalUs];
    return before === undefined || after === undefined ? null : after / before;
  };
  const kb = (name: DatapathName) => {
    const [before, after] = [kbOf(small, name), kbOf(large, name)];
    return before === null || after === null ? null : (after - before) / (large.endpoints - small.endpoints);
  };
  return {
    from: small.endpoints - 1,
    to: large.endpoints - 1,
    costFast: cost('fast'),
    costPortable: cost('portable'),
    costFloor: small.floor === null || large.floor === null ? null : large.floor.total / small.floor.total,
    kbPerEndpointFast: kb('fast'),
    kbPerEndpointPortable: kb('portable'),
  };
}

/** Everything that the case took, endpoints and subscriptions. */
function kbOf(figures: CaseFigures, name: DatapathName): number | null {
  const memory = figures[name]?.memory;
  if (memory === undefined) return null;
  return memory.kbPerEndpoint * figures.endpoints + memory.kbPerSubscription * figures.subscriptions;
}

function writeDocs(figures: ForwardFigures): void {
  mkdirSync(DOCS, { recursive: true });
  writeFileSync(fileURLToPath(new URL('forward.md', DOCS)), renderMarkdown(figures));
  writeFileSync(fileURLToPath(new URL('forward.svg', DOCS)), plotCosts(figures.cases));
}

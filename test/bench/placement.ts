/**
 * What a placement costs: the choice alone, and with its reservation in the memory store, as a focus makes it, beside the bare reservation. Each participant is
 * of a meeting of ten in its own region. Run: `npm run bench -- placement`.
 */
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Policy } from '../../focus/placement/policy.ts';
import { spreadOfBurst } from '../simulate/burst.ts';
import type { Case, CaseCost } from './placement-case.ts';
import {
  type PlacementCost,
  type PlacementFigures,
  renderPlacementMarkdown,
  type ViewCost,
} from './placement-figures.ts';
import type { BenchmarkOptions } from './registry.ts';

const DOCS = new URL('../../docs/benchmarks/', import.meta.url);
const WORLD_OF = { bridges: 2_000, regions: 20 };
const world = (name: string, policy: Partial<Policy>): Case => ({ name, ...WORLD_OF, policy, isRedisView: false });
const onView = (name: string, policy: Partial<Policy>): Case => ({ name, ...WORLD_OF, policy, isRedisView: true });
const oneRegion = (bridges: number): Case => ({
  name: `region, 1 x ${bridges}`,
  bridges,
  regions: 1,
  policy: {},
  isRedisView: false,
});

const CASES: readonly Case[] = [
  world('region, 20 x 100', {}),
  world('region, two-choice', { algorithm: 'two-choice' }),
  world('single', { kind: 'single' }),
  world('last-used', { kind: 'last-used' }),
  world('latency', { kind: 'latency' }),
  world('least-loaded', { kind: 'least-loaded' }),
  world('least-loaded, two-choice', { kind: 'least-loaded', algorithm: 'two-choice' }),
  world('split', { kind: 'split' }),
];
const GROWTH: readonly Case[] = [oneRegion(100), oneRegion(400), oneRegion(1_600)];
const REDIS: readonly Case[] = [
  onView('region, Redis view', {}),
  onView('least-loaded, Redis view', { kind: 'least-loaded' }),
];

export async function runPlacement({ quick, docs, progress }: BenchmarkOptions): Promise<PlacementFigures> {
  const seconds = quick ? 0.2 : 1;
  const all = CASES.length + GROWTH.length + REDIS.length;
  let begun = 0;
  const announce = ({ name }: Case) => progress(`${++begun} of ${all}: ${name}`);
  const costsOf = async (list: readonly Case[]) => {
    const costs: PlacementCost[] = [];
    for (const each of list) {
      announce(each);
      costs.push(await costOf(each, seconds));
    }
    return costs;
  };
  const cases = await costsOf(CASES);
  const growth = await costsOf(GROWTH);
  const redis: ViewCost[] = [];
  for (const each of REDIS) {
    announce(each);
    const { decisionUs } = await inThread(each, seconds);
    redis.push({ name: each.name, decisionUs });
  }
  progress('bursts');
  const spreads = await Promise.all(
    Array.from({ length: quick ? 5 : 50 }, (_, seed) => spreadOfBurst({ seed: seed + 1 })),
  );
  const shares = spreads.flatMap(counts => counts.map(count => count / (92 / counts.length)));
  const burst = { fullest: Math.max(...shares), emptiest: Math.min(...shares) };
  const figures = { machine: describeMachine(), cases, growth, redis, burst };
  if (docs) {
    mkdirSync(DOCS, { recursive: true });
    writeFileSync(fileURLToPath(new URL('placement.md', DOCS)), renderPlacementMarkdown(figures));
  }
  return figures;
}

async function costOf(each: Case, seconds: number): Promise<PlacementCost> {
  const { decisionUs, placementUs, floorUs } = await inThread(each, seconds);
  return { name: each.name, bridges: each.bridges, decisionUs, placementUs: placementUs!, floorUs: floorUs! };
}

async function inThread(each: Case, seconds: number): Promise<CaseCost> {
  const worker = new Worker(new URL('placement-worker.ts', import.meta.url), { workerData: { each, seconds } });
  const [cost] = (await once(worker, 'message')) as [CaseCost];
  await worker.terminate();
  return cost;
}

function describeMachine(): string {
  const load = loadavg()[0]!.toFixed(1);
  return `${cpus()[0]?.model.trim()}, ${availableParallelism()} cores (load ${load}), Node ${process.version}`;
}

import { Worker } from 'node:worker_threads';
import type { WorldReport } from './run-world.ts';
import type { Share } from './worlds-worker.ts';

export interface Totals {
  worlds: number;
  simulatedSeconds: number;
  events: number;
  frames: number;
  messages: number;
  flowsChecked: number;
  readonly failed: WorldReport[];
}

export interface Worlds {
  readonly from: number;
  readonly worlds: number;
  readonly jobs: number;
}

/** Lives through `worlds` worlds in `jobs` threads. `onWorld` is told after each. */
export async function runWorlds(
  { from, worlds, jobs }: Worlds,
  onWorld: (totals: Totals) => void = () => {},
): Promise<Totals> {
  const totals: Totals = {
    worlds: 0,
    simulatedSeconds: 0,
    events: 0,
    frames: 0,
    messages: 0,
    flowsChecked: 0,
    failed: [],
  };
  const shares = Array.from({ length: Math.min(jobs, worlds) }, (_, job) => ({
    from: from + job,
    end: from + worlds,
    step: Math.min(jobs, worlds),
  }));
  const run = (share: Share) =>
    runShare(share, report => {
      add(totals, report);
      onWorld(totals);
    });
  await Promise.all(shares.map(run));
  if (totals.worlds !== worlds) throw new Error(`${totals.worlds} of ${worlds} worlds were lived through`);
  totals.failed.sort((a, b) => a.seed - b.seed);
  return totals;
}

export function add(totals: Totals, report: WorldReport): void {
  totals.worlds++;
  totals.simulatedSeconds += report.simulatedMs / 1000;
  totals.events += report.events;
  totals.frames += report.frames;
  totals.messages += report.messages;
  totals.flowsChecked += report.flowsChecked;
  if (report.failure !== undefined) totals.failed.push(report);
}

function runShare(share: Share, onReport: (report: WorldReport) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./worlds-worker.ts', import.meta.url), { workerData: share });
    worker.on('message', onReport);
    worker.on('error', reject);
    worker.on('exit', code => (code === 0 ? resolve() : reject(new Error(`a thread ended with code ${code}`))));
  });
}

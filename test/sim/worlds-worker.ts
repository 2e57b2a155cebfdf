/** One thread of {@link runWorlds}: every `step`th world from `from` on, one report after the other. */
import { parentPort, workerData } from 'node:worker_threads';
import { runWorld } from './run-world.ts';

export interface Share {
  readonly from: number;
  readonly end: number;
  readonly step: number;
}

const { from, end, step } = workerData as Share;
for (let seed = from; seed < end; seed += step) parentPort?.postMessage(runWorld(seed));

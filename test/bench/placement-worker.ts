/** Measures one case and answers with what it cost. A thread of its own for each: what the engine has learnt from one rule set makes the next one slower. */
import { parentPort, workerData } from 'node:worker_threads';
import { type Case, measureCase } from './placement-case.ts';

const { each, seconds } = workerData as { readonly each: Case; readonly seconds: number };
parentPort!.postMessage(await measureCase(each, seconds));

/** Whether memory stays flat: samples taken at rest, with the same number of clients, after a collection. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { percentile } from '../bench/statistics.ts';

export interface Sample {
  readonly rssBytes: number;
  readonly heapBytes: number;
  readonly buffersBytes: number;
}

/** Samples before this share of a run are not judged: code is still being compiled, pools fill, and malloc's heap finds its size (about 150 s). */
const WARM_UP = 0.25;
/** Fewer are not judged at all: ten minutes of a soak, so that its warm-up is longer than that. */
export const SAMPLES_MIN = 60;
const RSS_GROWTH_MAX = 24 * 1024 * 1024;
/** What the collector manages: exact, up to how much lies about. */
const HEAP_GROWTH_MAX = 6 * 1024 * 1024;
const BUFFERS_GROWTH_MAX = 4 * 1024 * 1024;

const collectGarbage = exposedCollector();

export function takeSample(): Sample {
  for (let round = 0; round < 3; round++) collectGarbage();
  const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
  return { rssBytes: rss, heapBytes: heapUsed, buffersBytes: arrayBuffers };
}

/**
 * What has grown, in words; empty when nothing has. The middle of the first half is compared with the middle of the second: a peak is no leak, and a
 * moment in which malloc gave memory back is no measure of what came before it.
 */
export function growth(samples: readonly Sample[]): string[] {
  const judged = samples.slice(Math.floor(samples.length * WARM_UP));
  const half = Math.floor(judged.length / 2);
  if (samples.length < SAMPLES_MIN) return [];
  const grown: string[] = [];
  for (const [name, of, most] of [
    ['resident memory', ({ rssBytes }: Sample) => rssBytes, RSS_GROWTH_MAX],
    ['the heap', ({ heapBytes }: Sample) => heapBytes, HEAP_GROWTH_MAX],
    ['buffers', ({ buffersBytes }: Sample) => buffersBytes, BUFFERS_GROWTH_MAX],
  ] as const) {
    const [early, late] = [judged.slice(0, half), judged.slice(half)].map(part => percentile(part.map(of), 0.5));
    if (late - early > most) grown.push(`${name} grew from ${megabytes(early)} to ${megabytes(late)} MB`);
  }
  return grown;
}

function exposedCollector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc');
}

export function megabytes(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(1);
}

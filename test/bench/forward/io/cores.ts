/** Which processor a process of the benchmark runs on. */
import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';

/** `measured`: a core of its own, for what is measured takes turns on it. `others`: all the rest. `anywhere`: wherever the system likes. */
export type Place = 'measured' | 'others' | 'anywhere';

/** What goes before a process's own command line; empty where processes cannot be bound (one core, no `taskset`). */
export function placement(place: Place): readonly string[] {
  return canPlace && place !== 'anywhere'
    ? ['taskset', '-c', place === 'measured' ? '0' : `1-${availableParallelism() - 1}`]
    : [];
}

export const canPlace: boolean =
  process.platform === 'linux' &&
  availableParallelism() > 1 &&
  spawnSync('taskset', ['-c', `0-${availableParallelism() - 1}`, process.execPath, '--version']).status === 0;

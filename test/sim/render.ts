import type { WorldReport } from './run-world.ts';
import type { Totals } from './run-worlds.ts';

/** Failed worlds that are told in full. */
const TOLD_MAX = 3;

/** One line. */
export function renderTotals(totals: Totals, elapsedMs: number): string {
  const { worlds, simulatedSeconds, frames, messages, flowsChecked, failed } = totals;
  const rate = Math.round(simulatedSeconds / Math.max(0.001, elapsedMs / 1000));
  const counts = `${frames} frames between bridges, ${messages} messages, ${flowsChecked} looks at a stream`;
  const verdict = failed.length === 0 ? 'every invariant held' : `${failed.length} FAILED`;
  return `${worlds} worlds, ${Math.round(simulatedSeconds)} simulated seconds (${rate} a second), ${counts}: ${verdict}`;
}

/** A failed world, for whoever is to mend it. */
export function renderFailure({ seed, failure }: WorldReport): string {
  if (failure === undefined) return `world ${seed}: every invariant held`;
  const steps = failure.steps.map(step => `  ${step}`).join('\n');
  return `world ${seed}: ${failure.problem}\n${steps}\nagain: npm run worlds -- --seed ${seed}`;
}

/** The first few in full, the others by their seeds and what was wrong. */
export function renderFailures(failed: readonly WorldReport[]): string {
  const told = failed.slice(0, TOLD_MAX).map(renderFailure);
  const rest = failed.slice(TOLD_MAX).map(({ seed, failure }) => `world ${seed}: ${failure?.problem.split('\n')[0]}`);
  return [...told, ...rest].join('\n\n');
}

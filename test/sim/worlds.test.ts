import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JOBS, WORLDS } from './command-line.ts';
import { renderFailures, renderTotals } from './render.ts';
import { runWorlds } from './run-worlds.ts';

/** Progress is told so many times. */
const TOLD = 10;

test(`in ${WORLDS} worlds every invariant of the cascade holds`, async () => {
  const startedAt = performance.now();
  const totals = await runWorlds({ from: 1, worlds: WORLDS, jobs: JOBS }, soFar => {
    if (soFar.worlds % (WORLDS / TOLD) !== 0) return;
    process.stdout.write(`  ${renderTotals(soFar, performance.now() - startedAt)}\n`);
  });
  assert.equal(totals.failed.length, 0, `\n${renderFailures(totals.failed)}`);
});

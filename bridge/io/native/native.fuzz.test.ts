import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { NOT_HERE } from './native.platform.ts';

const PROGRAM = fileURLToPath(new URL('native.fuzz.ts', import.meta.url));
/** CAUSEWAY_FUZZ_SECONDS: how long; CAUSEWAY_FUZZ_SEED: a run again. */
const SECONDS = process.env['CAUSEWAY_FUZZ_SECONDS'] ?? '2';
const SEED = process.env['CAUSEWAY_FUZZ_SEED'] ?? String(Date.now() % 1_000_000);

/** Seeds that have found something. */
const SEEDS = ['2', '11', SEED];

for (const seed of new Set(SEEDS)) {
  test(`random calls with bad arguments are errors: nothing is written where it must not be, and the process lives (seed ${seed})`, {
    skip: NOT_HERE,
    timeout: Number(SECONDS) * 1000 + 60_000,
  }, async () => {
    const options = [
      '--disable-warning=ExperimentalWarning',
      '--expose-gc',
      PROGRAM,
      '--seed',
      seed,
      '--seconds',
      SECONDS,
    ];
    const child = spawn(process.execPath, options);
    const [output, errors] = [text(child.stdout), text(child.stderr)];
    const [code, signal] = await once(child, 'close');
    const again = `again, with every step: node ${options.join(' ')} --trace`;
    assert.deepEqual([code, signal], [0, null], `seed ${seed}: ${await output}${await errors}\n${again}`);
    assert.match(await output, /^\d+ steps, \d+ refused, \d+ datagrams heard/);
  });
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsageError } from '../command-line.ts';
import { JOBS, readCommandLine, WORLDS } from './command-line.ts';

test('without arguments it is what `npm test` lives through', () => {
  assert.deepEqual(readCommandLine([]), { from: 1, worlds: WORLDS, jobs: JOBS, isTraced: false });
});

test('one seed is one world, in one thread', () => {
  assert.deepEqual(readCommandLine(['--seed', '7', '--trace']), { from: 7, worlds: 1, jobs: 1, isTraced: true });
});

test('help is asked for', () => {
  assert.equal(readCommandLine(['--help']), undefined);
});

for (const [args, message] of [
  [['--seed', 'x'], /--seed is x; allowed: a whole number from 1 to/],
  [['--worlds', '0'], /--worlds is 0/],
  [['--seed', '1', '--worlds', '3'], /--seed is one world/],
  [['--trace'], /--trace needs --seed/],
  [['--sed', '1'], /--sed/],
] as const) {
  test(`\`${args.join(' ')}\` is refused in a sentence`, () => {
    assert.throws(
      () => readCommandLine(args),
      error => error instanceof UsageError && message.test(error.message),
    );
  });
}

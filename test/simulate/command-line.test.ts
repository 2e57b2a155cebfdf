import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsageError } from '../command-line.ts';
import { readCommandLine } from './command-line.ts';

test('without options it is a day of 20,000 people on 100 bridges, with every incident', () => {
  const { participants, bridges, hours, policy, flashCrowd, lostRegion, drainShare } = readCommandLine([])!;
  assert.deepEqual([participants, bridges, hours, flashCrowd, drainShare], [20_000, 100, 24, 1_000, 0.1]);
  assert.deepEqual(
    [lostRegion, policy.kind, policy.sort_by, policy.algorithm],
    ['eu-central', 'region', 'stress', 'lowest'],
  );
});

test('what cannot be is refused with what can', () => {
  const cases: readonly [string[], RegExp][] = [
    [['--participants', '1000001'], /--participants is 1000001; allowed: a whole number from 1 to 1000000/],
    [['--bridges', '19'], /--bridges is 19; .* from 20 to 2000/],
    [['--kind', 'near'], /--kind is near; allowed: region, single/],
    [['--lose', 'mars'], /--lose is mars; allowed: us-east, .*, none/],
    [['--sort-by', 'luck'], /allowed: stress, cpu/],
    [['--hours', '-1'], /--hours/],
    [
      ['--only', 'cascade-split'],
      /--only is cascade-split; allowed: cascade, cascade-latency, single-bridge, first-joiner/,
    ],
    [['--nonsense'], /--nonsense/],
  ];
  for (const [args, message] of cases) {
    assert.throws(
      () => readCommandLine(args),
      error => error instanceof UsageError && message.test(error.message),
    );
  }
});

test('only one of the deployments may be asked for, by its name under the policy under test', () => {
  assert.equal(readCommandLine([])!.only, null);
  assert.equal(readCommandLine(['--kind', 'latency', '--only', 'cascade-region'])!.only, 'cascade-region');
});

test('help is asked for, and none of the incidents need happen', () => {
  assert.equal(readCommandLine(['--help']), undefined);
  const { flashCrowd, lostRegion, drainShare } = readCommandLine([
    '--flash-crowd',
    '0',
    '--lose',
    'none',
    '--drain',
    '0',
  ])!;
  assert.deepEqual([flashCrowd, lostRegion, drainShare], [0, null, 0]);
});

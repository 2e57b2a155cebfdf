import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readCommandLine, USAGE } from './command-line.ts';

function wrong(...args: string[]): string {
  const command = readCommandLine(args);
  assert.equal(command.kind, 'wrong', args.join(' '));
  return command.kind === 'wrong' ? command.message : '';
}

test('without options there are three regions with a bridge each, on the usual ports, on loopback', () => {
  assert.deepEqual(readCommandLine([]), {
    kind: 'start',
    options: {
      regions: ['eu', 'us', 'ap'],
      bridgesPerRegion: 1,
      portBase: undefined,
      octoAdvertisedPorts: undefined,
      bindAddress: '127.0.0.1',
      isVerbose: false,
    },
  });
});

test('every option is read', () => {
  const command = readCommandLine([
    '--regions',
    'a, b',
    '--bridges-per-region=2',
    '--port-base',
    '20000',
    '--bind',
    '0.0.0.0',
    '--octo-advertised=30000',
    '--verbose',
  ]);
  assert.deepEqual(command, {
    kind: 'start',
    options: {
      regions: ['a', 'b'],
      bridgesPerRegion: 2,
      portBase: 20_000,
      octoAdvertisedPorts: [30_000, 30_001, 30_002, 30_003],
      bindAddress: '0.0.0.0',
      isVerbose: true,
    },
  });
});

test('an unknown option is refused by its name, in one line', () => {
  const message = wrong('--region', 'eu');
  assert.match(message, /--region'/);
  assert.doesNotMatch(message, /\n/);
  assert.match(wrong('extra'), /extra/);
});

test('a wrong value is refused with what is allowed', () => {
  assert.match(wrong('--regions', 'eu,,us'), /--regions has ""/);
  assert.match(wrong('--regions', 'EU'), /"EU".*a-z, 0-9/);
  assert.match(wrong('--regions', 'eu,eu'), /twice/);
  assert.match(wrong('--bridges-per-region', '0'), /--bridges-per-region is "0": a whole number from 1 to 16/);
  assert.match(wrong('--port-base', '80'), /--port-base is "80": a whole number from 1024 to 65535/);
  assert.match(wrong('--port-base', '65530'), /too few ports/);
  assert.match(wrong('--octo-advertised', '65534'), /--octo-advertised is "65534": a whole number from 1 to 65533/);
});

test('--help is answered with every option', () => {
  assert.equal(readCommandLine(['--help']).kind, 'help');
  for (const option of [
    '--regions',
    '--bridges-per-region',
    '--port-base',
    '--octo-advertised',
    '--bind',
    '--verbose',
    '--help',
  ]) {
    assert.ok(USAGE.includes(option), option);
  }
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readCommandLine, UsageError, usage } from './command-line.ts';
import { SETTING_TEXTS } from './setting-texts.ts';

const PATH = ['--path', '127.0.0.1:20000=127.0.0.1:10000'];

function read(args: readonly string[], file = '') {
  return readCommandLine(args, () => file);
}

test('settings hold for both directions, except where one has its own', () => {
  const { plans } = read([...PATH, '--delay', '100', '--loss', '2%', '--burst', '5', '--back', 'loss=0,rate=2500k'])!;
  assert.equal(plans.length, 1);
  const { nearFacing, far, near, forth, back } = plans[0];
  assert.deepEqual([nearFacing.port, far.port, near], [20_000, 10_000, undefined]);
  assert.deepEqual([forth?.delayMs, forth?.lossShare, forth?.burstLength, forth?.rateBps], [100, 0.02, 5, 0]);
  assert.deepEqual([back?.delayMs, back?.lossShare, back?.rateBps], [100, 0, 2_500_000]);
});

test('a path between two fixed sockets names all four addresses', () => {
  const [plan] = read(['--path', '[::1]:1=[::1]:2,[::1]:3=[::1]:4', '--cut'])!.plans;
  assert.deepEqual(plan.near, { farFacing: { host: '::1', port: 3 }, address: { host: '::1', port: 4 } });
  assert.equal(plan.forth?.isCut, true);
});

test('a mesh has a stand-in for each bridge, and a path for every two of them in a schedule', () => {
  const bridges = [1, 2, 3].map(bridge => `127.0.0.1:2000${bridge}=127.0.0.1:400${bridge}`).join();
  const { plans, mesh } = read(['--mesh', bridges, '--delay', '40', '--back', 'loss=1%', '--seed', '5'])!;
  assert.deepEqual(plans, []);
  assert.deepEqual(
    [mesh?.standIns.map(({ port }) => port), mesh?.bridges?.map(({ port }) => port), mesh?.seed],
    [[20_001, 20_002, 20_003], [4_001, 4_002, 4_003], 5],
  );
  assert.deepEqual([mesh?.forth?.delayMs, mesh?.forth?.lossShare, mesh?.back?.lossShare], [40, 0, 0.01]);
  const scheduled = (path: number) =>
    read(['--mesh', bridges, '--schedule', 'wan.yaml'], `[{at: 1s, cut: true, path: ${path}}]`)!.schedule[0].path;
  assert.equal(scheduled(3), 2);
  assert.throws(() => scheduled(4), /path is "4"; allowed: a whole number from 1 to 3/);
});

test('paths of one run have different seeds, the same in every run', () => {
  const seeds = () => read([...PATH, ...PATH, ...PATH, '--seed', '7'])!.plans.map(({ seed }) => seed);
  assert.equal(new Set(seeds()).size, 3);
  assert.deepEqual(seeds(), seeds());
});

test('help is asked for or not, and names every setting', () => {
  assert.equal(read(['--help']), undefined);
  for (const { name } of SETTING_TEXTS) assert.ok(usage().includes(`--${name} `), name);
});

test('a wrong argument is refused with what is allowed', () => {
  const table: readonly [readonly string[], RegExp][] = [
    [[], /--path is given 0 times; allowed: 1 to 64/],
    [['--path', 'localhost:1=127.0.0.1:2'], /--path is "localhost:1=127.0.0.1:2"; allowed: NEAR_FACING=FAR/],
    [['--path', '127.0.0.1:1=[::1]:2'], /--path is /],
    [['--path', '127.0.0.1:1=127.0.0.1:0'], /--path is /],
    [['--path', '127.0.0.1:1=127.0.0.1:70000'], /--path is /],
    [
      ['--mesh', '127.0.0.1:1=127.0.0.1:2'],
      /--mesh is "127.0.0.1:1=127.0.0.1:2"; allowed: 2 to 16 times STAND_IN=BRIDGE/,
    ],
    [['--mesh', '127.0.0.1:1=127.0.0.1:2,[::1]:3=[::1]:4'], /--mesh is .* all of one family/],
    [['--mesh', '127.0.0.1:1=127.0.0.1:2,127.0.0.1:3=127.0.0.1:0'], /--mesh is /],
    [['--mesh', '127.0.0.1:1=127.0.0.1:2,x'], /--mesh is /],
    [[...PATH, '--mesh', '127.0.0.1:1=127.0.0.1:2,127.0.0.1:3=127.0.0.1:4'], /both given; allowed: one of them/],
    [[...PATH, '--loss', '2'], /--loss is "2"; allowed: a share such as 2% or 0.02/],
    [[...PATH, '--loss', '200%'], /lossShare is 2; allowed/],
    [[...PATH, '--forth', 'loss'], /--forth has "loss"; allowed: NAME=VALUE/],
    [[...PATH, '--back', 'los=2%'], /--back los is not a known setting; did you mean --back loss/],
    [[...PATH, '--seed', 'x'], /--seed is "x"; allowed: a whole number from 0 to 4294967295/],
    [[...PATH, '--duration', '0'], /--duration is "0"; allowed: a time/],
    [[...PATH, '--nonsense'], /--nonsense/],
  ];
  for (const [args, message] of table)
    assert.throws(() => read(args), { constructor: UsageError, message }, args.join(' '));
});

test('a schedule that would be refused in the middle of a run is refused before it', () => {
  const args = [...PATH, '--schedule', 'wan.yaml'];
  assert.equal(read(args, '[{at: 1s, cut: true}]')?.schedule.length, 1);
  assert.throws(() => read(args, '[{at: 1s, rate: 1/3}]'), /wan.yaml, at 1000 ms on path 1 forth: .*unlimited/);
  assert.throws(
    () => read(args, '[{at: 1s, loss: 90%}, {at: 2s, burst: 5}]'),
    /at 2000 ms on path 1 forth: lossShare is 0.9/,
  );
  const unreadable = () => {
    throw new Error('no such file');
  };
  assert.throws(() => readCommandLine(args, unreadable), {
    constructor: UsageError,
    message: /wan.yaml cannot be read: no such file/,
  });
});

test('any arguments at all are a command or refused in words', () => {
  const word = fc.oneof(
    fc.constantFrom('--path', PATH[1], '--loss', '2%', '--schedule', '--forth', 'loss=1', '--seed', '1', '--cut', '--'),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 8 }), fc.string(), (args, file) => {
      try {
        read(args, file);
      } catch (error) {
        assert.ok(error instanceof UsageError, String(error));
      }
    }),
  );
});

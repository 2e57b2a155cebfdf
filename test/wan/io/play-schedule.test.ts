import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { readSchedule } from '../schedule.ts';
import { playSchedule } from './play-schedule.ts';
import { UdpProxy } from './udp-proxy.ts';

const ANY = { host: '127.0.0.1', port: 0 };
const FAR = { host: '127.0.0.1', port: 9 };

test('each change happens at its time, where it says; one that cannot be is left out whole; the rest is stopped', async t => {
  const plan = { nearFacing: ANY, far: FAR, seed: 1 };
  const limited = { ...plan, forth: { rateBps: 900_000 } };
  const proxy = await UdpProxy.open([limited, plan]);
  t.after(() => proxy.close());
  const schedule = readSchedule(
    `
- { at: 1s, cut: true, path: 2, direction: back }
- { at: 2s, rate: 1/3, path: 1, direction: forth }
- { at: 3s, rate: 1/3, delay: 50 }
- { at: 4s, delay: 70 }
`,
    2,
  );
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  const told: string[] = [];
  const stop = playSchedule(proxy, schedule, line => told.push(line));
  const [first, second] = proxy.paths;
  mock.timers.tick(999);
  assert.deepEqual(told, []);
  mock.timers.tick(1);
  assert.deepEqual([second.settings('back').isCut, second.settings('forth').isCut], [true, false]);
  mock.timers.tick(1_000);
  assert.equal(first.settings('forth').rateBps, 300_000);
  mock.timers.tick(1_000);
  assert.equal(first.settings('forth').delayMs, 0);
  assert.equal(told[0], 'path 2 back: cut');
  assert.match(told[2], /^all paths forth and back: rate 1\/3, delay 50 \(left out: .*unlimited/);
  stop();
  mock.timers.tick(1_000);
  assert.equal(first.settings('forth').delayMs, 0);
  assert.equal(told.length, 3);
});

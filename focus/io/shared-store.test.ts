/** Focuses that share a store in Redis: what each sees of the others, and what they say when it is away. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { pino } from 'pino';
import { readFocusConfig } from '../config.ts';
import { startFocus } from '../service.ts';
import { startDelayingProxy } from '../store/redis/delaying-proxy.fixture.ts';
import { type RedisServer, startRedis } from '../store/redis/redis-server.fixture.ts';
import { newPrefix } from '../store/redis/redis-store.fixture.ts';
import { eventually, startFocusUnderTest } from './focus.fixture.ts';
import { accessToken, SignalClient } from './signal-client.fixture.ts';

let server: RedisServer;
before(async () => {
  server = await startRedis();
});
after(() => server.stop());

interface Readiness {
  readonly ready: boolean;
  readonly problems: readonly string[];
}

const metrics = async (url: string) => (await fetch(`${url}/metrics`)).text();
const readiness = async (url: string) => (await (await fetch(`${url}/readyz`)).json()) as Readiness;

test('readiness follows the store, liveness does not, and a focus is ready again by itself', async () => {
  const world = await startFocusUnderTest({ 'redis.address': server.address, 'redis.key_prefix': newPrefix() });
  const { url } = world.focus;
  try {
    assert.deepEqual(await readiness(url), { ready: true, problems: [] });
    await server.kill();
    await eventually(async () => !(await readiness(url)).ready);
    assert.deepEqual((await readiness(url)).problems, ['the store does not answer']);
    assert.equal((await fetch(`${url}/healthz`)).status, 200);
    await eventually(async () => /causeway_focus_store_connected\{[^}]*\} 0/.test(await metrics(url)));
    await server.restart();
    await eventually(async () => {
      await world.bridge.register(url).catch(() => {});
      return (await readiness(url)).ready;
    });
    assert.match(await metrics(url), /causeway_focus_store_connected\{[^}]*\} 1/);
  } finally {
    await world.close();
  }
});

test('a bridge that reports to one focus can be placed on by another that it never reported to', async () => {
  const flags = { 'redis.address': server.address, 'redis.key_prefix': newPrefix() };
  const one = await startFocusUnderTest(flags);
  const config = { ...flags, development: true, port: 0, bind_addresses: ['127.0.0.1'], focus_id: 'focus-2' };
  const other = await startFocus(readFocusConfig({ env: {}, flags: config }), pino({ level: 'silent' }));
  try {
    assert.deepEqual(await readiness(other.url), { ready: true, problems: [] });
  } finally {
    await other.close();
    await one.close();
  }
});

test('a join waits for one round trip to the store: with the store 400 ms away most take less than two', async t => {
  const proxy = await startDelayingProxy(server.port, 200);
  const flags = { 'redis.address': proxy.address, 'redis.key_prefix': newPrefix() };
  const world = await startFocusUnderTest(flags);
  try {
    const tookMs: number[] = [];
    const join = async (index: number) => {
      const startedAt = performance.now();
      const token = await accessToken({ identity: `p${index}`, video: { roomJoin: true, room: `room-${index % 3}` } });
      const client = await SignalClient.open(world.focus.url, token);
      await client.next('join');
      tookMs.push(performance.now() - startedAt);
      client.close();
    };
    await Promise.all(Array.from({ length: 9 }, (_, index) => join(index)));
    const median = tookMs.toSorted((a, b) => a - b)[4]!;
    t.diagnostic(`median ${median.toFixed(0)} ms`);
    assert.ok(median >= 400 && median < 800, `${tookMs}`);
  } finally {
    await world.close();
    proxy.close();
  }
});

test('a focus ends although its store is away', async () => {
  const lost = await startRedis();
  const world = await startFocusUnderTest({ 'redis.address': lost.address, 'redis.read_timeout': 200 });
  await lost.stop();
  await world.close();
});

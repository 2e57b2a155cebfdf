import assert from 'node:assert/strict';
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { SettingsError } from '../path-settings.ts';
import type { Address } from './sockets.ts';
import { type PathPlan, UdpProxy } from './udp-proxy.ts';

const HOST = '127.0.0.1';
const ANY: Address = { host: HOST, port: 0 };

/** A socket that keeps what it hears, and when. */
class Side {
  readonly socket: Socket = createSocket('udp4');
  readonly heard: { readonly text: string; readonly from: RemoteInfo; readonly atMs: number }[] = [];

  static async open(t: TestContext): Promise<Side> {
    const side = new Side();
    side.socket.on('message', (bytes, from) => side.heard.push({ text: `${bytes}`, from, atMs: performance.now() }));
    side.socket.bind(0, HOST);
    await once(side.socket, 'listening');
    t.after(() => side.socket.close());
    return side;
  }

  get address(): Address {
    return { host: HOST, port: this.socket.address().port };
  }

  get texts(): string[] {
    return this.heard.map(({ text }) => text);
  }

  send(text: string, { host, port }: Address): void {
    this.socket.send(text, port, host);
  }

  async untilHeard(count: number): Promise<void> {
    while (this.heard.length < count) await once(this.socket, 'message', { signal: AbortSignal.timeout(10_000) });
  }
}

async function open(
  t: TestContext,
  plan: Partial<PathPlan> & Pick<PathPlan, 'far'>,
  limits?: Parameters<typeof UdpProxy.open>[1],
) {
  const proxy = await UdpProxy.open([{ nearFacing: ANY, seed: 1, ...plan }], limits);
  t.after(() => proxy.close());
  return { proxy, path: proxy.paths[0] };
}

test('each client has a port of its own towards the far side, and gets its own answers', async t => {
  const [a, b, far] = [await Side.open(t), await Side.open(t), await Side.open(t)];
  const { path } = await open(t, { far: far.address });
  a.send('from a', path.nearFacing);
  await far.untilHeard(1);
  b.send('from b', path.nearFacing);
  await far.untilHeard(2);
  const [fromA, fromB] = far.heard.map(({ from }) => ({ host: from.address, port: from.port }));
  assert.notEqual(fromA.port, fromB.port);
  far.send('to a', fromA);
  far.send('to b', fromB);
  await Promise.all([a.untilHeard(1), b.untilHeard(1)]);
  assert.deepEqual([a.texts, b.texts], [['to a'], ['to b']]);
  assert.equal(a.heard[0].from.port, path.nearFacing.port);
  assert.equal(path.flowCount, 2);
});

test('between two fixed sockets the far side may speak first, and nobody else is let in', async t => {
  const [near, far, stranger] = [await Side.open(t), await Side.open(t), await Side.open(t)];
  const { path } = await open(t, { far: far.address, near: { address: near.address, farFacing: ANY } });
  const { nearFacing, farFacing } = path;
  stranger.send('let me in', nearFacing);
  stranger.send('let me in', farFacing!);
  far.send('first', farFacing!);
  await near.untilHeard(1);
  near.send('second', nearFacing);
  await far.untilHeard(1);
  assert.deepEqual([near.texts, far.texts], [['first'], ['second']]);
  assert.deepEqual([near.heard[0].from.port, far.heard[0].from.port], [nearFacing.port, farFacing!.port]);
  assert.deepEqual([path.counters('forth').strangers, path.counters('back').strangers], [1, 1]);
});

test('datagrams arrive in order and not before their delay', async t => {
  const [near, far] = [await Side.open(t), await Side.open(t)];
  const { proxy, path } = await open(t, { far: far.address, forth: { delayMs: 60 } });
  const texts = Array.from({ length: 100 }, (_, index) => `${index}`);
  const sentAtMs = performance.now();
  for (const text of texts) near.send(text, path.nearFacing);
  await far.untilHeard(100);
  assert.deepEqual(far.texts, texts);
  // Half a ms early is what the proxy rounds by. How late it is, is up to the machine.
  assert.ok(far.heard[0].atMs - sentAtMs >= 59, `${far.heard[0].atMs - sentAtMs} ms`);
  assert.deepEqual(proxy.held, { datagrams: 0, bytes: 0 });
});

test('a cut path loses what is sent, and a healed one does not', async t => {
  const [near, far] = [await Side.open(t), await Side.open(t)];
  const { path } = await open(t, { far: far.address });
  near.send('before', path.nearFacing);
  await far.untilHeard(1);
  path.change('back', { isCut: true });
  const back = path.farFacing!;
  far.send('into the cut', back);
  // Same socket, same order: when this one is through, the one before has met the cut.
  while (path.counters('back').cut === 0) await new Promise(resolve => setImmediate(resolve));
  path.change('back', { isCut: false });
  far.send('after', back);
  await near.untilHeard(1);
  assert.deepEqual(near.texts, ['after']);
});

test('it holds no more than it may, and counts the rest', async t => {
  const [near, far] = [await Side.open(t), await Side.open(t)];
  const { proxy, path } = await open(
    t,
    { far: far.address, forth: { delayMs: 60_000 } },
    { datagramsMax: 5, bytesMax: 1_000 },
  );
  for (let index = 0; index < 20; index++) near.send('x', path.nearFacing);
  while (path.counters('forth').offered < 20) await new Promise(resolve => setImmediate(resolve));
  assert.equal(proxy.held.datagrams, 5);
  assert.equal(path.counters('forth').overLimit, 15);
});

test('a taken port, a name and contradicting settings are refused, and leave nothing open', async t => {
  const taken = await Side.open(t);
  const first = await UdpProxy.open([{ nearFacing: ANY, far: taken.address, seed: 1 }]);
  const nearFacing = first.paths[0].nearFacing;
  await first.close();
  const plan: PathPlan = { nearFacing, far: taken.address, seed: 1 };
  await assert.rejects(UdpProxy.open([plan, { ...plan, nearFacing: taken.address }]), /EADDRINUSE/);
  await assert.rejects(
    UdpProxy.open([{ ...plan, near: { address: { host: HOST, port: 9 }, farFacing: taken.address } }]),
    /EADDRINUSE/,
  );
  await assert.rejects(
    UdpProxy.open([{ ...plan, far: { host: 'localhost', port: 1 } }]),
    /localhost is not an IP address/,
  );
  await assert.rejects(
    UdpProxy.open([{ ...plan, far: { host: HOST, port: 0 } }]),
    /port 0 of 127.0.0.1, which is sent to/,
  );
  await assert.rejects(UdpProxy.open([{ ...plan, far: { host: '::1', port: 1 } }]), /all IPv4 or all IPv6/);
  await assert.rejects(UdpProxy.open([{ ...plan, back: { lossShare: 2 } }]), SettingsError);
  // The port that each of them had, or would have had, is free.
  const proxy = await UdpProxy.open([plan]);
  await proxy.close();
});

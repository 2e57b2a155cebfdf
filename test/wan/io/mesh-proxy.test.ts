import assert from 'node:assert/strict';
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { SettingsError } from '../path-settings.ts';
import { type MeshPlan, MeshProxy } from './mesh-proxy.ts';
import type { Address } from './sockets.ts';

const HOST = '127.0.0.1';
const ANY: Address = { host: HOST, port: 0 };

/** Stands for a bridge: knows the others by their stand-ins alone. */
class Side {
  readonly socket: Socket = createSocket('udp4');
  readonly heard: { readonly text: string; readonly port: number }[] = [];

  static async open(t: TestContext): Promise<Side> {
    const side = new Side();
    side.socket.on('message', (bytes, { port }: RemoteInfo) => side.heard.push({ text: `${bytes}`, port }));
    side.socket.bind(0, HOST);
    await once(side.socket, 'listening');
    t.after(() => side.socket.close());
    return side;
  }

  get address(): Address {
    return { host: HOST, port: this.socket.address().port };
  }

  send(text: string, { host, port }: Address): void {
    this.socket.send(text, port, host);
  }

  async untilHeard(count: number): Promise<void> {
    while (this.heard.length < count) await once(this.socket, 'message', { signal: AbortSignal.timeout(10_000) });
  }
}

async function openMesh(t: TestContext, count: number, plan: Partial<MeshPlan> = {}) {
  const sides: Side[] = [];
  while (sides.length < count) sides.push(await Side.open(t));
  const bridges = sides.map(({ address }) => address);
  const mesh = await MeshProxy.open({ standIns: bridges.map(() => ANY), bridges, seed: 1, ...plan });
  t.after(() => mesh.close());
  return { mesh, sides };
}

const turn = () => new Promise(resolve => setImmediate(resolve));

test('each of three hears each other one from the address that the other announces', async t => {
  const { mesh, sides } = await openMesh(t, 3);
  for (const [from, side] of sides.entries()) {
    for (const to of [0, 1, 2]) if (to !== from) side.send(`${from} to ${to}`, mesh.standIn(to));
  }
  for (const side of sides) await side.untilHeard(2);
  for (const [to, { heard }] of sides.entries()) {
    const expected = [0, 1, 2]
      .filter(from => from !== to)
      .map(from => ({ text: `${from} to ${to}`, port: mesh.standIn(from).port }));
    assert.deepEqual(
      heard.toSorted((a, b) => a.text.localeCompare(b.text)),
      expected,
    );
  }
});

test('one direction of one pair is cut, and every other one is as it was', async t => {
  const { mesh, sides } = await openMesh(t, 3);
  mesh.change(2, 0, { isCut: true });
  for (const [from, side] of sides.entries()) {
    for (const to of [0, 1, 2]) if (to !== from) side.send(`${from}${to}`, mesh.standIn(to));
  }
  await Promise.all([sides[0].untilHeard(1), sides[1].untilHeard(2), sides[2].untilHeard(2)]);
  while (mesh.pathOf(2, 0).path.counters('back').cut === 0) await turn();
  assert.deepEqual(
    sides[0].heard.map(({ text }) => text),
    ['10'],
  );
  mesh.change(2, 0, { isCut: false });
  sides[2].send('healed', mesh.standIn(0));
  await sides[0].untilHeard(2);
  assert.equal(sides[0].heard[1].text, 'healed');
});

test('a bridge that comes back at another port is known by its old address to the others', async t => {
  const { mesh, sides } = await openMesh(t, 2);
  const again = await Side.open(t);
  mesh.attach(1, again.address);
  again.send('back', mesh.standIn(0));
  sides[0].send('welcome', mesh.standIn(1));
  await Promise.all([sides[0].untilHeard(1), again.untilHeard(1)]);
  assert.deepEqual(sides[0].heard, [{ text: 'back', port: mesh.standIn(1).port }]);
  sides[1].send('I was it', mesh.standIn(0));
  while (mesh.strangers === 0) await turn();
  assert.equal(sides[0].heard.length, 1);
});

test('what is sent to a bridge that is not there yet, by a stranger or to oneself, is counted and gone', async t => {
  const side = await Side.open(t);
  const mesh = await MeshProxy.open({ standIns: [ANY, ANY], bridges: [side.address], seed: 1 });
  t.after(() => mesh.close());
  side.send('too early', mesh.standIn(1));
  side.send('to myself', mesh.standIn(0));
  while (mesh.unattached + mesh.strangers < 2) await turn();
  assert.deepEqual([mesh.unattached, mesh.strangers, side.heard.length], [1, 1, 0]);
});

test('a forged datagram is from whom it says, cut paths or not, and what bridges really send can be listened to', async t => {
  const { mesh, sides } = await openMesh(t, 2);
  const heard: string[] = [];
  mesh.tap = (from, to, bytes) => heard.push(`${from} to ${to}: ${Buffer.from(bytes)}`);
  mesh.changeAll({ isCut: true });
  await mesh.inject(0, 1, [Buffer.from('forged'), Buffer.from('again')]);
  await sides[1].untilHeard(2);
  assert.deepEqual(sides[1].heard, [
    { text: 'forged', port: mesh.standIn(0).port },
    { text: 'again', port: mesh.standIn(0).port },
  ]);
  assert.deepEqual(heard, []);
  sides[1].send('into the cut', mesh.standIn(0));
  while (mesh.paths[0].counters('back').cut === 0) await turn();
  assert.deepEqual(heard, ['1 to 0: into the cut']);
});

test('every direction has luck of its own, the same in every run of a seed', async t => {
  const fates = async (seed: number) => {
    const { mesh } = await openMesh(t, 3, { seed, forth: { lossShare: 0.5 }, back: { lossShare: 0.5 } });
    return mesh.paths.flatMap(({ models }) =>
      [models.forth, models.back].map(model =>
        Array.from({ length: 64 }, (_, index) => model.offer(index, 100).kind[0]).join(''),
      ),
    );
  };
  const first = await fates(7);
  assert.equal(new Set(first).size, 6);
  assert.deepEqual(await fates(7), first);
  assert.notDeepEqual(await fates(8), first);
});

test('a wrong plan is refused in words, and leaves nothing open', async t => {
  const taken = await Side.open(t);
  const plan = { standIns: [ANY, ANY], seed: 1 };
  await assert.rejects(MeshProxy.open({ ...plan, standIns: [ANY] }), /a mesh of 1 bridges; allowed: 2 to 16/);
  await assert.rejects(MeshProxy.open({ ...plan, bridges: [taken.address, taken.address] }), /two bridges at/);
  await assert.rejects(
    MeshProxy.open({ ...plan, bridges: [{ host: 'bridge.example', port: 1 }] }),
    /not an IP address/,
  );
  await assert.rejects(MeshProxy.open({ ...plan, bridges: [ANY] }), /port 0 of 127.0.0.1, which is sent to/);
  await assert.rejects(MeshProxy.open({ ...plan, forth: { lossShare: 2 } }), SettingsError);
  await assert.rejects(MeshProxy.open({ ...plan, standIns: [ANY, taken.address] }), /EADDRINUSE/);
});

/** Draining: stock clients are moved off a bridge, their media goes on, and the bridge's process ends when it may. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { endpointSpec } from '../../bridge/testing/bridge-box.ts';
import { type Answer, type BridgeProcess, ProcessNetwork } from './bridge-process.ts';
import { accessToken, Client } from './client.ts';
import { eventually } from './eventually.ts';

describe('a bridge with two people on it', { timeout: 120_000 }, () => {
  const network = new ProcessNetwork({ keys: { devkey: 'secret' } });
  const bridges = new Map<string, BridgeProcess>();
  const clients: Client[] = [];

  before(async () => {
    await network.start();
    for (const name of ['b1', 'b2']) bridges.set(name, network.startBridge(name));
    await eventually('both bridges are up', 30_000, async () => (await network.bridges()).length === 2);
    for (const [index, identity] of ['ada', 'bob'].entries()) {
      const client = new Client(identity, index, other => (other === 'ada' ? 0 : 1));
      clients.push(client);
      await client.room.connect(network.focus.url.replace('http', 'ws'), await accessToken(identity, 'drained'), {
        autoSubscribe: true,
        dynacast: false,
      });
      await client.publishCamera();
    }
    await seeEachOther();
  });
  after(async () => {
    for (const client of clients) await client.close();
    await network.close();
  });

  async function seeEachOther(): Promise<void> {
    const [ada, bob] = clients as [Client, Client];
    const before = [ada.seen.get('bob')?.frames ?? 0, bob.seen.get('ada')?.frames ?? 0] as const;
    await eventually(
      'they see each other',
      30_000,
      () => (ada.seen.get('bob')?.frames ?? 0) > before[0] + 10 && (bob.seen.get('ada')?.frames ?? 0) > before[1] + 10,
    );
  }

  const bridgeOf = (identity: 'ada' | 'bob') =>
    clients[identity === 'ada' ? 1 : 0]!.attributesOf(identity)['causeway.bridge'];
  const state = async (name: string): Promise<Answer> => (await network.ask('GET', `/v1/bridges/${name}/state`)).body;

  test('is empty before its deadline, and both still see each other', async () => {
    const drained = bridgeOf('ada')!;
    assert.equal(bridgeOf('bob'), drained);
    const startedMs = performance.now();
    const { status, body } = await network.ask('PUT', `/v1/bridges/${drained}/state`, {
      state: 'draining',
      deadlineSeconds: 30,
    });
    assert.equal(status, 200);
    assert.deepEqual([body.state, body.drain.by, body.drain.mode], ['draining', 'test', 'move']);
    await eventually('nobody is left', 30_000, async () => {
      const { endpoints, progress } = await state(drained);
      return endpoints === 0 && progress?.left === 0;
    });
    console.log(`drained of two after ${Math.round(performance.now() - startedMs)} ms`);
    const isElsewhere = (identity: 'ada' | 'bob') => ![undefined, drained].includes(bridgeOf(identity));
    await eventually('both clients know where they are', 5_000, () => isElsewhere('ada') && isElsewhere('bob'));
    assert.equal(bridgeOf('ada'), bridgeOf('bob'));
    await seeEachOther();
    const { progress } = await state(drained);
    assert.deepEqual([progress.moved, progress.failed, progress.moving], [2, 0, 0]);
  });

  test('undone, it takes people again; those who were moved stay where they are', async () => {
    const other = bridgeOf('ada')!;
    const drained = other === 'b1' ? 'b2' : 'b1';
    const { body } = await network.ask('PUT', `/v1/bridges/${drained}/state`, { state: 'running' });
    assert.deepEqual([body.state, body.drain], ['running', null]);
    assert.equal(bridgeOf('ada'), other);
  });

  test('with SIGTERM its process ends by itself once they are elsewhere', async () => {
    const left = bridges.get(bridgeOf('ada')!)!;
    left.kill('SIGTERM');
    assert.equal(await left.ended, 0);
    await eventually('both are on the other bridge', 30_000, () =>
      [bridgeOf('ada'), bridgeOf('bob')].every(name => name !== undefined && name !== left.name),
    );
    await seeEachOther();
  });
});

describe('a bridge that nobody moves anybody off', { timeout: 120_000 }, () => {
  const network = new ProcessNetwork();
  let startedBridges = 0;

  before(() => network.start());
  after(() => network.close());

  /** One endpoint is on it, and no focus knows of it. */
  async function occupied(env: Readonly<Record<string, string>>): Promise<BridgeProcess & { controlUrl: string }> {
    const bridge = network.startBridge(`b${startedBridges++}`, 'eu', {
      ...env,
      CAUSEWAY_FOCUS_URLS: 'http://127.0.0.1:9',
    });
    await eventually('the bridge is up', 20_000, () => bridge.output().includes('bridge is up'));
    const controlUrl = /"control":"(http:[^"]+)"/.exec(bridge.output())![1]!;
    const report = (await network.ask('GET', `${controlUrl}/v1/bridge`)).body;
    const path = `${controlUrl}/v1/conferences/00000001`;
    const endpoints = [{ endpointId: '00000002', bridgeId: bridge.name, identity: 'ada' }];
    await network.ask('PUT', path, { version: 1, bridges: [report.peer], endpoints });
    const { status } = await network.ask('PUT', `${path}/endpoints/00000002`, endpointSpec({}));
    assert.equal(status, 200);
    return { ...bridge, controlUrl };
  }

  test('ends at once on SIGTERM when it is empty', async () => {
    const bridge = network.startBridge('empty');
    await eventually('the bridge is up', 20_000, () => bridge.output().includes('bridge is up'));
    bridge.kill('SIGTERM');
    assert.equal(await bridge.ended, 0);
  });

  test('ends at its deadline', async () => {
    const bridge = await occupied({ CAUSEWAY_DRAIN_DEADLINE_SECONDS: '2' });
    const startedMs = performance.now();
    bridge.kill('SIGTERM');
    assert.equal(await bridge.ended, 0);
    assert.ok(performance.now() - startedMs >= 1_900, 'not before');
  });

  test('stays until then, says so, and is undone by SIGUSR2', async () => {
    const bridge = await occupied({ CAUSEWAY_DRAIN_DEADLINE_SECONDS: '60' });
    const drain = async () => (await network.ask('GET', `${bridge.controlUrl}/v1/bridge`)).body;
    bridge.kill('SIGTERM');
    await eventually('it drains', 5_000, async () => (await drain()).state === 'draining');
    const { by, exit, mode, endpointsAtStart } = (await drain()).drain;
    assert.deepEqual([by, exit, mode, endpointsAtStart], ['signal', true, 'move', 1]);
    bridge.kill('SIGUSR2');
    await eventually('it is undone', 5_000, async () => (await drain()).state === 'running');
    for (const state of ['draining', 'ended']) {
      bridge.kill('SIGTERM');
      if (state === 'draining') await eventually('it drains', 5_000, async () => (await drain()).state === 'draining');
      else assert.equal(await bridge.ended, 0, 'the second one ends it at once');
    }
  });

  test('ends at once on SIGINT, also while it drains', async () => {
    const bridge = await occupied({ CAUSEWAY_DRAIN_DEADLINE_SECONDS: '60' });
    bridge.kill('SIGTERM');
    bridge.kill('SIGINT');
    assert.equal(await bridge.ended, 0);
  });
});

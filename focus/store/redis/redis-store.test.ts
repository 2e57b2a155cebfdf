import { after, before, describe } from 'node:test';
import { testStore } from '../store-contract.ts';
import { type RedisServers, startRedis, startRedisCluster, startSentinelTrio } from './redis-server.fixture.ts';
import { connectFocus, newPrefix, type TestFocus, targetOf } from './redis-store.fixture.ts';

interface Deployment extends Pick<RedisServers, 'stop'> {
  readonly keys: Readonly<Record<string, unknown>>;
}

const DEPLOYMENTS: Readonly<Record<string, () => Promise<Deployment>>> = {
  async standalone() {
    const server = await startRedis();
    return { keys: { address: server.address }, stop: () => server.stop() };
  },
  async cluster() {
    const cluster = await startRedisCluster();
    return { keys: { cluster_addresses: cluster.addresses }, stop: () => cluster.stop() };
  },
  async sentinel() {
    const trio = await startSentinelTrio();
    const keys = { sentinel_addresses: trio.addresses, sentinel_master_name: trio.masterName };
    return { keys, stop: () => trio.stop() };
  },
};

for (const [name, start] of Object.entries(DEPLOYMENTS)) {
  describe(`redis, ${name}`, () => {
    let deployment: Deployment;
    const focuses: TestFocus[] = [];
    before(async () => {
      deployment = await start();
    });
    after(async () => {
      for (const focus of focuses) focus.close();
      await deployment.stop();
    });

    testStore(`redis, ${name}`, async () => {
      const focus = await connectFocus(targetOf({ ...deployment.keys, key_prefix: newPrefix() }), 'focus-1');
      focuses.push(focus);
      return { store: focus.store, advanceMs: focus.advanceMs, driftMsMax: 5_000 };
    });
  });
}

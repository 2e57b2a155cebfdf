import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { test } from 'node:test';
import { freeBase } from './free-base.fixture.ts';
import { startNetwork } from './network.ts';

test('on free ports a network of any regions comes up registered, reachable through the prefix of each', async () => {
  const network = await startNetwork({ regions: ['lab', 'eu'], bridgesPerRegion: 2, portBase: 'free' });
  try {
    assert.deepEqual(
      network.bridges.map(bridge => bridge.bridgeId),
      ['lab-1', 'lab-2', 'eu-1', 'eu-2'],
    );
    assert.deepEqual(network.unregistered, []);
    for (const region of network.regions) {
      const answer = await fetch(`${network.pageUrl}region/${region}/region`);
      assert.equal(((await answer.json()) as { region: string }).region, region);
    }
    const ready = await fetch(`${network.pageUrl}readyz`);
    assert.equal(ready.status, 200);
  } finally {
    await network.close();
  }
  await assert.rejects(fetch(network.pageUrl), 'nothing listens any more');
});

test('a service that cannot have its port ends the others: the same ports are free for the next try', async () => {
  const portBase = await freeBase(2 + 3);
  const mediaPort = portBase + 3;
  const busy = createSocket('udp4').bind(mediaPort, '0.0.0.0');
  await once(busy, 'listening');
  const options = { regions: ['eu'], portBase };
  await assert.rejects(startNetwork(options), {
    name: 'PortInUseError',
    message: `port ${mediaPort} is in use: bridge eu-1 needs it for media; --port-base N moves all ports`,
  });
  busy.close();
  await once(busy, 'close');
  const network = await startNetwork(options);
  assert.equal(network.bridges[0]?.mediaPort, mediaPort);
  await network.close();
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { lastPort, layOut } from './layout.ts';

test('by default every service has the port of its own kind, further bridges the next ones', () => {
  const { geoProxyPort, focusPort, bridges } = layOut({
    regions: ['eu', 'us'],
    bridgesPerRegion: 2,
    portBase: undefined,
  });
  assert.deepEqual([geoProxyPort, focusPort], [8080, 7880]);
  assert.deepEqual(
    bridges.map(bridge => bridge.bridgeId),
    ['eu-1', 'eu-2', 'us-1', 'us-2'],
  );
  assert.deepEqual(bridges[2], {
    bridgeId: 'us-1',
    region: 'us',
    controlPort: 9092,
    mediaPort: 10_002,
    octoPort: 4098,
  });
});

test('from a base no port is used twice and the last one is known', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 16 }),
      fc.integer({ min: 1, max: 16 }),
      fc.integer({ min: 1024, max: 60_000 }),
      (regions, bridgesPerRegion, portBase) => {
        const options = {
          regions: Array.from({ length: regions }, (_, index) => `r${index}`),
          bridgesPerRegion,
          portBase,
        };
        const layout = layOut(options);
        const ports = [
          layout.geoProxyPort,
          layout.focusPort,
          ...layout.bridges.flatMap(bridge => [bridge.controlPort, bridge.mediaPort, bridge.octoPort]),
        ];
        assert.equal(new Set(ports).size, ports.length);
        assert.deepEqual([Math.min(...ports), Math.max(...ports)], [portBase, lastPort(options)]);
      },
    ),
  );
});

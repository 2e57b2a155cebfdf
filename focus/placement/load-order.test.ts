import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { BridgeId } from '../../protocol/ids.ts';
import { BridgePool } from '../store/bridge-pool.ts';
import type { BridgeRecord } from '../store/store.ts';
import { sampleReport } from '../store/store-contract.ts';
import { isBefore, loadOrderOf, regionOrderOf } from './load-order.ts';
import { SETTINGS } from './sketch.fixture.ts';

const COUNT = 40;

function record(index: number, stress: number, placedSinceReport: number): BridgeRecord {
  const id = `b${String(index).padStart(2, '0')}`;
  const sample = sampleReport(id);
  const report = { ...sample, peer: { ...sample.peer, region: 'eu' }, load: { ...sample.load, stress } };
  return { bridgeId: id as BridgeId, report, reportedAtMs: 0, placedSinceReport };
}

const change = fc.record({
  index: fc.nat(COUNT - 1),
  // Few values: equal ones are where an order goes wrong.
  stress: fc.constantFrom(0, 0.25, 0.5),
  placed: fc.nat(2),
  isAskedFor: fc.boolean(),
});

test('an order that follows from the one before is the one worked out anew, whatever changed and however often it was asked for', () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 40 }), changes => {
      const pool = new BridgePool(Array.from({ length: COUNT }, (_, index) => record(index, 0.25, 0)));
      for (const { index, stress, placed, isAskedFor } of changes) {
        pool.put(record(index, stress, placed));
        if (!isAskedFor) continue;
        const region = pool.inRegion('eu');
        const anew = new BridgePool(pool.all).inRegion('eu');
        assert.deepEqual(
          region.blocks.map(block => loadOrderOf(block, 'stress', SETTINGS)),
          anew.blocks.map(block => loadOrderOf(block, 'stress', SETTINGS)),
        );
        const least = pool.all.toSorted((a, b) => measure(a) - measure(b) || (isBefore(a, b) ? -1 : 1))[0];
        assert.equal(regionOrderOf(region, 'stress', SETTINGS).least.bridge, least);
      }
    }),
  );
});

function measure({ report, placedSinceReport }: BridgeRecord): number {
  return report.load.stress + placedSinceReport * SETTINGS.endpoint_stress;
}

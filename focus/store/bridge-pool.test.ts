import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { BridgeId } from '../../protocol/ids.ts';
import { BridgePool } from './bridge-pool.ts';
import type { BridgeRecord } from './store.ts';
import { sampleReport } from './store-contract.ts';

function bridge(id: string, region: string, host?: string, placedSinceReport = 0): BridgeRecord {
  const sample = sampleReport(id);
  const report = { ...sample, peer: { ...sample.peer, region }, ...(host === undefined ? {} : { host }) };
  return { bridgeId: id as BridgeId, report, reportedAtMs: 0, placedSinceReport };
}

function recordsIn(pool: BridgePool, region: string): BridgeRecord[] {
  return pool.inRegion(region).blocks.flatMap(({ bridges }) => bridges);
}

const someBridge = fc
  .record({
    id: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
    region: fc.constantFrom('eu', 'us'),
    host: fc.option(fc.constantFrom('h1', 'h2'), { nil: undefined }),
    placed: fc.nat(5),
  })
  .map(({ id, region, host, placed }) => bridge(id, region, host, placed));
const step = fc.oneof(
  someBridge.map(record => ({ put: record })),
  fc.constantFrom('a', 'b', 'c', 'd').map(id => ({ delete: id as BridgeId })),
);

test('whatever comes, moves and goes, each list is what a filter over all bridges would be, ordered by id', () => {
  fc.assert(
    fc.property(fc.array(someBridge, { maxLength: 4 }), fc.array(step, { maxLength: 30 }), (first, steps) => {
      const expected = new Map(first.map(each => [each.bridgeId, each]));
      const pool = new BridgePool(expected.values());
      for (const each of steps) {
        if ('put' in each) {
          pool.put(each.put);
          expected.set(each.put.bridgeId, each.put);
        } else assert.equal(pool.delete(each.delete), expected.delete(each.delete));
        const all = [...expected.values()].sort((a, b) => (a.bridgeId < b.bridgeId ? -1 : 1));
        const inRegion = (region: string) => all.filter(({ report }) => report.peer.region === region);
        assert.deepEqual(pool.all, all);
        assert.deepEqual(
          pool.everywhere.map(({ blocks }) => blocks.flatMap(({ bridges }) => bridges)),
          pool.regions.map(inRegion),
        );
        assert.deepEqual(
          [...pool.regions].sort(),
          ['eu', 'us'].filter(region => inRegion(region).length > 0),
        );
        for (const region of ['eu', 'us']) assert.deepEqual(recordsIn(pool, region), inRegion(region));
        for (const host of ['h1', 'h2']) {
          assert.deepEqual(
            pool.onHost(host),
            all.filter(({ report }) => report.host === host),
          );
        }
        for (const { bridgeId } of all) assert.equal(pool.find(bridgeId), expected.get(bridgeId));
      }
    }),
  );
});

test('a list that was handed out stays as it was', () => {
  const pool = new BridgePool([bridge('a', 'eu', 'h'), bridge('b', 'eu', 'h')]);
  const before = [pool.all, pool.inRegion('eu'), pool.onHost('h')];
  const copies = structuredClone(before);
  pool.put(bridge('a', 'eu', 'h', 7));
  pool.put(bridge('c', 'eu', 'h'));
  pool.delete('b' as BridgeId);
  assert.deepEqual(before, copies);
});

test('one more was placed on a bridge, and nothing else changes; of one that is not known nothing does', () => {
  const pool = new BridgePool([bridge('a', 'eu', 'h', 3), bridge('b', 'eu', 'h')]);
  const [a, b] = pool.all;
  pool.countPlaced('a' as BridgeId);
  pool.countPlaced('z' as BridgeId);
  assert.deepEqual(pool.all, [{ ...a, placedSinceReport: 4 }, b]);
  assert.deepEqual(pool.onHost('h'), pool.all);
});

test('a block knows the last one that something was worked out about, and which bridges changed since, and no chain of them', () => {
  const pool = new BridgePool(['a', 'b', 'c'].map(id => bridge(id, 'eu')));
  const block = () => pool.inRegion('eu').blocks[0]!;
  pool.countPlaced('a' as BridgeId);
  assert.equal(block().basis, undefined);
  const known = block();
  known.memo = 'known';
  pool.countPlaced('b' as BridgeId);
  pool.countPlaced('c' as BridgeId);
  assert.deepEqual(block().basis, { block: known, changed: 0b110 });
});

test('of a large region a report changes one block, and what was worked out about the others stays', () => {
  const name = (index: number) => `b${String(index).padStart(3, '0')}`;
  const pool = new BridgePool(Array.from({ length: 200 }, (_, index) => bridge(name(index), 'eu')));
  const before = pool.inRegion('eu').blocks;
  for (const block of before) block.memo = 'known';
  pool.put(bridge(name(100), 'eu', undefined, 7));
  const after = pool.inRegion('eu').blocks;
  assert.equal(after.filter(({ memo }) => memo === 'known').length, before.length - 1);
  assert.equal(recordsIn(pool, 'eu')[100]!.placedSinceReport, 7);
  assert.ok(before.every(({ bridges }) => bridges.every(({ placedSinceReport }) => placedSinceReport === 0)));
});

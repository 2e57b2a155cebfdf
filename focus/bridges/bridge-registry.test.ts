import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BridgeId } from '../../protocol/ids.ts';
import { BRIDGE_EXPIRY_MS } from '../store/store.ts';
import { sampleReport } from '../store/store-contract.ts';
import { BRIDGES_MAX, type BridgeChange, BridgeRegistry } from './bridge-registry.ts';

const b1 = 'b1' as BridgeId;

function told(changes: readonly BridgeChange[] | 'refused'): string[] {
  if (changes === 'refused') return ['refused'];
  return changes.map(change => (change.kind === 'up' ? `up ${change.bridge.report.bootId}` : `down ${change.reason}`));
}

test('the first report of a bridge is an up, the next of the same boot is nothing', () => {
  const registry = new BridgeRegistry();
  assert.deepEqual(told(registry.handleReport(0, sampleReport('b1'))), ['up b1-boot']);
  assert.deepEqual(told(registry.handleReport(2_000, sampleReport('b1'))), []);
  assert.equal(registry.bridge(b1)!.reportedAtMs, 2_000);
});

test('another boot of a bridge is a down and an up, in that order', () => {
  const registry = new BridgeRegistry();
  registry.handleReport(0, sampleReport('b1'));
  assert.deepEqual(told(registry.handleReport(1, sampleReport('b1', { bootId: 'next' }))), [
    'down restarted',
    'up next',
  ]);
});

test('a bridge is forgotten exactly when it has been silent long enough, and the deadline says when', () => {
  const registry = new BridgeRegistry();
  assert.equal(registry.pollTimeout(), undefined);
  registry.handleReport(0, sampleReport('b1'));
  registry.handleReport(500, sampleReport('b2'));
  assert.equal(registry.pollTimeout(), BRIDGE_EXPIRY_MS);
  assert.deepEqual(told(registry.handleTimeout(BRIDGE_EXPIRY_MS - 1)), []);
  assert.deepEqual(told(registry.handleTimeout(BRIDGE_EXPIRY_MS)), ['down silent']);
  assert.deepEqual(
    registry.bridges().map(({ bridgeId }) => bridgeId),
    ['b2'],
  );
  assert.equal(registry.pollTimeout(), BRIDGE_EXPIRY_MS + 500);
});

test('a lost bridge is down at once and up with its next report', () => {
  const registry = new BridgeRegistry();
  registry.handleReport(0, sampleReport('b1'));
  assert.deepEqual(told(registry.handleLost(b1, 'b1-boot')), ['down lost']);
  assert.deepEqual(told(registry.handleLost(b1, 'b1-boot')), []);
  assert.deepEqual(told(registry.handleReport(1, sampleReport('b1'))), ['up b1-boot']);
});

test('who lost an earlier boot does not take the present one down', () => {
  const registry = new BridgeRegistry();
  registry.handleReport(0, sampleReport('b1', { bootId: 'next' }));
  assert.deepEqual(told(registry.handleLost(b1, 'b1-boot')), []);
  assert.equal(registry.bridges().length, 1);
});

test('one bridge too many is refused, those known go on reporting', () => {
  const registry = new BridgeRegistry();
  for (let index = 0; index < BRIDGES_MAX; index++) registry.handleReport(0, sampleReport(`b${index}`));
  assert.deepEqual(told(registry.handleReport(0, sampleReport('new'))), ['refused']);
  assert.deepEqual(told(registry.handleReport(1, sampleReport('b1'))), []);
  registry.handleLost(b1, 'b1-boot');
  assert.deepEqual(told(registry.handleReport(2, sampleReport('new'))), ['up new-boot']);
});

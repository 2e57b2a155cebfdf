import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BridgeId } from '../protocol/ids.ts';
import { Cascade } from './testing/cascade.ts';

/** Camera 1 at a; 2 and 3 at b watch all of it, 4 at b its middle layer, 5 at c nothing. */
function world(): Cascade {
  const cascade = new Cascade(['a', 'b', 'c'], 20);
  cascade.publish(1, 'a');
  cascade.watch(2, 'b', 1);
  cascade.watch(3, 'b', 1);
  cascade.watch(4, 'b', 1, 1);
  cascade.watch(5, 'c', 1, -1);
  cascade.run(3_000);
  return cascade;
}

function linkOf(cascade: Cascade, name: string, peer: string) {
  const box = cascade.box(name);
  const link = box.bridge.describeLinks().find(({ bridgeId }) => bridgeId === (peer as BridgeId));
  assert.ok(link);
  assert.equal(link.carries.length, 1);
  return link.carries[0];
}

test('a link says of each layer who wants it there, whether it is sent, and why', () => {
  const { out, bitrateOutBps, in: incoming } = linkOf(world(), 'a', 'b');
  assert.deepEqual(incoming, []);
  assert.equal(out.length, 1);
  const { layers, ...source } = out[0];
  assert.deepEqual(source, { endpointId: '00000001', sourceId: 2, kind: 'video' });
  assert.deepEqual(
    layers.map(({ bitrateBps: _, ...layer }) => layer),
    [
      { layer: 1, viewersThere: 1, sent: true, why: 'wanted' },
      { layer: 2, viewersThere: 2, sent: true, why: 'wanted' },
    ],
  );
  assert.ok(layers.every(({ bitrateBps }) => bitrateBps > 0));
  assert.equal(bitrateOutBps, layers[0].bitrateBps + layers[1].bitrateBps);
});

test('the other end names who watches what', () => {
  const { in: incoming, out, bitrateInBps } = linkOf(world(), 'b', 'a');
  assert.deepEqual(out, []);
  assert.deepEqual(
    incoming[0].layers.map(({ wantedBy, flowing }) => [wantedBy, flowing]),
    [
      [[], false],
      [['00000004'], true],
      [['00000002', '00000003'], true],
    ],
  );
  assert.ok(bitrateInBps > 0);
});

test('a link of a conference in which nobody watches carries nothing', () => {
  assert.deepEqual(linkOf(world(), 'a', 'c').out, []);
});

test('what a full link holds back is named at both ends', () => {
  const cascade = world();
  cascade.link('a', 'b').sendBudgetBps = 120_000;
  cascade.run(2_000);
  assert.deepEqual(
    linkOf(cascade, 'a', 'b').out[0].layers.map(({ layer, sent, why }) => [layer, sent, why]),
    [
      [1, true, 'wanted'],
      [2, false, 'held-back-for-budget'],
    ],
  );
  assert.deepEqual(
    linkOf(cascade, 'b', 'a').in[0].layers.map(({ heldBackThere }) => heldBackThere),
    [false, false, true],
  );
});

test('a layer that the publisher does not send is wanted in vain, and another stands in', () => {
  const cascade = world();
  cascade.unwatch(4, 1);
  cascade.cameras.get(1)!.sends[2] = false;
  cascade.run(3_000);
  const { layers } = linkOf(cascade, 'a', 'b').out[0];
  assert.deepEqual(
    layers.map(({ layer, why }) => [layer, why]),
    [
      [1, 'wanted'],
      [2, 'nothing-flows'],
    ],
  );
});

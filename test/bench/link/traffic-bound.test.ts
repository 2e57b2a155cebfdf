import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  AUDIO_SOURCE,
  audioOf,
  type BenchPlan,
  endpoint,
  microphone,
  SPEECH,
  simulcastCamera,
  VIDEO_SOURCE,
  videoOf,
} from '../forward/cases.ts';
import { streamTag } from '../forward/payload.ts';
import { emptyLedger } from './packet-ledger.ts';
import { PLANS } from './plans.ts';
import { allLayers, framedBytes, trafficOf, wantedLayers } from './traffic-bound.ts';

/** Endpoint 0 on bridge 0 publishes; 1 is beside it, 2 and 3 on bridge 1, 4 on bridge 2. */
const PLAN: BenchPlan = {
  bridges: 3,
  endpoints: [
    endpoint([microphone(SPEECH), simulcastCamera()], [], 0),
    endpoint([], [videoOf(0, 1)], 0),
    endpoint([], [audioOf(0), videoOf(0, 2)], 1),
    endpoint([], [audioOf(0), videoOf(0, 2), videoOf(0, 0, false)], 1),
    endpoint([], [videoOf(0, 0)], 2),
  ],
};

test('a layer is wanted once per link, however many watch it, and not for those at home or who do not look', () => {
  assert.deepEqual(wantedLayers(PLAN), [
    { from: 0, to: 1, tag: streamTag(0, AUDIO_SOURCE, 0) },
    { from: 0, to: 1, tag: streamTag(0, VIDEO_SOURCE, 2) },
    { from: 0, to: 2, tag: streamTag(0, VIDEO_SOURCE, 0) },
  ]);
});

test('all layers everywhere are every encoding to every other bridge', () => {
  assert.equal(allLayers(PLAN).length, 2 * (1 + 3));
});

test('traffic is what was sent of each layer, once for each bridge it goes to', () => {
  const { sent, received } = emptyLedger();
  for (const [layer, bytes] of [100, 300, 900].entries()) {
    sent.tag.push(streamTag(0, VIDEO_SOURCE, layer));
    sent.bytes.push(bytes);
    sent.atMs.push(layer);
  }
  const ledger = { sent, received };
  assert.deepEqual(trafficOf(wantedLayers(PLAN), ledger), { packets: 2, bytes: 1_000 });
  assert.deepEqual(trafficOf(allLayers(PLAN), ledger), { packets: 6, bytes: 2_600 });
  assert.equal(framedBytes({ packets: 2, bytes: 1_000 }), 1_072);
});

test('in the meeting of twelve each sees three large and eight small, a third of them at home', () => {
  const { endpoints } = PLANS.regions.plan();
  for (const { subscriptions } of endpoints) {
    const videos = subscriptions.filter(({ sourceId }) => sourceId === VIDEO_SOURCE);
    assert.deepEqual(
      [2, 0].map(layer => videos.filter(({ layerMax }) => layerMax === layer).length),
      [3, 8],
    );
    assert.equal(subscriptions.length - videos.length, 11);
  }
  assert.deepEqual(
    [0, 1, 2].map(region => endpoints.filter(({ bridge }) => bridge === region).length),
    [4, 4, 4],
  );
});

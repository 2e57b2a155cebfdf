import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BridgeEvent } from '../protocol/control/events.ts';
import type { EndpointId } from '../protocol/ids.ts';
import { RTCP_SR } from '../protocol/rtcp/packet.ts';
import { writeSenderReport } from '../protocol/rtcp/report.ts';
import { HISTORY_AGE_MS_MAX } from './forward/packet-history.ts';
import { TASKS_PER_TURN } from './schedule.ts';
import { BridgeBox, CONFERENCE } from './testing/bridge-box.ts';
import { opusPacket, vp8Packet } from './testing/packets.ts';
import { AUDIO, projection, rtcpOf, VIDEO } from './testing/vocabulary.ts';

const LISTENERS = 250;

/** One who sends audio, and many who hear it. */
function audience(): BridgeBox {
  const box = new BridgeBox('a', new Map(), { endpoints: LISTENERS + 1 });
  box.put(1, { sources: [AUDIO] });
  for (let id = 2; id <= LISTENERS + 1; id++) box.put(id, { projections: [projection(1, AUDIO)] });
  return box;
}

/** A sender report of SSRC 77 for the moment of sequence number 1. */
function senderReport(): Buffer {
  const bytes = Buffer.alloc(28);
  writeSenderReport(bytes, 0, 77, 3_900_000_000, 0, 960, 1, 100);
  return bytes;
}

test('one turn does a bounded number of tasks and says that more is due; the next turns do the rest', () => {
  const box = audience();
  box.run(1_500);
  box.receive(1, opusPacket({ ssrc: 77, sequence: 1, mid: '0' }));
  box.receive(1, senderReport());
  const reported = () => {
    let count = 0;
    for (let id = 2; id <= LISTENERS + 1; id++) if (rtcpOf(box.transport(id), RTCP_SR).length > 0) count++;
    return count;
  };
  box.nowMs += 1_100;
  const counts: number[] = [];
  while (box.bridge.handleTimeout(box.nowMs)) {
    counts.push(reported());
    assert.ok(counts.length < 50, 'it ends');
  }
  assert.ok(counts.length > 1, `${counts.length} turns`);
  for (const [turn, count] of counts.entries()) assert.ok(count - (counts[turn - 1] ?? 0) <= TASKS_PER_TURN);
  assert.equal(reported(), LISTENERS);
});

test('reports of many endpoints are spread over their period', () => {
  const box = audience();
  box.receive(1, opusPacket({ ssrc: 77, sequence: 1, mid: '0' }));
  box.receive(1, senderReport());
  box.run(3_000);
  for (let id = 2; id <= LISTENERS + 1; id++) box.transport(id).rtcp.length = 0;
  let most = 0;
  for (let before = 0, tick = 0; tick < 100; tick++) {
    box.run(10);
    let sent = 0;
    for (let id = 2; id <= LISTENERS + 1; id++) sent += box.transport(id).rtcp.length;
    most = Math.max(most, sent - before);
    before = sent;
  }
  assert.ok(most < LISTENERS / 10, `${most} in one tick`);
});

test('the quality of a large conference is told in parts, and each endpoint once in two seconds', () => {
  const box = audience();
  box.run(5_000);
  box.events.length = 0;
  box.run(2_000);
  const events = box.events.filter(
    (event): event is Extract<BridgeEvent, { kind: 'quality' }> => event.kind === 'quality',
  );
  assert.ok(events.every(({ endpoints }) => endpoints.length <= 100));
  const told = events.flatMap(({ endpoints }) => endpoints.map(({ endpointId }) => endpointId));
  assert.ok(told.length >= LISTENERS, `${told.length} told`);
  assert.equal(new Set(told).size, LISTENERS + 1);
});

test('what has ended has no deadline any more', () => {
  const box = new BridgeBox('a');
  box.put(1, { sources: [AUDIO, VIDEO] });
  box.put(2, { projections: [projection(1, AUDIO), projection(1, VIDEO)] });
  box.receive(1, opusPacket({ ssrc: 77, sequence: 1, mid: '0', level: 20, transportSequence: 1 }));
  box.receive(1, vp8Packet({ ssrc: 31, sequence: 1, mid: '1', rid: 'q' }));
  box.receive(1, vp8Packet({ ssrc: 31, sequence: 5 }));
  const [publisher, viewer] = [box.endpoint(1), box.endpoint(2)];
  const { conference } = publisher;
  box.nowMs += 60;
  box.bridge.handleTimeout(box.nowMs);
  const deadlines = [
    ...[publisher, viewer].flatMap(({ transportDue, feedbackDue, reportsDue }) => [
      transportDue,
      feedbackDue,
      reportsDue,
    ]),
    ...[...publisher.streams.all()].map(({ repairsDue }) => repairsDue),
    ...[...viewer.subscriptions.values()].map(({ viewDue }) => viewDue),
    ...[...conference.sources].flatMap(({ flowDue, layers }) => [flowDue, ...layers.map(layer => layer.keyFramesDue)]),
    conference.wantsDue,
    conference.speakersDue,
    conference.qualityDue,
  ];
  const set = new Set(deadlines.filter(({ isSet }) => isSet).map(({ task }) => task.kind));
  for (const kind of [
    'transport',
    'feedback',
    'reports',
    'repairs',
    'view',
    'flow',
    'key-frame',
    'speakers',
    'quality',
  ] as const)
    assert.ok(set.has(kind), kind);
  box.bridge.deleteEndpoint(CONFERENCE, 1 as EndpointId);
  box.bridge.deleteEndpoint(CONFERENCE, 2 as EndpointId);
  assert.deepEqual(
    deadlines.filter(({ isSet }) => isSet).map(({ task }) => task.kind),
    [],
  );
});

test('a subscriber that gets what it is to get is not looked at again until something changes', () => {
  const box = new BridgeBox('a');
  box.put(1, { sources: [VIDEO] });
  box.put(2, { projections: [projection(1, VIDEO, { layerMax: 0 })] });
  const [{ viewDue }] = box.endpoint(2).subscriptions.values();
  box.receive(1, vp8Packet({ ssrc: 31, sequence: 1, mid: '1', rid: 'q', isKeyFrame: true }));
  box.run(200);
  for (let sequence = 2; sequence < 60; sequence++) {
    box.receive(1, vp8Packet({ ssrc: 31, sequence }));
    assert.equal(viewDue.isSet, false);
    box.run(40);
  }
  box.receive(1, vp8Packet({ ssrc: 31, sequence: 300 }));
  assert.equal(viewDue.isSet, true, 'the gap needs a key frame');
});

test('the history of a layer that fell silent is given back when nobody may have its packets any more', () => {
  const box = new BridgeBox('a');
  box.put(1, { sources: [AUDIO, VIDEO] });
  box.receive(1, opusPacket({ ssrc: 77, sequence: 1, mid: '0' }));
  box.receive(1, vp8Packet({ ssrc: 31, sequence: 1, mid: '1', rid: 'q', isKeyFrame: true }));
  const histories = [...box.endpoint(1).sources].map(({ source }) => source.layers[0].history);
  box.run(HISTORY_AGE_MS_MAX);
  assert.ok(histories.every(({ bytes }) => bytes.length > 0));
  box.run(200);
  assert.ok(histories.every(({ bytes }) => bytes.length === 0));
  box.receive(1, vp8Packet({ ssrc: 31, sequence: 2 }));
  assert.ok(histories[1].offsetOf(histories[1].highest) >= 0);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ConferenceId, EndpointId, SourceId } from '../../protocol/ids.ts';
import { PORTABLE_FRAME_CIPHERS } from '../../protocol/octo/aead.ts';
import { cutSessionKeys, EXPORTER_BYTES } from '../../protocol/octo/keys.ts';
import { SLOT_BYTES } from '../arena.ts';
import { FrameOutput } from './frame-output.ts';
import { createLinkCounters } from './link-counters.ts';
import { LinkSession } from './link-session.ts';
import { LossRecovery, REORDER_MS } from './loss-recovery.ts';
import { LossReports } from './loss-reports.ts';
import { CLASS_VIDEO } from './media-class.ts';
import { SimulatedPair, seededRandom } from './simulated-pair.ts';

const CONFERENCE = 1 as ConferenceId;
const ALICE = 2 as EndpointId;
const CAMERA = 1 as SourceId;

/** Sends `packets` numbered packets from a to b, `perTick` each 10 ms, and lets the last ones be recovered. */
function stream(pair: SimulatedPair, packets: number, perTick: number): Map<number, number> {
  pair.share(CONFERENCE);
  pair.runUntil(() => pair.a.link?.state === 'up' && pair.b.link?.state === 'up', 10_000);
  pair.run(500);
  const sentMs = new Map<number, number>();
  const bytes = Buffer.alloc(1000);
  while (sentMs.size < packets) {
    for (let index = 0; index < perTick && sentMs.size < packets; index++) {
      const { link } = pair.a;
      assert.ok(link);
      bytes.writeUInt32BE(sentMs.size);
      sentMs.set(sentMs.size, pair.nowMs);
      pair.a.relay.sendPacket(link, CONFERENCE, ALICE, CAMERA, 0, CLASS_VIDEO, bytes, 0, bytes.length);
    }
    pair.run(10);
  }
  pair.run(1500);
  return sentMs;
}

test('2 % loss at 200 ms round trip leaves less than 0.1 % of packets missing, each within a second', () => {
  const pair = new SimulatedPair(11, { delayMs: 100, loss: 0.02 });
  const sentMs = stream(pair, 10_000, 10);
  const received = new Set(pair.b.packets.map(packet => packet.bytes.readUInt32BE()));
  const missing = sentMs.size - received.size;
  assert.ok(missing / sentMs.size < 0.001, `${missing} of ${sentMs.size}`);
  assert.equal(received.size, pair.b.packets.length, 'none twice');
  for (const packet of pair.b.packets) {
    const delayMs = packet.atMs - (sentMs.get(packet.bytes.readUInt32BE()) ?? 0);
    assert.ok(delayMs < 1100, `${delayMs} ms`);
  }
  const [snapshot] = pair.b.relay.snapshot();
  assert.ok(snapshot.recovered >= 150, `${snapshot.recovered} recovered`);
  assert.ok(Math.abs(snapshot.lossIn - 0.02) < 0.02, `${snapshot.lossIn}`);
});

test('without recovery the same path would lose its 2 %', () => {
  const pair = new SimulatedPair(11, { delayMs: 100, loss: 0.02 });
  pair.filter = (bytes, from) => from === pair.a || (bytes[0] & 0x0f) !== 7;
  const sentMs = stream(pair, 3000, 10);
  const missing = sentMs.size - pair.b.packets.length;
  assert.ok(missing / sentMs.size > 0.01, `${missing} of ${sentMs.size}`);
});

test('reordering within the window is not taken for loss', () => {
  const pair = new SimulatedPair(12, { delayMs: 50, jitterMs: REORDER_MS - 1 });
  const sentMs = stream(pair, 3000, 5);
  assert.equal(pair.b.packets.length, sentMs.size);
  assert.equal(pair.b.link?.counters.nacksSent, 0);
});

test('duplicates from the network are delivered once', () => {
  const pair = new SimulatedPair(13, { duplicates: 0.5, jitterMs: 5 });
  const sentMs = stream(pair, 1000, 5);
  assert.equal(pair.b.packets.length, sentMs.size);
  assert.ok((pair.b.link?.counters.replayed ?? 0) > 300);
});

test('repeats stay within a quarter of what is sent and the floor, however much is asked for', () => {
  const pair = new SimulatedPair(14, { delayMs: 20 });
  stream(pair, 100, 5);
  pair.path.loss = 0.7;
  const before = pair.a.link?.counters.bytesOut ?? 0;
  const startMs = pair.nowMs;
  stream(pair, 4000, 10);
  const elapsedMs = pair.nowMs - startMs;
  const counters = pair.a.link?.counters;
  assert.ok(counters);
  const bytes = counters.bytesOut - before;
  const repeatedBytes = counters.retransmitted * 1036;
  assert.ok(counters.notRetransmitted > 0);
  assert.ok(repeatedBytes <= 128_000 + (bytes - repeatedBytes) * 0.25 + elapsedMs * 32 + 150_000, `${repeatedBytes}`);
});

test('every lost frame is asked for, none twice within a round trip, none after its deadline', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 300 }), (seed, rttMs) => {
      const random = seededRandom(seed);
      const recovery = new LossRecovery({ recovered: 0, givenUp: 0 });
      const due = new Float64Array(64);
      const askedMs = new Map<number, number>();
      const lostMs = new Map<number, number>();
      let next = 0;
      for (let nowMs = 0; nowMs < 3000; nowMs += 10) {
        for (let burst = 0; burst < 4 && nowMs < 1500; burst++) {
          if (random() < 0.1) lostMs.set(next, nowMs);
          else recovery.handleArrival(nowMs, next);
          next++;
        }
        const count = recovery.poll(nowMs, rttMs, due);
        for (let index = 0; index < count; index++) {
          const sequence = due[index];
          assert.ok(lostMs.has(sequence), `${sequence} is not lost`);
          const previousMs = askedMs.get(sequence);
          assert.ok(previousMs === undefined || nowMs - previousMs >= rttMs, `${sequence} too soon`);
          assert.ok(nowMs - (lostMs.get(sequence) ?? 0) <= 1000, `${sequence} too late`);
          askedMs.set(sequence, nowMs);
        }
      }
      for (const sequence of lostMs.keys()) {
        if (sequence < recovery.highest) assert.ok(askedMs.has(sequence), `${sequence} never asked for`);
      }
      assert.equal(recovery.missing, 0);
    }),
    { numRuns: 40 },
  );
});

test('a jump of more than 1024 frames is an outage: nothing in it is asked for', () => {
  const totals = { recovered: 0, givenUp: 0 };
  const recovery = new LossRecovery(totals);
  recovery.handleArrival(0, 0);
  recovery.handleArrival(1, 2000);
  assert.equal(recovery.poll(100, 10, new Float64Array(64)), 0);
  assert.equal(totals.givenUp, 1999);
  recovery.handleArrival(101, 2002);
  assert.equal(recovery.poll(200, 10, new Float64Array(64)), 1);
});

test('frames that are asked for are told from late ones', () => {
  const recovery = new LossRecovery({ recovered: 0, givenUp: 0 });
  recovery.handleArrival(0, 0);
  assert.equal(recovery.handleArrival(0, 3), 'fresh');
  assert.equal(recovery.handleArrival(5, 1), 'late');
  recovery.poll(20, 10, new Float64Array(8));
  assert.equal(recovery.handleArrival(30, 2), 'recovered');
});

test('a frame is repeated once per round trip, however often it is asked for', () => {
  const counters = createLinkCounters();
  const sent: Buffer[] = [];
  const outgoing = Buffer.alloc(SLOT_BYTES);
  const commit = (offset: number, length: number) => sent.push(Buffer.from(outgoing.subarray(offset, offset + length)));
  const output = new FrameOutput(0, { sendsRuns: false, outgoing, reserve: () => 0, commit }, counters);
  const reports = new LossReports(output, counters);
  const session = new LinkSession(
    0,
    cutSessionKeys(Buffer.alloc(EXPORTER_BYTES, 1), 'client'),
    counters,
    PORTABLE_FRAME_CIPHERS,
  );
  for (let frame = 0; frame < 3; frame++) output.finish(0, session, output.begin(0, 0, 1, 0, 1, 2), 8, true);
  const nack = Buffer.from('0000000100000001', 'hex');
  const ask = (nowMs: number) => reports.handleNack(nowMs, session, 100, nack, 0, nack.length);
  ask(20);
  ask(60);
  ask(109);
  assert.equal(counters.retransmitted, 2, 'frames 1 and 2, once each');
  assert.ok(sent[3].equals(sent[1]) && sent[4].equals(sent[2]), 'byte for byte');
  ask(110);
  assert.equal(counters.retransmitted, 4);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ConferenceId, EndpointId, SourceId } from '../../protocol/ids.ts';
import { PORTABLE_FRAME_CIPHERS } from '../../protocol/octo/aead.ts';
import { cutSessionKeys, EXPORTER_BYTES } from '../../protocol/octo/keys.ts';
import { NACK_ASKS, NACK_BLOCKS_MAX, NACK_GONE, NACK_NEVER_REPEATED, writeNack } from '../../protocol/octo/nack.ts';
import { SLOT_BYTES } from '../arena.ts';
import { FrameOutput } from './frame-output.ts';
import { createLinkCounters } from './link-counters.ts';
import { LinkSession } from './link-session.ts';
import { LossReports } from './loss-reports.ts';
import { CLASS_AUDIO, CLASS_KEY_FRAME, CLASS_VIDEO, type MediaClass } from './media-class.ts';
import { SimulatedPair } from './simulated-pair.ts';

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

test('reordering that the path is known for is not taken for loss', () => {
  const pair = new SimulatedPair(12, { delayMs: 50, jitterMs: 20 });
  stream(pair, 500, 5);
  const nacks = pair.b.link?.counters.nacksSent ?? 0;
  const sentMs = stream(pair, 5000, 5);
  assert.equal(pair.b.packets.length, sentMs.size + 500);
  const counters = pair.b.link?.counters;
  assert.ok(counters && counters.reordered > 2000, `${counters?.reordered} reordered`);
  assert.ok(counters.nacksSent - nacks <= 5, `${counters.nacksSent - nacks} asked for in vain`);
  assert.equal(counters.givenUp, 0);
  const reorderMs = pair.b.link?.reorderMs ?? 0;
  assert.ok(reorderMs > 15 && reorderMs <= 30, `${reorderMs} ms`);
});

test('on a path that keeps the order a lost packet is back a round trip and a few milliseconds later', () => {
  const pair = new SimulatedPair(15, { delayMs: 50, loss: 0.02 });
  const sentMs = stream(pair, 5000, 5);
  const delays = pair.b.packets.map(({ bytes, atMs }) => atMs - (sentMs.get(bytes.readUInt32BE()) ?? 0));
  const repaired = delays.filter(delayMs => delayMs > 50).sort((left, right) => left - right);
  assert.ok(repaired.length > 50);
  // The path's own 50 ms, the next burst 10 ms later, the window, the round trip, and the tick at most.
  assert.ok(repaired[Math.floor(repaired.length / 2)] <= 50 + 10 + 100 + 10, `${repaired[repaired.length >> 1]} ms`);
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

/** One side of a link, with what it sends as datagrams. Frames are numbered from 0. */
function sender() {
  const counters = createLinkCounters();
  const sent: Buffer[] = [];
  const outgoing = Buffer.alloc(SLOT_BYTES);
  const commit = (offset: number, length: number) => sent.push(Buffer.from(outgoing.subarray(offset, offset + length)));
  const output = new FrameOutput(0, { sendsRuns: false, outgoing, reserve: () => 0, commit }, counters);
  const reports = new LossReports(output, counters);
  const keys = cutSessionKeys(Buffer.alloc(EXPORTER_BYTES, 1), 'client');
  const session = new LinkSession(0, keys, counters, PORTABLE_FRAME_CIPHERS, reports.timing);
  const send = (nowMs: number, mediaClass: MediaClass, isRecoverable = true, length = 8) =>
    output.finish(nowMs, session, output.begin(nowMs, 0, 1, 0, 1, 2), length, isRecoverable, mediaClass);
  /** NACKs numbers 0 to `count` - 1, and returns what that brings about. */
  const ask = (nowMs: number, count: number): Buffer[] => {
    const before = sent.length;
    const nack = Buffer.alloc(NACK_BLOCKS_MAX * 8);
    const length = writeNack(
      nack,
      0,
      Float64Array.from({ length: count }, (_, index) => index),
      count,
    );
    reports.handleNack(nowMs, session, NACK_ASKS, nack, 0, length);
    return sent.slice(before);
  };
  return { counters, sent, send, ask, reports, session };
}

test('a frame is repeated once per round trip, however often it is asked for', () => {
  const { counters, sent, send, ask } = sender();
  for (let frame = 0; frame < 3; frame++) send(0, CLASS_VIDEO);
  ask(20, 3);
  ask(60, 3);
  ask(109, 3);
  assert.equal(counters.retransmitted, 3, 'once each');
  for (let frame = 0; frame < 3; frame++) assert.ok(sent[3 + frame].equals(sent[frame]), 'byte for byte');
  ask(110, 3);
  assert.equal(counters.retransmitted, 6);
});

test('audio is repeated first, key frames before other video', () => {
  const { sent, send, ask } = sender();
  const classes = [CLASS_VIDEO, CLASS_KEY_FRAME, CLASS_AUDIO, CLASS_VIDEO, CLASS_AUDIO, CLASS_KEY_FRAME] as const;
  for (const mediaClass of classes) send(0, mediaClass);
  const order = ask(20, classes.length).map(repeat => sent.findIndex(original => original.equals(repeat)));
  assert.deepEqual(order, [2, 4, 1, 5, 0, 3]);
});

test('audio is repeated though the budget is spent, and video is not', () => {
  const { counters, send, ask } = sender();
  for (let frame = 0; frame < 200; frame++) send(0, CLASS_VIDEO, true, 1200);
  for (let frame = 0; frame < 20; frame++) send(0, CLASS_AUDIO, true, 100);
  ask(20, 200);
  assert.ok(counters.notRetransmitted > 50, `${counters.notRetransmitted} over the budget`);
  const before = counters.retransmitted;
  const repeats = ask(21, 220);
  assert.equal(counters.retransmitted - before, 20);
  assert.ok(repeats.every(({ length }) => length === 136));
});

test('who asks for frames that will not come is told so: those that never are, and those that are gone', () => {
  const { counters, send, ask, session } = sender();
  send(0, CLASS_VIDEO);
  send(0, CLASS_VIDEO, false);
  send(5000, CLASS_VIDEO, false);
  send(5000, CLASS_VIDEO);
  const answers = ask(5050, 4);
  assert.deepEqual(
    answers.map(bytes => [bytes[0] & 0x0f, bytes[3], bytes.length]),
    [
      [0, 0, 44],
      [7, NACK_NEVER_REPEATED, 44],
      [7, NACK_GONE, 44],
    ],
  );
  const opener = new LinkSession(
    0,
    cutSessionKeys(Buffer.alloc(EXPORTER_BYTES, 1), 'server'),
    counters,
    PORTABLE_FRAME_CIPHERS,
  );
  assert.ok(opener.open(answers[1], 0, answers[1].length, 4) === 4 && opener.open(answers[2], 0, 44, 5) === 5);
  assert.equal(answers[1].toString('hex', 20, 28), '0000000100000001', '1 and 2 are never repeated');
  assert.equal(answers[2].toString('hex', 20, 28), '0000000000000000', '0 is gone');
  assert.equal(session.extendSent(6), -1, 'what was never sent is not looked for');
});

test('lost pings and acknowledgements are asked for once, and are no loss after recovery', () => {
  const pair = new SimulatedPair(16, { delayMs: 30 });
  stream(pair, 10, 5);
  let lost = 0;
  pair.filter = (bytes, from) => {
    const type = bytes[0] & 0x0f;
    if (from === pair.b || bytes[0] < 192 || (type !== 8 && type !== 9) || pair.random() < 0.7) return true;
    lost++;
    return false;
  };
  stream(pair, 10_000, 5);
  pair.filter = () => true;
  pair.run(500);
  const counters = pair.b.link?.counters;
  assert.ok(counters && lost > 30, `${lost} lost`);
  assert.equal(counters.skipped, lost);
  assert.equal(counters.givenUp, 0);
  assert.ok(counters.nacksSent <= lost * 1.2, `${counters.nacksSent} asked for`);
  const [snapshot] = pair.b.relay.snapshot();
  assert.equal(snapshot.residualIn, 0);
});

test('what is lost after recovery is counted, and told of', () => {
  const pair = new SimulatedPair(17, { delayMs: 30 });
  stream(pair, 10, 5);
  pair.b.lossesMs = [];
  const dropped = new Set<number>();
  pair.filter = (bytes, from) => {
    if (from === pair.b || (bytes[0] & 0x0f) !== 0 || bytes[0] < 192) return true;
    const sequence = bytes.readUInt32BE(4);
    if (dropped.size < 7 && sequence % 100 === 0) dropped.add(sequence);
    return !dropped.has(sequence);
  };
  stream(pair, 1000, 5);
  assert.equal(pair.b.link?.counters.givenUp, 7);
  assert.equal(pair.b.lossesMs.length, 7);
  assert.ok((pair.b.link?.counters.nacksSent ?? 0) <= 7 * 6, 'each for four round trips only');
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReportBlock } from '../../protocol/rtcp/report.ts';
import { EXT_MID } from '../../protocol/rtp/table.ts';
import { Camera, ProjectionBench } from './projection.fixture.ts';
import { opusPacket } from './simulated-source.ts';
import { subscriberFormat } from './subscriber-format.ts';

const OPUS = Uint8Array.of(0xfc, 1, 2, 3);

test('a resend is held back for a round trip, and a packet long gone is not resent', () => {
  const camera = new Camera(new ProjectionBench('video', 1));
  const [sent] = camera.send([0], { isKeyFrame: true });
  assert.ok(camera.bench.resend(camera.nowMs, sent.sequence, 100));
  assert.equal(camera.bench.resend(camera.nowMs + 80, sent.sequence, 100), undefined);
  assert.ok(camera.bench.resend(camera.nowMs + 95, sent.sequence, 100));
  assert.equal(camera.bench.resend(camera.nowMs + 15_001, sent.sequence, 100), undefined);
  assert.equal(camera.bench.resend(camera.nowMs, sent.sequence + 1, 100), undefined);
  const { retransmitted, retransmissionsSuppressed, retransmissionsMissed } = camera.bench.projection.counters;
  assert.deepEqual([retransmitted, retransmissionsSuppressed, retransmissionsMissed], [2, 1, 2]);
});

test('without RTX a packet is resent byte for byte: it leaves under the same SRTP index', () => {
  const format = subscriberFormat(
    [{ codec: 'opus', payloadType: 111, rtxPayloadType: null }],
    [{ id: 4, uri: EXT_MID }],
  );
  const bench = new ProjectionBench('audio', 1, { format });
  const sent = bench.receive(0, opusPacket(70_000, 0, OPUS))!;
  const withMid = sent.bytes.length;
  bench.projection.handleReceiverReport(10, new ReportBlock());
  const next = bench.receive(20, opusPacket(70_001, 960, OPUS))!;
  assert.ok(next.bytes.length < withMid, 'the mid is left out once the subscriber has reported');
  assert.deepEqual(bench.resend(30, sent.sequence, 0), sent.bytes);
  bench.projection.setFormat(format);
  assert.equal(bench.resend(200, sent.sequence, 0), undefined);
});

test('what went out before a restart is never confused with what came after, though numbers may be the same', () => {
  const bench = new ProjectionBench('audio', 1);
  const first = bench.receive(0, opusPacket(70_000, 5_000, OPUS))!;
  bench.layers[0].history.clear();
  bench.receive(20, opusPacket(70_000, 9_000_000, OPUS));
  assert.equal(bench.resend(30, first.sequence, 0), undefined);
});

test('a packet from before two jumps of the clock is not resent with a wrong timestamp', () => {
  const bench = new ProjectionBench('audio', 1);
  const first = bench.receive(0, opusPacket(70_000, 960, OPUS))!;
  const second = bench.receive(3_000, opusPacket(70_001, 1_920, OPUS))!;
  bench.receive(6_000, opusPacket(70_002, 2_880, OPUS));
  assert.equal(bench.resend(6_010, first.sequence, 0), undefined);
  assert.deepEqual(bench.resend(6_010, second.sequence, 0), second.bytes);
});

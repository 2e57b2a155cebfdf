import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RtpPacket } from '../../protocol/rtp/packet.ts';
import { PT_RED } from '../../protocol/rtp/table.ts';
import { distance16, distance32 } from '../../protocol/sequence.ts';
import { Camera, ProjectionBench, type SentPacket } from './projection.fixture.ts';
import { opusPacket } from './simulated-source.ts';
import { subscriberFormat } from './subscriber-format.ts';

const OPUS = Uint8Array.of(0xfc, 1, 2, 3);
const FRAME_TICKS = 3_000;

test('padding alone is left out without a trace', () => {
  const bench = new ProjectionBench('audio', 1);
  const first = bench.receive(0, opusPacket(70_000, 0, OPUS));
  assert.equal(bench.receive(20, opusPacket(70_001, 960, new Uint8Array(0))), undefined);
  const third = bench.receive(40, opusPacket(70_002, 1_920, OPUS));
  assert.equal(distance16(third!.sequence, first!.sequence), 1);
});

test('a subscriber without RED gets the primary, one with it gets its own numbers inside', () => {
  const red = Uint8Array.of(0x80 | 111, 0x0f, 0x00, 0x02, 111, 0xa1, 0xa2, 0xfc, 0x01);
  const bench = new ProjectionBench('audio', 1);
  const whole = bench.receive(0, opusPacket(70_000, 0, red, PT_RED))!;
  assert.equal(whole.payloadType, 64);
  assert.deepEqual([...whole.bytes.subarray(-9)], [0x80 | 109, 0x0f, 0x00, 0x02, 109, 0xa1, 0xa2, 0xfc, 0x01]);

  const format = subscriberFormat([{ codec: 'opus', payloadType: 109, rtxPayloadType: null }], []);
  const plain = new ProjectionBench('audio', 1, { format }).receive(0, opusPacket(70_000, 0, red, PT_RED))!;
  assert.equal(plain.payloadType, 109);
  assert.deepEqual([...plain.bytes.subarray(12)], [0xfc, 0x01]);
});

test("audio carries its level under the subscriber's id", () => {
  const bench = new ProjectionBench('audio', 1);
  const { bytes } = bench.receive(0, opusPacket(70_000, 0, OPUS))!;
  const rtp = new RtpPacket();
  rtp.decode(bytes, 0, bytes.length);
  assert.ok(rtp.findExtension(7));
  assert.equal(bytes[rtp.elementOffset], 0x80 | 42);
  assert.equal(rtp.findExtension(1), false);
});

test('outgoing sequence numbers and timestamps wrap without a seam', () => {
  const bench = new ProjectionBench('audio', 1, { randomUint32: () => 0x7fff });
  let last: SentPacket | undefined;
  for (let i = 0; i < 100_000; i++) {
    const sent = bench.receive(i * 20, opusPacket(70_000 + i, i * 960, OPUS))!;
    if (last !== undefined) assert.equal(distance16(sent.sequence, last.sequence), 1);
    if (last !== undefined) assert.equal(distance32(sent.timestamp, last.timestamp), 960);
    last = sent;
    bench.sent.length = 0;
  }
});

test('audio goes on at once after a restart of its source, one frame on at the least', () => {
  const bench = new ProjectionBench('audio', 1);
  const first = bench.receive(0, opusPacket(70_000, 5_000, OPUS))!;
  bench.layers[0].history.clear();
  const second = bench.receive(4, opusPacket(66_000, 0x90000000, OPUS))!;
  assert.equal(distance16(second.sequence, first.sequence), 1);
  assert.equal(distance32(second.timestamp, first.timestamp), 960);
  const third = bench.receive(24, opusPacket(66_001, 0x90000000 + 960, OPUS))!;
  assert.equal(distance32(third.timestamp, second.timestamp), 960);
});

test('audio whose clock stood still while muted goes on by the time gone by', () => {
  const bench = new ProjectionBench('audio', 1);
  const first = bench.receive(0, opusPacket(70_000, 960, OPUS))!;
  const second = bench.receive(10_000, opusPacket(70_001, 1_920, OPUS))!;
  assert.equal(distance16(second.sequence, first.sequence), 1);
  assert.equal(distance32(second.timestamp, first.timestamp), 10 * 48_000);
  const bytes = bench.resend(10_010, first.sequence, 0);
  assert.deepEqual(bytes, first.bytes);
});

test("steps between frames are the source's own while nothing happens", () => {
  const camera = new Camera(new ProjectionBench('video', 1));
  let [last] = camera.send([0], { isKeyFrame: true });
  for (let i = 0; i < 100; i++) {
    const [sent] = camera.send([0]);
    assert.ok(Math.abs(distance32(sent.timestamp, last.timestamp) - FRAME_TICKS) <= 1);
    last = sent;
  }
});

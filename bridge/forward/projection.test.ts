import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReportBlock } from '../../protocol/rtcp/report.ts';
import { RtpPacket } from '../../protocol/rtp/packet.ts';
import { EXT_MID, PT_RED } from '../../protocol/rtp/table.ts';
import { distance16, distance32 } from '../../protocol/sequence.ts';
import {
  opusPacket,
  ProjectionBench,
  type SentPacket,
  SimulatedLayer,
  type SimulatedPacket,
  SSRC,
  seededRandom,
} from './projection-fixture.ts';
import { subscriberFormat } from './subscriber-format.ts';

const OPUS = Uint8Array.of(0xfc, 1, 2, 3);
const FRAME_TICKS = 3_000;
const ALL = { enabled: true, layerMax: 2, temporalMax: 3 };

/** A camera whose frames are made and delivered one by one, at 30 a second. */
class Camera {
  readonly bench: ProjectionBench;
  readonly layers: SimulatedLayer[];
  nowMs = 10_000;

  constructor(bench: ProjectionBench) {
    const random = seededRandom(4);
    this.bench = bench;
    this.layers = bench.layers.map(() => new SimulatedLayer(random));
  }

  frame(
    layer: number,
    shape: { isKeyFrame?: boolean; packets?: number; temporalLayer?: number; isLayerSync?: boolean } = {},
  ) {
    const sender = this.layers[layer];
    const timestamp = (sender.timestampBase + Math.round(this.nowMs * 90)) >>> 0;
    return sender.encode({ layer, packets: 1, timestamp, ...shape });
  }

  /** One frame on each of `layers`; what came out. */
  send(layers: readonly number[], shape: Parameters<Camera['frame']>[1] = {}): SentPacket[] {
    this.nowMs += 1000 / 30;
    return layers.flatMap(layer => this.deliver(this.frame(layer, shape)));
  }

  deliver(packets: readonly SimulatedPacket[]): SentPacket[] {
    return packets.flatMap(packet => this.bench.receive(this.nowMs, packet) ?? []);
  }
}

test('nothing is sent before the first key frame, then everything', () => {
  const camera = new Camera(new ProjectionBench('video', 1));
  assert.deepEqual(camera.send([0]), []);
  assert.equal(camera.bench.projection.waitingForLayer, 0);
  assert.equal(camera.send([0], { isKeyFrame: true, packets: 3 }).length, 3);
  assert.equal(camera.bench.projection.waitingForLayer, -1);
  assert.equal(camera.send([0]).length, 1);
});

test("the header is the subscriber's: its SSRC, its payload type, the marker where the frame ends", () => {
  const camera = new Camera(new ProjectionBench('video', 1));
  const [first, second] = camera.send([0], { isKeyFrame: true, packets: 2 });
  assert.equal(Buffer.from(first.bytes).readUint32BE(8), SSRC);
  assert.equal(first.payloadType, 120);
  assert.equal(first.marker, false);
  assert.equal(second.marker, true);
});

test('the first picture comes from any layer, the better one follows at its key frame', () => {
  const camera = new Camera(new ProjectionBench('video', 3));
  const { projection } = camera.bench;
  assert.equal(projection.targetLayer, 2);
  camera.send([0], { isKeyFrame: true });
  assert.equal(projection.currentLayer, 0);
  assert.equal(projection.waitingForLayer, 2);
  assert.deepEqual(
    camera.send([0, 1, 2]).map(sent => sent.video?.layer),
    [0],
  );
  assert.deepEqual(
    camera.send([1, 2], { isKeyFrame: true }).map(sent => sent.video?.layer),
    [2],
  );
  assert.equal(projection.currentLayer, 2);
  assert.equal(projection.counters.layerSwitches, 1);
});

test('a layer that stops is left for the best one that flows, and taken up again', () => {
  const camera = new Camera(new ProjectionBench('video', 3));
  const { projection, layers } = camera.bench;
  camera.send([2], { isKeyFrame: true });
  layers[2].flows = false;
  projection.chooseLayer(camera.nowMs, layers);
  assert.equal(projection.reason, 'best-below-asked');
  assert.equal(projection.waitingForLayer, 1);
  camera.send([1], { isKeyFrame: true });
  assert.equal(projection.currentLayer, 1);
  layers[2].flows = true;
  projection.chooseLayer(camera.nowMs, layers);
  assert.equal(projection.reason, 'as-asked');
  assert.equal(projection.waitingForLayer, 2);
});

test('a lower layer asked for takes over at its key frame; until then the old one goes on', () => {
  const camera = new Camera(new ProjectionBench('video', 3));
  const { projection, layers } = camera.bench;
  camera.send([2], { isKeyFrame: true });
  projection.configure({ ...ALL, layerMax: 0 });
  projection.chooseLayer(camera.nowMs, layers);
  assert.equal(camera.send([2]).length, 1);
  assert.deepEqual(
    camera.send([0, 2], { isKeyFrame: true }).map(sent => sent.video?.layer),
    [0],
  );
});

test('only the layers that are needed are wanted, all of them while nothing flows', () => {
  const camera = new Camera(new ProjectionBench('video', 3));
  const { projection, layers } = camera.bench;
  for (const layer of layers) layer.flows = false;
  projection.chooseLayer(0, layers);
  assert.equal(projection.wantedMask, 0b111);
  layers[1].flows = true;
  projection.chooseLayer(0, layers);
  assert.equal(projection.wantedMask, 0b110);
  camera.send([1], { isKeyFrame: true });
  layers[2].flows = true;
  projection.chooseLayer(0, layers);
  assert.equal(projection.wantedMask, 0b110);
  camera.send([2], { isKeyFrame: true });
  assert.equal(projection.wantedMask, 0b100);
  projection.configure({ ...ALL, enabled: false });
  assert.equal(projection.wantedMask, 0);
});

test('a disabled projection sends nothing, not even what is asked for again; enabled, it waits for a key frame', () => {
  const camera = new Camera(new ProjectionBench('video', 1));
  const { projection, layers } = camera.bench;
  const [sent] = camera.send([0], { isKeyFrame: true });
  projection.configure({ ...ALL, enabled: false });
  assert.deepEqual(camera.send([0], { isKeyFrame: true }), []);
  assert.equal(camera.bench.resend(camera.nowMs, sent.sequence, 0), undefined);
  assert.equal(projection.waitingForLayer, -1);
  camera.nowMs += 5_000;
  projection.configure(ALL);
  projection.chooseLayer(camera.nowMs, layers);
  assert.equal(projection.waitingForLayer, 0);
  assert.deepEqual(camera.send([0]), []);
  const [after] = camera.send([0], { isKeyFrame: true });
  assert.equal(distance16(after.sequence, sent.sequence), 1);
  assert.equal(((after.video?.pictureId ?? 0) - (sent.video?.pictureId ?? 0)) & 0x7fff, 1);
  assert.ok(Math.abs(distance32(after.timestamp, sent.timestamp) - 90 * 5_100) < 2);
});

test('every frame that is forwarded can be decoded from frames forwarded before', () => {
  const camera = new Camera(new ProjectionBench('video', 1));
  const { projection } = camera.bench;
  const pattern = [
    { temporalLayer: 0, isLayerSync: false },
    { temporalLayer: 2, isLayerSync: true },
    { temporalLayer: 1, isLayerSync: true },
    { temporalLayer: 2, isLayerSync: false },
  ];
  const random = seededRandom(8);
  /** Newest frame sent of each temporal layer, as a count of base frames; a frame not in sync refers to the layer below in its own cycle. */
  const newest = [-1, -1, -1, -1];
  let dropped = 0;
  for (let i = 0; i < 2_000; i++) {
    if (i % 13 === 0) projection.configure({ ...ALL, temporalMax: Math.floor(random() * 3) });
    const shape = pattern[i % 4];
    const cycle = Math.floor(i / 4);
    const sent = camera.send([0], { ...shape, isKeyFrame: i === 0, packets: 2 });
    assert.ok(sent.length === 2 || sent.length === 0, 'whole frames only');
    if (sent.length === 0) {
      dropped++;
      continue;
    }
    const needed = shape.temporalLayer === 0 || shape.isLayerSync ? 0 : shape.temporalLayer - 1;
    if (shape.temporalLayer > 0) assert.equal(newest[needed], cycle);
    newest[shape.temporalLayer] = cycle;
  }
  assert.ok(dropped > 200 && dropped < 1_800);
});

test('after a gap that no hop repairs, video waits for a key frame and closes up', () => {
  const camera = new Camera(new ProjectionBench('video', 1));
  const [first] = camera.send([0], { isKeyFrame: true });
  camera.layers[0].sequence += 150;
  assert.deepEqual(camera.send([0]), []);
  assert.equal(camera.bench.projection.waitingForLayer, 0);
  const [next] = camera.send([0], { isKeyFrame: true });
  assert.equal(distance16(next.sequence, first.sequence), 1);
});

test('a key frame whose picture id jumped begins anew, and what is missing before it keeps its place', () => {
  const camera = new Camera(new ProjectionBench('video', 1));
  const [first] = camera.send([0], { isKeyFrame: true });
  camera.nowMs += 33;
  const lost = camera.frame(0);
  camera.layers[0].pictureId = (camera.layers[0].pictureId + 0x3000) & 0x7fff;
  const [jumped] = camera.send([0], { isKeyFrame: true });
  assert.equal(distance16(jumped.sequence, first.sequence), 2);
  assert.equal(((jumped.video?.pictureId ?? 0) - (first.video?.pictureId ?? 0)) & 0x7fff, 1);
  const [filled] = camera.deliver(lost);
  assert.equal(distance16(filled.sequence, first.sequence), 1);
});

test('a key frame that came too long ago to be followed up begins nothing', () => {
  const camera = new Camera(new ProjectionBench('video', 1));
  const [late] = camera.frame(0, { isKeyFrame: true });
  for (let i = 0; i < 120; i++) camera.send([0]);
  assert.deepEqual(camera.deliver([late]), []);
  assert.equal(camera.bench.projection.waitingForLayer, 0);
});

test('a switch brings all temporal layers asked for by then, without waiting for layer sync', () => {
  const camera = new Camera(new ProjectionBench('video', 2));
  camera.bench.projection.configure({ enabled: true, layerMax: 1, temporalMax: 0 });
  camera.send([0], { isKeyFrame: true });
  assert.deepEqual(camera.send([0], { temporalLayer: 2 }), []);
  camera.bench.projection.configure({ enabled: true, layerMax: 1, temporalMax: 3 });
  camera.send([1], { isKeyFrame: true });
  assert.equal(camera.send([1], { temporalLayer: 2 }).length, 1);
});

test('a frame that takes long to come does not move the next one', () => {
  const camera = new Camera(new ProjectionBench('video', 1));
  camera.nowMs += 33;
  const [head, tail] = camera.frame(0, { isKeyFrame: true, packets: 2 });
  camera.nowMs += 33;
  const next = camera.frame(0);
  const [first] = camera.deliver([head]);
  camera.nowMs += 1_800;
  camera.deliver([tail]);
  camera.nowMs += 600;
  const [second] = camera.deliver(next);
  assert.ok(Math.abs(distance32(second.timestamp, first.timestamp) - FRAME_TICKS) < 60);
});

test('a packet that comes after a switch still fills its place from before it', () => {
  const camera = new Camera(new ProjectionBench('video', 2));
  camera.bench.projection.configure({ ...ALL, layerMax: 1 });
  camera.send([0], { isKeyFrame: true });
  camera.nowMs += 33;
  const [, late, last] = camera.frame(0, { packets: 3 });
  const [before] = camera.deliver([last]);
  const [switched] = camera.send([1], { isKeyFrame: true });
  const [filled] = camera.deliver([late]);
  assert.equal(distance16(before.sequence, filled.sequence), 1);
  assert.equal(filled.timestamp, before.timestamp);
  assert.equal(distance16(switched.sequence, before.sequence), 1);
});

test('a late remnant of a dropped frame becomes an empty packet, a late whole frame is forwarded', () => {
  const camera = new Camera(new ProjectionBench('video', 1));
  camera.send([0], { isKeyFrame: true });
  camera.bench.projection.configure({ ...ALL, temporalMax: 0 });
  camera.send([0]);
  camera.nowMs += 33;
  const dropped = camera.frame(0, { temporalLayer: 2, packets: 2 });
  const missed = camera.frame(0, { temporalLayer: 2 });
  assert.deepEqual(camera.deliver([dropped[1]]), []);
  camera.send([0]);
  const [remnant] = camera.deliver([dropped[0]]);
  assert.equal(remnant.video, undefined);
  assert.equal(remnant.bytes.length, 12);
  assert.equal(remnant.marker, false);
  const [whole] = camera.deliver(missed);
  assert.equal(whole.video?.temporalLayer, 2);
  assert.deepEqual(camera.deliver([dropped[1]]), []);
});

test('padding alone is left out without a trace', () => {
  const bench = new ProjectionBench('audio', 1);
  const first = bench.receive(0, opusPacket(70_000, 0, OPUS));
  assert.equal(bench.receive(20, opusPacket(70_001, 960, new Uint8Array(0))), undefined);
  const third = bench.receive(40, opusPacket(70_002, 1_920, OPUS));
  assert.equal(distance16(third!.sequence, first!.sequence), 1);
});

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

test('a codec the subscriber lacks is dropped and counted, and no key frame is asked for', () => {
  const format = subscriberFormat([{ codec: 'h264', payloadType: 102, rtxPayloadType: null }], []);
  const camera = new Camera(new ProjectionBench('video', 1, { format }));
  assert.deepEqual(camera.send([0], { isKeyFrame: true }), []);
  assert.equal(camera.bench.projection.counters.droppedCodec, 1);
  assert.equal(camera.bench.projection.waitingForLayer, -1);
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

test('sender reports keep audio and video of one origin together, whatever happened to either', () => {
  const camera = new Camera(new ProjectionBench('video', 2));
  const audio = new ProjectionBench('audio', 1);
  const audioBase = 0xfff00000;
  const reportAt = (ms: number, rtpTimestamp: number) => ({
    ntpSeconds: 3_900_000_000 + Math.floor(ms / 1000),
    ntpFraction: Math.floor(((ms % 1000) / 1000) * 0x100000000),
    rtpTimestamp: rtpTimestamp >>> 0,
    arrivedMs: ms + 40,
  });
  camera.send([0], { isKeyFrame: true });
  camera.bench.projection.configure({ ...ALL, layerMax: 1 });
  camera.nowMs += 400;
  camera.send([1], { isKeyFrame: true });
  const [video] = camera.send([1]);
  const heard = audio.receive(camera.nowMs, opusPacket(70_000, (audioBase + camera.nowMs * 48) >>> 0, OPUS))!;
  const reportMs = camera.nowMs - 300;
  camera.bench.layers[1].senderReport = reportAt(reportMs, camera.layers[1].timestampBase + reportMs * 90);
  audio.layers[0].senderReport = reportAt(reportMs, audioBase + reportMs * 48);

  const captureOf = (bench: ProjectionBench, sent: SentPacket, ticksPerMs: number) => {
    assert.equal(bench.projection.wantsSenderReport, true);
    assert.equal(bench.projection.writeSenderReport(camera.nowMs + 50, bench.layers, bench.out, 0), 28);
    assert.equal(bench.projection.wantsSenderReport, false);
    const report = Buffer.from(bench.out.subarray(0, 28));
    assert.equal(report.readUint32BE(20), bench.projection.counters.packetsSent);
    const ntpMs = (report.readUint32BE(8) - 3_900_000_000) * 1000 + (report.readUint32BE(12) * 1000) / 0x100000000;
    return ntpMs + distance32(sent.timestamp, report.readUint32BE(16)) / ticksPerMs;
  };
  const videoMs = captureOf(camera.bench, video, 90);
  const audioMs = captureOf(audio, heard, 48);
  assert.ok(Math.abs(videoMs - camera.nowMs) < 0.1, `${videoMs}`);
  assert.ok(Math.abs(videoMs - audioMs) < 0.1, `${videoMs} ${audioMs}`);
});

test('no sender report is written from one that the source has outlived', () => {
  const bench = new ProjectionBench('audio', 1);
  assert.equal(bench.projection.writeSenderReport(0, bench.layers, bench.out, 0), 0);
  bench.receive(0, opusPacket(70_000, 5_000, OPUS));
  bench.layers[0].senderReport = { ntpSeconds: 1, ntpFraction: 0, rtpTimestamp: 0x70000000, arrivedMs: 10 };
  assert.equal(bench.projection.writeSenderReport(20, bench.layers, bench.out, 0), 0);
});

test('round trip and loss are what the subscriber reports', () => {
  const bench = new ProjectionBench('audio', 1);
  bench.receive(0, opusPacket(70_000, 5_000, OPUS));
  bench.layers[0].senderReport = { ntpSeconds: 1_000, ntpFraction: 0, rtpTimestamp: 5_000, arrivedMs: 0 };
  bench.projection.writeSenderReport(100, bench.layers, bench.out, 0);
  const report = Buffer.from(bench.out.subarray(0, 28));
  const block = new ReportBlock();
  block.fractionLost = 64;
  block.lastSr = report.readUint32BE(10);
  block.delaySinceLastSr = 65_536 / 4;
  bench.projection.handleReceiverReport(430, block);
  assert.equal(bench.projection.rttMs, 80);
  assert.equal(bench.projection.fractionLost, 0.25);
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

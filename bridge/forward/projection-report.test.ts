import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReportBlock } from '../../protocol/rtcp/report.ts';
import { distance32 } from '../../protocol/sequence.ts';
import { Camera, ProjectionBench, type SentPacket } from './projection.fixture.ts';
import { opusPacket } from './simulated-source.ts';

const OPUS = Uint8Array.of(0xfc, 1, 2, 3);
const ALL = { enabled: true, layerMax: 2, temporalMax: 3 };

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

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  FRAME_PACKETS_MAX,
  silenceProgram,
  speechProgram,
  VIDEO_PAYLOAD_BYTES_MAX,
  videoProgram,
} from './media-program.ts';

const lengths = new Uint16Array(FRAME_PACKETS_MAX);

function bytesOf(program: ReturnType<typeof videoProgram>, frames: number): number {
  let bytes = 0;
  for (let frame = 0; frame < frames; frame++) {
    const packets = program.packetise(frame, false, lengths);
    for (let index = 0; index < packets; index++) bytes += lengths[index];
  }
  return bytes;
}

test('delta frames add up to the bit rate', () => {
  for (const bitrateBps of [160_000, 1_700_000, 2_500_000]) {
    const bps = (bytesOf(videoProgram(bitrateBps, 30), 2_560) * 8 * 30) / 2_560;
    assert.ok(Math.abs(bps / bitrateBps - 1) < 0.03, `${bps} for ${bitrateBps}`);
  }
});

test("a frame's packets differ by a byte at the most, and none is too long", () => {
  const program = videoProgram(2_500_000, 30);
  for (let frame = 0; frame < 600; frame++) {
    const packets = program.packetise(frame, program.isKeyFrame(frame), lengths);
    const sizes = [...lengths.subarray(0, packets)];
    assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1);
    assert.ok(Math.max(...sizes) <= VIDEO_PAYLOAD_BYTES_MAX);
  }
});

test('a key frame is several times as large as what follows it', () => {
  const program = videoProgram(2_500_000, 30);
  const keyPackets = program.packetise(0, true, lengths);
  assert.ok(keyPackets > 3 * program.packetise(1, false, lengths));
  assert.ok(program.isKeyFrame(0) && !program.isKeyFrame(1) && program.isKeyFrame(300));
});

test('speech is a packet every 20 ms, silence hardly anything', () => {
  assert.equal(speechProgram().packetise(3, false, lengths), 1);
  assert.ok(lengths[0] > 80 && lengths[0] < 150);
  assert.ok(silenceProgram().framesPerSecond * 10 < speechProgram().framesPerSecond);
});

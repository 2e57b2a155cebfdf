import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RING_BYTES_MAX, RING_CHUNK_BYTES } from './frame-ring.ts';
import { CLASS_AUDIO, CLASS_VIDEO } from './media-class.ts';
import { FRAME_GONE, FRAME_NEVER_REPEATED, SentFrames } from './sent-frames.ts';
import { seededRandom } from './simulated-pair.ts';

const KEEP_MS = 500;

/** Sends `perTick` datagrams of `length` each 10 ms, marked with their number. */
function fill(ring: SentFrames, from: number, fromMs: number, ticks: number, perTick: number, length: number): number {
  const datagram = Buffer.alloc(length);
  let sequence = from;
  for (let tick = 0; tick < ticks; tick++) {
    for (let index = 0; index < perTick; index++) {
      datagram.writeUInt32BE(sequence);
      ring.store(fromMs + tick * 10, sequence++, CLASS_VIDEO, datagram, 0, length);
    }
    ring.handleTimeout(fromMs + tick * 10, KEEP_MS);
  }
  return sequence;
}

test('what is in the ring is what was sent, for as long as it may be asked for, whatever was sent', () => {
  fc.assert(
    fc.property(fc.integer(), seed => {
      const random = seededRandom(seed);
      const ring = new SentFrames();
      const sent: { atMs: number; bytes: Buffer | undefined }[] = [];
      const target = Buffer.alloc(2048);
      for (let nowMs = 0; nowMs < 3000; nowMs += 10) {
        const frames = random() < 0.1 ? random() * 60 : random() * 5;
        for (let index = 0; index < frames; index++) {
          const isKept = random() < 0.9;
          const bytes = Buffer.alloc(40 + Math.floor(random() * 1500), sent.length);
          if (isKept) ring.store(nowMs, sent.length, CLASS_AUDIO, bytes, 0, bytes.length);
          else ring.pass(nowMs, sent.length);
          sent.push({ atMs: nowMs, bytes: isKept ? bytes : undefined });
        }
        ring.handleTimeout(nowMs, KEEP_MS);
        const sequence = Math.floor(random() * (sent.length + 2));
        const frame = sent[sequence];
        const place = ring.find(nowMs, sequence, KEEP_MS);
        if (frame === undefined || (frame.bytes !== undefined && nowMs - frame.atMs > KEEP_MS)) {
          assert.equal(place, FRAME_GONE);
        } else if (frame.bytes === undefined) {
          assert.ok(place === FRAME_NEVER_REPEATED || (place === FRAME_GONE && nowMs - frame.atMs > KEEP_MS));
        } else {
          assert.ok(place >= 0, `${sequence} of ${sent.length}`);
          ring.repeatTo(nowMs, place, target, 8);
          const length = ring.lengthAt(place);
          assert.ok(target.subarray(8, 8 + length).equals(frame.bytes));
        }
      }
    }),
    { numRuns: 30 },
  );
});

test('the ring is as large as what can be asked for, grows and shrinks with it, and is nothing before the first frame', () => {
  const ring = new SentFrames();
  assert.equal(ring.capacityBytes, 0);
  let next = fill(ring, 0, 0, 200, 20, 1100);
  const needed = 20 * 1100 * (KEEP_MS / 10);
  assert.ok(ring.capacityBytes >= needed && ring.capacityBytes < needed * 1.6, `${ring.capacityBytes} of ${needed}`);
  assert.ok(ring.find(2000, next - 20 * 48, KEEP_MS) >= 0, 'the oldest that may be asked for is there');
  next = fill(ring, next, 2000, 200, 1, 100);
  assert.ok(ring.capacityBytes <= 3 * RING_CHUNK_BYTES, `${ring.capacityBytes}`);
  assert.ok(ring.find(4000, next - 45, KEEP_MS) >= 0);
});

test('a rate beyond the limit overwrites the oldest, and takes no more memory', () => {
  const ring = new SentFrames();
  const next = fill(ring, 0, 0, 40, 400, 1400);
  assert.ok(ring.capacityBytes <= RING_BYTES_MAX * 1.26, `${ring.capacityBytes}`);
  assert.equal(ring.find(400, next - 12_000, KEEP_MS), FRAME_GONE);
  const place = ring.find(400, next - 5000, KEEP_MS);
  const target = Buffer.alloc(2048);
  ring.repeatTo(400, place, target, 0);
  assert.equal(target.readUInt32BE(), next - 5000);
});

test('a steady stream takes no memory but its first', () => {
  const ring = new SentFrames();
  let next = fill(ring, 0, 0, 300, 10, 1000);
  const before = ring.capacityBytes;
  for (let round = 1; round < 20; round++) {
    next = fill(ring, next, round * 3000, 300, 10, 1000);
    assert.ok(Math.abs(ring.capacityBytes - before) <= RING_CHUNK_BYTES, `${before}, then ${ring.capacityBytes}`);
  }
});

test('a frame that was just repeated is quiet for the time given', () => {
  const ring = new SentFrames();
  ring.store(0, 0, CLASS_VIDEO, Buffer.alloc(100), 0, 100);
  const place = ring.find(10, 0, KEEP_MS);
  assert.equal(ring.isQuiet(10, place, 50), false);
  ring.repeatTo(10, place, Buffer.alloc(100), 0);
  assert.equal(ring.isQuiet(59, place, 50), true);
  assert.equal(ring.isQuiet(60, place, 50), false);
});

test('the newest frame that can be repeated is found behind pings', () => {
  const ring = new SentFrames();
  assert.equal(ring.findNewest(0, KEEP_MS), FRAME_GONE);
  ring.store(0, 0, CLASS_VIDEO, Buffer.alloc(100), 0, 100);
  ring.store(0, 1, CLASS_VIDEO, Buffer.alloc(101), 0, 101);
  for (let sequence = 2; sequence < 10; sequence++) ring.pass(0, sequence);
  assert.equal(ring.lengthAt(ring.findNewest(0, KEEP_MS)), 101);
  assert.equal(ring.findNewest(KEEP_MS + 1, KEEP_MS), FRAME_GONE);
});

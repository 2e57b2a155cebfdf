import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HISTORY_BYTES_MIN, HISTORY_PACKET_BYTES_MAX, PacketHistory } from './packet-history.ts';

/** Writes a packet filled with a byte of its own. */
function put(history: PacketHistory, sequence: number, length: number, nowMs = 0): boolean {
  const offset = history.offsetFor(sequence);
  if (offset < 0) return false;
  history.bytes.fill(sequence & 0xff, offset, offset + length);
  history.commit(sequence, length, nowMs);
  return true;
}

test('nothing is allocated before the first packet', () => {
  const history = new PacketHistory('video');
  assert.equal(history.bytes.length, 0);
  assert.equal(history.offsetOf(1), -1);
  assert.equal(history.lengthOf(1), 0);
  assert.equal(history.arrivedMsOf(1), -1);
  put(history, 1, 10);
  assert.ok(history.bytes.length > 0);
});

test('a packet is found with its length and arrival, and is taken once', () => {
  const history = new PacketHistory('audio');
  put(history, 70_000, 200, 12.5);
  assert.equal(history.lengthOf(70_000), 200);
  assert.equal(history.arrivedMsOf(70_000), 12.5);
  assert.equal(history.bytes[history.offsetOf(70_000)], 70_000 & 0xff);
  assert.equal(put(history, 70_000, 100), false);
  assert.equal(history.highest, 70_000);
});

test('a late packet is taken inside the window and refused behind it', () => {
  const history = new PacketHistory('audio');
  put(history, 1_000, 50);
  assert.equal(put(history, 1_000 - 127, 50), true);
  assert.equal(put(history, 1_000 - 128, 50), false);
});

test('audio of 2.5 s and video of 512 packets of 1 000 bytes are held', () => {
  for (const [kind, packets, bytes] of [
    ['audio', 125, 400],
    ['video', 510, 1_000],
  ] as const) {
    const history = new PacketHistory(kind);
    for (let sequence = 1; sequence <= 2_000; sequence++) put(history, sequence, bytes);
    for (let sequence = 2_000; sequence > 2_000 - packets; sequence--) assert.equal(history.lengthOf(sequence), bytes);
  }
});

test('a cleared history holds nothing and is of another generation', () => {
  const history = new PacketHistory('video');
  put(history, 500, 100);
  const generation = history.generation;
  history.clear();
  assert.notEqual(history.generation, generation);
  assert.equal(history.offsetOf(500), -1);
  assert.equal(history.highest, -1);
  assert.equal(put(history, 3, 100), true);
});

/** Packets of 1 000 bytes, `perSecond` of them for `seconds`; returns the clock after. */
function stream(history: PacketHistory, nowMs: number, seconds: number, perSecond: number): number {
  let next = Math.max(history.highest, 100_000) + 1;
  for (let packets = seconds * perSecond; packets > 0; packets--, nowMs += 1_000 / perSecond)
    put(history, next++, 1_000, nowMs);
  return nowMs;
}

/** Age of the oldest packet held, ms. */
function reachMs(history: PacketHistory, nowMs: number): number {
  let oldest = history.highest;
  while (history.offsetOf(oldest - 1) >= 0) oldest--;
  return nowMs - history.arrivedMsOf(oldest);
}

test('memory follows the rate: enough for three tries at the longest round trip, and little more', () => {
  for (const [perSecond, rttMs, keptMs] of [
    [20, 0, 300],
    [140, 0, 300],
    [140, 200, 700],
    [300, 900, 1_000],
  ]) {
    const history = new PacketHistory('video');
    history.keepFor(rttMs);
    const nowMs = stream(history, 0, 5, perSecond);
    const label = `${perSecond}/s, ${rttMs} ms: ${history.bytes.length} bytes`;
    assert.ok(reachMs(history, nowMs) >= keptMs * 0.95, label);
    assert.ok(history.bytes.length <= keptMs * perSecond * 1.2 + HISTORY_BYTES_MIN, label);
  }
});

test('a burst is held whole while it is asked for, and its memory given back when the stream is slow again', () => {
  const history = new PacketHistory('video');
  let nowMs = stream(history, 0, 3, 20);
  const before = history.bytes.length;
  const first = history.highest + 1;
  for (let index = 0; index < 200; index++) put(history, first + index, 1_000, nowMs + index);
  for (let index = 0; index < 200; index++) assert.equal(history.lengthOf(first + index), 1_000);
  const burst = history.bytes.length;
  assert.ok(burst > 200_000);
  nowMs = stream(history, nowMs + 200, 60, 20);
  assert.ok(history.bytes.length < burst / 4, `${before}, then ${burst}, then ${history.bytes.length}`);
  assert.ok(reachMs(history, nowMs) >= 300);
});

test('a released history holds no memory, and its stream goes on where it was', () => {
  const history = new PacketHistory('video');
  put(history, 70_000, 500);
  history.release();
  assert.equal(history.bytes.length, 0);
  assert.equal(history.offsetOf(70_000), -1);
  assert.equal(history.highest, 70_000);
  assert.equal(put(history, 70_001, 500), true);
  assert.equal(history.lengthOf(70_001), 500);
});

test('an offset holds until the next reservation, through the growth that a late packet brings', () => {
  const history = new PacketHistory('video');
  for (let sequence = 1_000; sequence < 1_060; sequence++) put(history, sequence, 20);
  const late = history.offsetFor(700);
  const bytes = history.bytes;
  bytes.fill(7, late, late + 30);
  history.commit(700, 30, 0);
  assert.equal(history.bytes, bytes);
  assert.equal(history.offsetOf(700), late);
  assert.equal(history.bytes[history.offsetOf(1_000)], 1_000 & 0xff);
});

test('whatever is held has the bytes that were written, even with a reservation open', () => {
  const packets = fc.array(
    fc.record({
      step: fc.oneof(fc.integer({ min: -40, max: 8 }), fc.integer({ min: -300, max: 150 })),
      length: fc.integer({ min: 12, max: HISTORY_PACKET_BYTES_MAX }),
      afterMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 2_000 })),
      isReleased: fc.nat(150).map(chance => chance === 0),
    }),
    { minLength: 100, maxLength: 600 },
  );
  fc.assert(
    fc.property(packets, fc.constantFrom('audio' as const, 'video' as const), (steps, kind) => {
      const history = new PacketHistory(kind);
      const lengths = new Map<number, number>();
      let nowMs = 0;
      for (const { step, length, afterMs, isReleased } of steps) {
        if (isReleased) history.release();
        nowMs += afterMs;
        const sequence = (history.highest < 0 ? 100_000 : history.highest) + step;
        if (put(history, sequence, length, nowMs)) lengths.set(sequence, length);
      }
      const open = history.offsetFor(history.highest + 1);
      assert.ok(open + HISTORY_PACKET_BYTES_MAX <= history.bytes.length);
      history.bytes.fill(0, open, open + HISTORY_PACKET_BYTES_MAX);
      for (const [sequence, length] of lengths) {
        const offset = history.offsetOf(sequence);
        if (offset < 0) continue;
        assert.equal(history.lengthOf(sequence), length);
        const bytes = history.bytes.subarray(offset, offset + length);
        assert.ok(bytes.every(byte => byte === (sequence & 0xff)));
      }
      assert.ok(history.bytes.length <= (kind === 'audio' ? 64 : 512) * 1024);
    }),
    { numRuns: 60 },
  );
});

test('a stream that begins leaves no more behind than three times what it ends up with', () => {
  const history = new PacketHistory('video');
  let left = 0;
  let ring = history.bytes;
  // 2.5 Mbit/s: a packet of 1 100 bytes every 3.52 ms.
  for (let sequence = 1; sequence <= 1_000; sequence++) {
    put(history, sequence, 1_100, sequence * 3.52);
    if (history.bytes === ring) continue;
    left += ring.length;
    ring = history.bytes;
  }
  assert.ok(left < 3 * ring.length, `${left} bytes left, ${ring.length} in use`);
  // And it has not taken more than it needs: 300 ms of them, and an eighth.
  assert.ok(ring.length < 1.4 * ((300 / 3.52) * 1_100), `${ring.length} bytes`);
});

test('a pause costs no memory that has to be taken again after it', () => {
  const history = new PacketHistory('video');
  let nowMs = 0;
  let sequence = 0;
  const rings = new Set<Buffer>();
  const play = (seconds: number) => {
    for (const untilMs = nowMs + seconds * 1_000; nowMs < untilMs; nowMs += 3.52) {
      put(history, ++sequence, 1_100, nowMs);
      rings.add(history.bytes);
    }
  };
  play(5);
  rings.clear();
  // Wherever in the ring the pause falls.
  for (let pause = 0; pause < 30; pause++) {
    nowMs += 5_000;
    play(2 + pause / 100);
  }
  assert.equal(rings.size, 1);
});

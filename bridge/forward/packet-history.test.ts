import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HISTORY_PACKET_BYTES_MAX, PacketHistory } from './packet-history.ts';

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

test('whatever is held has the bytes that were written, even with a reservation open', () => {
  const packets = fc.array(
    fc.tuple(fc.integer({ min: -40, max: 8 }), fc.integer({ min: 12, max: HISTORY_PACKET_BYTES_MAX })),
    { minLength: 100, maxLength: 600 },
  );
  fc.assert(
    fc.property(packets, fc.constantFrom('audio' as const, 'video' as const), (steps, kind) => {
      const history = new PacketHistory(kind);
      const lengths = new Map<number, number>();
      for (const [step, length] of steps) {
        const sequence = (history.highest < 0 ? 100_000 : history.highest) + step;
        if (put(history, sequence, length)) lengths.set(sequence, length);
      }
      const open = history.offsetFor(history.highest + 1);
      history.bytes.fill(0, open, open + HISTORY_PACKET_BYTES_MAX);
      for (const [sequence, length] of lengths) {
        const offset = history.offsetOf(sequence);
        if (offset < 0) continue;
        assert.equal(history.lengthOf(sequence), length);
        const bytes = history.bytes.subarray(offset, offset + length);
        assert.ok(bytes.every(byte => byte === (sequence & 0xff)));
      }
      assert.equal(history.lengthOf(history.highest), lengths.get(history.highest));
    }),
    { numRuns: 60 },
  );
});

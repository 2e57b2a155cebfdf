import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PAYLOAD_BYTES_MIN, PayloadReader, sourceOfTag, streamTag, writePayload } from './payload.ts';

const TAG = streamTag(7, 2, 1);
const SENT_US = 0x1234_5678_9abc;

function payload(length: number): Buffer {
  const bytes = Buffer.alloc(length + 8, 0xee);
  writePayload(bytes, 4, length, 0x10, TAG, 0x8000_0001, SENT_US);
  return bytes;
}

test('what was written is read back, and nothing around it is touched', () => {
  for (const length of [PAYLOAD_BYTES_MIN, PAYLOAD_BYTES_MIN + 1, 160, 1_160]) {
    const bytes = payload(length);
    const reader = new PayloadReader();
    assert.equal(reader.read(bytes, 4, length), undefined);
    assert.deepEqual({ ...reader }, { tag: TAG, number: 0x8000_0001, sentUs: SENT_US });
    assert.deepEqual([...bytes.subarray(0, 4), ...bytes.subarray(-4)], Array(8).fill(0xee));
  }
});

test('a single changed bit is noticed wherever it is, but for the codec byte', () => {
  const reader = new PayloadReader();
  for (let position = 1; position < 200; position++) {
    const bytes = payload(200);
    bytes[4 + position] ^= 1 << (position & 7);
    assert.equal(reader.read(bytes, 4, 200), position < PAYLOAD_BYTES_MIN ? 'checksum' : 'pattern', `byte ${position}`);
  }
});

test('a payload cut short is noticed', () => {
  assert.equal(new PayloadReader().read(payload(100), 4, PAYLOAD_BYTES_MIN - 1), 'short');
});

test('the body of one packet is not that of the next, nor that of another stream', () => {
  const bodies = new Set<string>();
  for (const [tag, number] of [
    [TAG, 1],
    [TAG, 2],
    [streamTag(8, 2, 1), 1],
    [streamTag(7, 2, 2), 1],
  ]) {
    const bytes = Buffer.alloc(100);
    writePayload(bytes, 0, 100, 0, tag, number, 0);
    bodies.add(bytes.subarray(PAYLOAD_BYTES_MIN).toString('hex'));
  }
  assert.equal(bodies.size, 4);
});

test('layers of one source share what a subscriber knows of it, sources do not', () => {
  assert.equal(sourceOfTag(streamTag(7, 2, 0)), sourceOfTag(streamTag(7, 2, 2)));
  assert.notEqual(sourceOfTag(streamTag(7, 2, 0)), sourceOfTag(streamTag(7, 3, 0)));
  assert.notEqual(sourceOfTag(streamTag(7, 2, 0)), sourceOfTag(streamTag(8, 2, 0)));
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { connect, end, type Pair } from './dtls-endpoint.pair.ts';
import { kept, prf } from './dtls-keys.ts';

const PAIRS = 16;
/** Of both ends. A slab of the pool is eight times as much. */
const PAIR_BYTES_MAX = 8 * 1024;

test('secrets, and what is kept, have memory of their own', () => {
  for (const bytes of [1, 32, 48, 100]) {
    const copy = kept(Buffer.alloc(bytes, 7));
    assert.deepEqual([copy, copy.buffer.byteLength], [Buffer.alloc(bytes, 7), bytes]);
    assert.equal(prf(copy, 'test label', copy, bytes).buffer.byteLength, bytes);
  }
});

test('ends that are connected keep nothing of the slabs that their handshakes were cut from', async () => {
  await connected();
  const before = bytesHeld();
  const pairs: Pair[] = [];
  for (let count = 0; count < PAIRS; count++) {
    fillPool();
    pairs.push(await connected());
  }
  fillPool();
  const perPair = (bytesHeld() - before) / PAIRS;
  assert.ok(perPair < PAIR_BYTES_MAX, `${perPair} bytes in array buffers`);
  for (const pair of pairs) end(pair);
});

async function connected(): Promise<Pair> {
  const pair = connect();
  assert.deepEqual(await Promise.all([pair.client.settled, pair.server.settled]), ['connected', 'connected']);
  return pair;
}

/** On a busy bridge the next small buffer is of another slab. */
function fillPool(): void {
  for (let bytes = 0; bytes < 2 * Buffer.poolSize; bytes += 1024) Buffer.allocUnsafe(1024);
}

function bytesHeld(): number {
  for (let times = 0; times < 3; times++) collect();
  return process.memoryUsage().arrayBuffers;
}

function collect(): void {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
}

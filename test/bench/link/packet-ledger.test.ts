import assert from 'node:assert/strict';
import { test } from 'node:test';
import { streamTag } from '../forward/payload.ts';
import type { ReceivedStream } from '../forward/received-stream.ts';
import {
  decodableFrames,
  delaysOf,
  type Flow,
  fatesOf,
  LedgerKeeper,
  lostCount,
  lostShare,
  packetsPerSecond,
} from './packet-ledger.ts';

const FLOW: Flow = { publisher: 0, sourceId: 2, subscriber: 7 };
const TAG = streamTag(0, 2, 0);
const SUBSCRIBER = { endpoint: { index: 7 } } as unknown as ReceivedStream;
const SOMEBODY_ELSE = { endpoint: { index: 8 } } as unknown as ReceivedStream;
const ORIGIN_MS = 1_000_000;

/** Frames of two packets, 40 ms apart, the first a key frame: packet n of frame n >> 1. `lost`: packet numbers. */
function keep(
  frames: number,
  lost: readonly number[],
  isKeyFrame = (frame: number): boolean => frame === 0,
): LedgerKeeper {
  const keeper = new LedgerKeeper(ORIGIN_MS);
  for (let number = 0; number < 2 * frames; number++) {
    const frame = number >> 1;
    const sentUs = frame * 40_000;
    keeper.sent(TAG, number, frame, isKeyFrame(frame), false, 1_000, sentUs);
    if (!lost.includes(number)) keeper.received(SUBSCRIBER, TAG, number, sentUs, sentUs + 30_000);
  }
  return keeper;
}

test('a packet is lost when its subscriber never got it, whoever else did', () => {
  const keeper = keep(3, [3, 4]);
  keeper.received(SOMEBODY_ELSE, TAG, 3, 40_000, 70_000);
  keeper.received(SUBSCRIBER, streamTag(0, 2, 1), 4, 80_000, 110_000);
  const fates = fatesOf(keeper.take(), FLOW, 0);
  assert.deepEqual([lostCount(fates), lostShare(fates)], [2, 2 / 6]);
  assert.deepEqual(delaysOf(fates), [30, 30, 30, 30]);
  assert.equal(fates[0].sentAtMs, ORIGIN_MS);
});

test('a packet that comes twice came when it came first', () => {
  const keeper = keep(1, []);
  keeper.received(SUBSCRIBER, TAG, 0, 0, 500_000);
  keeper.received(SUBSCRIBER, TAG, 1, 0, 20_000);
  assert.deepEqual(delaysOf(fatesOf(keeper.take(), FLOW, 0)), [30, 20]);
});

test('only what was sent within a span counts, and taking a ledger begins another', () => {
  const keeper = keep(5, [2]);
  const span = { fromMs: ORIGIN_MS + 40, toMs: ORIGIN_MS + 120 };
  const numbers = fatesOf(keeper.take(), FLOW, 0, span).map(({ number }) => number);
  assert.deepEqual(numbers, [2, 3, 4, 5]);
  assert.equal(keeper.take().sent.tag.length, 0);
});

test('after a hole no frame can be shown until the next key frame', () => {
  const fates = fatesOf(keep(6, [5], frame => frame === 0 || frame === 4).take(), FLOW, 0);
  assert.deepEqual(
    decodableFrames(fates).map(({ frame }) => frame),
    [0, 1, 4, 5],
  );
});

test('a frame is ready when it and all that it builds on have come', () => {
  const keeper = keep(3, [2]);
  keeper.received(SUBSCRIBER, TAG, 2, 40_000, 300_000);
  const ready = decodableFrames(fatesOf(keeper.take(), FLOW, 0)).map(({ readyAtMs }) => readyAtMs - ORIGIN_MS);
  assert.deepEqual(ready, [30, 300, 300]);
});

test('rates are by layer, and of the source alone', () => {
  const keeper = keep(10, []);
  keeper.received(SUBSCRIBER, streamTag(0, 2, 2), 0, 0, 100_000);
  keeper.received(SUBSCRIBER, streamTag(1, 2, 0), 0, 0, 100_000);
  const span = { fromMs: ORIGIN_MS, toMs: ORIGIN_MS + 500 };
  assert.deepEqual(packetsPerSecond(keeper.take(), FLOW, span), [40, 0, 2]);
});

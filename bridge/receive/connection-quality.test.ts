import assert from 'node:assert/strict';
import test from 'node:test';
import type { CodecName } from '../../protocol/rtp/table.ts';
import { ConnectionQuality } from './connection-quality.ts';

const WINDOW_MS = 2000;
const FULL: Record<CodecName, number> = { opus: 100, red: 100, vp8: 400, h264: 400 };

interface Path {
  readonly codec?: CodecName;
  readonly lossPercent?: number;
  readonly jitterMs?: number;
  readonly rttMs?: number;
}

/** A connection after `windows` windows of 2 s with one stream in full use. */
function settled(path: Path, windows = 20, quality = new ConnectionQuality(0), startMs = 0): ConnectionQuality {
  const { codec = 'vp8', lossPercent = 0, jitterMs = 0, rttMs = 0 } = path;
  for (let window = 1; window <= windows; window++) {
    const nowMs = startMs + window * WINDOW_MS;
    quality.handleStream(nowMs, codec, FULL[codec], (FULL[codec] * lossPercent) / 100, jitterMs, rttMs);
    quality.update(nowMs, nowMs);
  }
  return quality;
}

test('a clean path is excellent, with the best score', () => {
  const quality = settled({});
  assert.equal(quality.quality, 'excellent');
  assert.equal(quality.score, 4.5);
});

test('video falls to good over 2 % loss and to poor over 6 %, RED bears most', () => {
  assert.equal(settled({ lossPercent: 1.5 }).quality, 'excellent');
  assert.equal(settled({ lossPercent: 2.5 }).quality, 'good');
  assert.equal(settled({ lossPercent: 6.5 }).quality, 'poor');
  assert.equal(settled({ codec: 'opus', lossPercent: 3 }).quality, 'excellent');
  assert.equal(settled({ codec: 'opus', lossPercent: 5 }).quality, 'good');
  assert.equal(settled({ codec: 'opus', lossPercent: 12 }).quality, 'poor');
  assert.equal(settled({ codec: 'red', lossPercent: 7 }).quality, 'excellent');
});

test('delay and jitter lower the score, and an unknown round trip does not', () => {
  const clean = settled({ rttMs: -1 }).score;
  const slow = settled({ rttMs: 600 }).score;
  const unsteady = settled({ rttMs: 600, jitterMs: 100 }).score;
  assert.equal(clean, 4.5);
  assert.ok(slow < clean && unsteady < slow);
  assert.equal(settled({ rttMs: 600, jitterMs: 100 }).quality, 'good');
});

test('the worst stream counts', () => {
  const quality = new ConnectionQuality(0);
  for (let window = 1; window <= 10; window++) {
    const nowMs = window * WINDOW_MS;
    quality.handleStream(nowMs, 'vp8', 400, 40, 0, 0);
    quality.handleStream(nowMs, 'opus', 100, 0, 0, 0);
    quality.update(nowMs, nowMs);
  }
  assert.equal(quality.quality, 'poor');
});

test('a loss weighs less where few packets are sent', () => {
  const score = (expected: number) => {
    const quality = new ConnectionQuality(0);
    quality.handleStream(WINDOW_MS, 'opus', expected, expected * 0.2, 0, 0);
    quality.update(WINDOW_MS, WINDOW_MS);
    return quality.score;
  };
  assert.ok(score(5) > score(100));
});

test('bad news is believed at once, good news in time', () => {
  const quality = settled({ lossPercent: 20 }, 1);
  assert.equal(quality.quality, 'poor');
  settled({}, 1, quality, WINDOW_MS);
  assert.equal(quality.quality, 'good');
  settled({}, 5, quality, 2 * WINDOW_MS);
  assert.equal(quality.quality, 'excellent');
});

test('an endpoint without streams is judged by being heard', () => {
  const quality = new ConnectionQuality(0);
  quality.update(10_000, 9000);
  assert.equal(quality.quality, 'excellent');
  quality.update(12_000, 5000);
  assert.equal(quality.quality, 'lost');
  quality.update(14_000, 13_900);
  assert.notEqual(quality.quality, 'lost');
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FRAGMENT_WINDOW } from '../../protocol/octo/message-ack.ts';
import { MessagePace } from './message-pace.ts';

const FRAGMENT_BYTES = 1228;

/** A path that takes `bytesPerMs`, holds what is too much in a queue, and never loses. A sender that always has more. */
class Bottleneck {
  readonly pace = new MessagePace();
  nowMs = 0;
  sent = 0;
  queueMsMax = 0;
  readonly #rttMs: number;
  readonly #budgetBps: number;
  #freeMs = 0;
  #acks: { atMs: number; tripMs: number }[] = [];

  constructor(rttMs: number, budgetBps = Number.POSITIVE_INFINITY) {
    this.#rttMs = rttMs;
    this.#budgetBps = budgetBps;
  }

  run(durationMs: number, bytesPerMs: number): void {
    const endMs = this.nowMs + durationMs;
    for (; this.nowMs < endMs; this.nowMs += 10) {
      this.pace.refill(this.nowMs, this.#rttMs, { budgetBps: this.#budgetBps, sentBps: 0, isAllWantedSent: false });
      const acked = this.#acks.filter(({ atMs }) => atMs <= this.nowMs);
      this.#acks = this.#acks.filter(({ atMs }) => atMs > this.nowMs);
      for (const { tripMs } of acked) this.pace.handleAcked(this.nowMs, tripMs);
      if (acked.length > 0) this.pace.endRound(this.nowMs, this.#rttMs);
      while (this.pace.hasAllowance && this.pace.admits(this.#acks.length)) this.#send(bytesPerMs);
    }
  }

  #send(bytesPerMs: number): void {
    this.pace.handleSent(this.nowMs);
    this.sent++;
    this.#freeMs = Math.max(this.#freeMs, this.nowMs) + FRAGMENT_BYTES / bytesPerMs;
    const queueMs = this.#freeMs - this.nowMs;
    this.queueMsMax = Math.max(this.queueMsMax, queueMs);
    const tripMs = this.#rttMs + queueMs;
    this.#acks.push({ atMs: this.nowMs + tripMs, tripMs });
  }
}

test('a wide path of 200 ms is used to the window: 20 Mbit/s and more', () => {
  const path = new Bottleneck(200);
  path.run(3000, 100_000);
  assert.equal(path.pace.window, FRAGMENT_WINDOW);
  const before = path.sent;
  path.run(1000, 100_000);
  assert.ok((path.sent - before) * FRAGMENT_BYTES * 8 > 20_000_000);
});

test('a narrow path is filled without a queue that audio would wait in', () => {
  for (const rttMs of [30, 100, 200]) {
    const path = new Bottleneck(rttMs);
    const bytesPerMs = 2_500 / 8;
    path.run(10_000, bytesPerMs);
    path.queueMsMax = 0;
    const before = path.sent;
    path.run(30_000, bytesPerMs);
    const used = ((path.sent - before) * FRAGMENT_BYTES) / (30_000 * bytesPerMs);
    assert.ok(used > 0.8, `${rttMs} ms: ${used}`);
    assert.ok(path.queueMsMax < 150, `${rttMs} ms: a queue of ${path.queueMsMax} ms`);
  }
});

test('a path that narrows to a tenth is queued on for a few round trips, not for good', () => {
  const path = new Bottleneck(100);
  path.run(10_000, 2_500);
  path.run(5_000, 250);
  path.queueMsMax = 0;
  path.run(10_000, 250);
  assert.ok(path.queueMsMax < 150, `${path.queueMsMax}`);
});

test('a path that has become longer is taken for what it is after half a minute', () => {
  const path = new Bottleneck(50);
  path.run(10_000, 100_000);
  const { pace } = path;
  for (let nowMs = 10_000; nowMs < 60_000; nowMs += 200) {
    for (let count = 0; count < 20; count++) pace.handleAcked(nowMs, 200);
    pace.admits(FRAGMENT_WINDOW);
    pace.endRound(nowMs, 200);
  }
  assert.equal(pace.window, FRAGMENT_WINDOW);
});

test('of a link with a budget messages take a quarter, and 64 kbit/s of one that has next to none', () => {
  for (const [budgetBps, expectedBps] of [
    [4_000_000, 1_000_000],
    [100_000, 64_000],
  ]) {
    const path = new Bottleneck(100, budgetBps);
    path.run(5_000, 100_000);
    const before = path.sent;
    path.run(20_000, 100_000);
    const bps = ((path.sent - before) * FRAGMENT_BYTES * 8) / 20;
    assert.ok(Math.abs(bps - expectedBps) < expectedBps * 0.1, `${bps} of ${expectedBps}`);
  }
});

test('a tenth lost at random does not narrow the window, half lost does, and never to nothing', () => {
  const pace = new MessagePace();
  let nowMs = 0;
  const rounds = (lost: number) => {
    for (let round = 0; round < 30; round++) {
      nowMs += 100;
      for (let count = 0; count < 40; count++) pace.handleAcked(nowMs, count < 40 - lost ? 100 : -1);
      for (let count = 0; count < lost; count++) pace.handleRepeat();
      pace.admits(FRAGMENT_WINDOW);
      pace.endRound(nowMs, 100);
    }
  };
  rounds(4);
  assert.equal(pace.window, FRAGMENT_WINDOW);
  rounds(20);
  assert.ok(pace.window >= 8 && pace.window < 20, `${pace.window}`);
});

test('repeats wait for the measured round trip and its variation, longer each time, up to a second', () => {
  const pace = new MessagePace();
  assert.equal(pace.retryMs(200), 350, 'before anything is known');
  for (let count = 0; count < 50; count++) pace.handleAcked(count, 100);
  assert.ok(pace.retryMs(200) <= 150, `${pace.retryMs(200)}`);
  for (let count = 0; count < 50; count++) pace.handleAcked(count, count % 2 === 0 ? 60 : 140);
  assert.ok(pace.retryMs(200) > 200, `${pace.retryMs(200)}`);
  let retryMs = pace.retryMs(200);
  for (let repeat = 0; repeat < 10; repeat++) retryMs = pace.backOff(retryMs);
  assert.equal(retryMs, 1000);
});

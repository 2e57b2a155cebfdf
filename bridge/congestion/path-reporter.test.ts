import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FRAME_MEDIA, FRAME_PING, FRAME_REPORT } from '../../protocol/octo/header.ts';
import type { Report } from '../../protocol/octo/report.ts';
import { PathReporter } from './path-reporter.ts';

class Receiver {
  readonly reporter = new PathReporter();
  readonly received = { highest: -1, lost: 0, missing: 0 };
  readonly reports: { atMs: number; report: Report }[] = [];
  nowMs = 1_000;

  /** A tick with `frames` of `length` bytes that were under way for `delayMs`. */
  tick(frames: number, length = 1_000, type = FRAME_MEDIA, delayMs = 20): void {
    this.nowMs += 10;
    for (let frame = 0; frame < frames; frame++) {
      this.received.highest++;
      this.reporter.handleFrame(this.nowMs, type, ((this.nowMs - delayMs) * 1000) >>> 0, length, true, false);
    }
    if (!this.reporter.handleTimeout(this.nowMs, this.received)) return;
    this.reports.push({ atMs: this.nowMs, report: this.reporter.takeReport(this.nowMs, this.received) });
  }

  ticks(count: number, frames: number, length = 1_000, type = FRAME_MEDIA): void {
    for (let tick = 0; tick < count; tick++) this.tick(frames, length, type);
  }
}

test('media is reported every 50 ms, a lone voice every 250 ms', () => {
  const receiver = new Receiver();
  receiver.ticks(100, 2);
  assert.equal(receiver.reports.length, 20);
  const voice = new Receiver();
  voice.ticks(100, 1, 60);
  assert.ok(voice.reports.length >= 4 && voice.reports.length <= 5, `${voice.reports.length}`);
});

test('pings and reports do not ask for reports, so two idle ends are silent', () => {
  const receiver = new Receiver();
  receiver.ticks(100, 1, 68, FRAME_REPORT);
  receiver.ticks(100, 1, 60, FRAME_PING);
  assert.equal(receiver.reports.length, 0);
});

test('a sharp rise of the delay, and a burst of loss, are reported before it is time', () => {
  for (const happen of [
    (receiver: Receiver) => receiver.tick(2, 1_000, FRAME_MEDIA, 120),
    (receiver: Receiver) => {
      receiver.received.missing += 10;
      receiver.tick(1);
    },
  ]) {
    const receiver = new Receiver();
    receiver.ticks(100, 2);
    while (receiver.reports.at(-1)?.atMs !== receiver.nowMs) receiver.tick(2);
    const count = receiver.reports.length;
    receiver.tick(2);
    happen(receiver);
    if (receiver.reports.length === count) happen(receiver);
    assert.equal(receiver.reports.length, count + 1, 'after 30 ms at the most, not 50');
  }
});

test('an answer to a NACK counts as bytes, not as a frame that came', () => {
  const receiver = new Receiver();
  receiver.ticks(4, 2);
  receiver.reporter.handleFrame(receiver.nowMs, FRAME_MEDIA, 5, 700, false, true);
  receiver.reporter.handleFrame(receiver.nowMs, FRAME_MEDIA, 6, 300, false, false);
  const report = receiver.reporter.takeReport(receiver.nowMs, receiver.received);
  const before = receiver.reports.length;
  assert.equal(before, 1, 'the first frames are reported at once');
  assert.deepEqual([report.frames, report.bytes, report.highest], [9, 9_000, 7]);
  assert.equal(report.newestSendTime, (receiver.nowMs - 20) * 1000, 'one that came late is not the newest');
});

test('counts start again with new keys, the base of the delay does not', () => {
  const receiver = new Receiver();
  receiver.ticks(100, 2);
  receiver.reporter.handleNewSession();
  receiver.received.highest = -1;
  for (let tick = 0; tick < 10; tick++) receiver.tick(2, 1_000, FRAME_MEDIA, 60);
  const report = receiver.reports.at(-1)?.report;
  assert.ok(report !== undefined && report.frames <= 20);
  assert.ok(report.queueMicros > 39_000, `${report.queueMicros}`);
});

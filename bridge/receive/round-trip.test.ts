import assert from 'node:assert/strict';
import test from 'node:test';
import { RoundTrip, SENT_REPORTS_MAX } from './round-trip.ts';

test('the round trip is the time since the report, less the time it lay at the other side', () => {
  const roundTrip = new RoundTrip();
  roundTrip.handleReportSent(1000, 0xabcd1234);
  assert.equal(roundTrip.handleReportBlock(1580, 0xabcd1234, 32_768), true);
  assert.equal(roundTrip.latestMs, 80);
  assert.equal(roundTrip.smoothedMs, 80);
});

test('a new sample moves the smoothed round trip by an eighth', () => {
  const roundTrip = new RoundTrip();
  roundTrip.handleSample(80);
  roundTrip.handleSample(160);
  assert.deepEqual([roundTrip.latestMs, roundTrip.smoothedMs], [160, 90]);
});

test('a block that answers no report of ours measures nothing', () => {
  const roundTrip = new RoundTrip();
  assert.equal(roundTrip.handleReportBlock(100, 0, 0), false);
  assert.equal(roundTrip.handleReportBlock(100, 0x1234, 0), false);
  roundTrip.handleReportSent(0, 0x1234);
  assert.equal(roundTrip.handleReportBlock(100, 0x1235, 0), false);
  assert.equal(roundTrip.smoothedMs, -1);
});

test('reports are remembered for a while only', () => {
  const roundTrip = new RoundTrip();
  for (let sent = 1; sent <= SENT_REPORTS_MAX + 1; sent++) roundTrip.handleReportSent(sent, sent);
  assert.equal(roundTrip.handleReportBlock(100, 1, 0), false);
  assert.equal(roundTrip.handleReportBlock(100, 2, 0), true);
  assert.equal(roundTrip.latestMs, 98);
});

test('a claim that cannot be is refused, rounding is not', () => {
  const roundTrip = new RoundTrip();
  roundTrip.handleReportSent(1000, 7);
  assert.equal(roundTrip.handleReportBlock(1001, 7, 65_536), false);
  assert.equal(roundTrip.handleReportBlock(60_000, 7, 0), false);
  assert.equal(roundTrip.handleSample(Number.NaN), false);
  assert.equal(roundTrip.handleReportBlock(1001, 7, 70), true);
  assert.equal(roundTrip.latestMs, 0);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ntpMiddle } from '../../protocol/rtcp/report.ts';
import { SenderReports } from './sender-reports.ts';

const REPORT = { ntpSeconds: 3_900_000_000, ntpFraction: 0xc0000000, rtpTimestamp: 5, arrivedMs: 1_000 };

test("the origin's clock is moved on to now, across a second", () => {
  const out = Buffer.alloc(40);
  assert.equal(new SenderReports().write(1_500, REPORT, 0x01020304, 0xaabbccdd, 7, 800, out, 4), 28);
  assert.equal(out.subarray(4, 8).toString('hex'), '80c80006');
  assert.equal(out.readUint32BE(8), 0xaabbccdd);
  assert.equal(out.readUint32BE(12), 3_900_000_001);
  assert.equal(out.readUint32BE(16), 0x40000000);
  assert.equal(out.readUint32BE(20), 0x01020304);
  assert.equal(out.readUint32BE(24), 7);
  assert.equal(out.readUint32BE(28), 800);
});

test('a round trip is measured on our clock, whatever the origin thinks the time is', () => {
  const reports = new SenderReports();
  const out = Buffer.alloc(28);
  reports.write(2_000, REPORT, 0, 1, 0, 0, out, 0);
  const lastSr = ntpMiddle(out.readUint32BE(8), out.readUint32BE(12));
  assert.equal(reports.roundTripMs(2_180, lastSr, 0.1 * 65_536), 80);
});

test('a report block that answers nothing we sent, or something long ago, gives no round trip', () => {
  const reports = new SenderReports();
  const out = Buffer.alloc(28);
  assert.equal(reports.roundTripMs(0, 0, 0), -1);
  assert.equal(reports.roundTripMs(0, 77, 0), -1);
  reports.write(2_000, REPORT, 0, 1, 0, 0, out, 0);
  const lastSr = ntpMiddle(out.readUint32BE(8), out.readUint32BE(12));
  for (let i = 1; i <= 8; i++) reports.write(2_000 + i * 1_000, REPORT, 0, 1, 0, 0, out, 0);
  assert.equal(reports.roundTripMs(11_000, lastSr, 0), -1);
});

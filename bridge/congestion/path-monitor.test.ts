import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Report } from '../../protocol/octo/report.ts';
import { PathMonitor } from './path-monitor.ts';

const UINT32 = 2 ** 32;

/** The n-th report, 50 ms apart, of a path that carries `bps`; all counts begin at `start`, so that they may wrap. */
function report(n: number, bps: number, start: number, queueMs = 0): Report {
  return {
    highest: (start + n * 10) % UINT32,
    frames: (start + n * 9) % UINT32,
    bytes: (start + (n * bps) / 160) % UINT32,
    lost: n % UINT32,
    newestSendTime: (n * 50_000 + start) % UINT32,
    queueMicros: queueMs * 1000,
    jitterMicros: 1500,
    trendMicrosPerSecond: -2000,
  };
}

test('reports that are lost or wrap lose nothing of rate and loss', () => {
  const start = fc.constantFrom(0, UINT32 - 500, UINT32 - 70_000, UINT32 - 2_000_000);
  fc.assert(
    fc.property(start, fc.array(fc.boolean(), { minLength: 100, maxLength: 100 }), (first, kept) => {
      const monitor = new PathMonitor();
      let [sent, arrived] = [0, 0];
      for (const [n, isKept] of kept.entries()) {
        if (!isKept && n > 0 && n < 99) continue;
        monitor.handleReport(10_000 + n * 50, (n * 50_000 + first) % UINT32, report(n, 4e6, first));
        sent += monitor.framesSent;
        arrived += monitor.framesArrived;
      }
      if (monitor.intervalMs > 0 && kept.slice(-28).filter(Boolean).length > 20) {
        assert.ok(Math.abs(monitor.deliveredBps - 4e6) < 1, `${monitor.deliveredBps}`);
        assert.ok(sent <= 990 && Math.abs(arrived - 0.9 * sent) < 1e-9, `${arrived} of ${sent}`);
      }
    }),
  );
});

test('a report older than the last, or with counts behind it, changes nothing', () => {
  const monitor = new PathMonitor();
  assert.ok(monitor.handleReport(1000, 1_000_000, report(10, 1e6, 0)));
  assert.ok(monitor.handleReport(1050, 1_050_000, report(11, 1e6, 0)));
  const before = { ...monitor, delivered: monitor.deliveredBps };
  assert.equal(monitor.handleReport(1060, 1_040_000, report(12, 1e6, 0)), false);
  assert.equal(monitor.handleReport(1060, 1_060_000, report(9, 1e6, 0)), false);
  assert.deepEqual({ ...monitor, delivered: monitor.deliveredBps }, before);
});

test('the rate of the bottleneck is that of the time with a queue, not of what was sent before', () => {
  const monitor = new PathMonitor();
  let bytes = 0;
  for (let n = 0; n < 30; n++) {
    const isBusy = n > 20;
    bytes += (isBusy ? 2e6 : 500_000) / 160;
    monitor.handleReport(n * 50, n * 50_000, { ...report(n, 0, 0, isBusy ? 40 : 0), bytes });
  }
  assert.ok(Math.abs(monitor.busyBps - 2e6) < 1, `${monitor.busyBps}`);
});

test('a silence is no time in which nothing came', () => {
  const monitor = new PathMonitor();
  for (let n = 0; n < 20; n++) monitor.handleReport(n * 50, n * 50_000, report(n, 3e6, 0));
  for (let n = 100; n < 110; n++) {
    monitor.handleReport(n * 50, n * 50_000, report(n, 3e6, 0));
    if (n === 100) assert.deepEqual([monitor.intervalMs, monitor.framesSent, monitor.deliveredBps], [0, 0, 0]);
  }
  assert.ok(Math.abs(monitor.deliveredBps - 3e6) < 1);
});

test('a queue that was taken for the path does not count, until the path is back', () => {
  const monitor = new PathMonitor();
  for (let n = 0; n < 30; n++) monitor.handleReport(n * 50, n * 50_000, report(n, 3e6, 0, 80));
  assert.ok(monitor.smoothedQueueMs > 75);
  monitor.takeQueueForPath();
  for (let n = 30; n < 60; n++) monitor.handleReport(n * 50, n * 50_000, report(n, 3e6, 0, 110));
  assert.ok(Math.abs(monitor.queueMs - 30) < 3, `${monitor.queueMs}`);
  monitor.handleReport(60 * 50, 60 * 50_000, report(60, 3e6, 0, 0));
  monitor.handleReport(61 * 50, 61 * 50_000, report(61, 3e6, 0, 50));
  assert.equal(monitor.queueMs, 50);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CaseFigures, DatapathFigures } from './measure-case.ts';
import { plotCosts } from './plot.ts';
import { renderMarkdown, renderText, tableOf } from './report.ts';
import { growthOf } from './run-forward.ts';

function datapath(totalUs: number, faults: Record<string, number> = {}): DatapathFigures {
  return {
    busy: {
      speed: 1,
      inPps: 300,
      outPps: 60_000,
      cores: 0.7,
      generatorCores: 0.4,
      cost: { userUs: totalUs - 3, systemUs: 3, totalUs },
      lostShare: 0,
      generatorDroppedShare: 0,
      bridgeDropped: 0,
      recovered: 0,
      gcPauseP999Ms: 1.5,
      gcPauses: 10,
    },
    halfLoad: { outPps: 40_000, p50Ms: 0.5, p99Ms: 1.25, lostShare: 0 },
    saturated: { offeredPps: 120_000, outPps: 90_000, cores: 1, lostShare: 0.2 },
    memory: { kbPerEndpoint: 100, kbPerSubscription: 10 },
    verified: 1_000,
    sampleEvery: 16,
    faults,
    dropped: {},
  };
}

function webinar(size: number, fastUs: number, faults?: Record<string, number>): CaseFigures {
  return {
    name: `webinar-${size}`,
    summary: 'one to many',
    endpoints: size + 1,
    subscriptions: size * 2,
    payloadBytes: 950,
    generator: { kind: 'batched', clock: 'kernel' },
    fast: datapath(fastUs, faults),
    portable: datapath(30),
    floor: {
      packetsPerSecond: 60_000,
      ...{ send: 3, segmentedSend: 1, crypto: 1, total: 4, segmentedTotal: 2 },
      arrivedShare: 1,
      burstWaitMs: { p50: 0.4, p99: 0.9 },
    },
    ratios: { fastToFloor: fastUs / 4, fastToSegmentedFloor: fastUs / 2, fastToPortable: 0.2, portableToFloor: 7.5 },
    stolenShare: 0.02,
  };
}

const MACHINE = { processor: 'Processor', cores: 2, kernel: '6.18', node: 'v26' };

function figures(...cases: CaseFigures[]) {
  return { machine: MACHINE, generator: cases[0].generator, cases, relay: null, growth: growthOf(cases) };
}

test('the table has a row per datapath, with what it costs over the floor', () => {
  const [head, fast, portable] = tableOf([webinar(50, 6)]);
  assert.deepEqual([fast[0], fast[1], fast[head.indexOf('x floor')]], ['webinar-50', 'fast', '1.50']);
  assert.deepEqual([portable[1], portable[head.indexOf('x floor')]], ['portable', '7.50']);
});

test('a report says how much of what arrived was looked at, and on which clock', () => {
  const text = renderText(figures(webinar(50, 6)));
  assert.match(text, /one in 16 decrypted/);
  assert.match(text, /clock of the kernel/);
});

test('wrong packets are named, and right ones are not', () => {
  assert.match(renderText(figures(webinar(50, 6, { pattern: 3 }))), /WRONG PACKETS in webinar-50 on fast: 3 pattern/);
  assert.doesNotMatch(renderText(figures(webinar(50, 6))), /WRONG/);
});

test('growth compares the largest webinar with the smallest', () => {
  const growth = growthOf([webinar(800, 6.6), webinar(50, 6), webinar(200, 5)]);
  assert.deepEqual([growth?.from, growth?.to], [50, 800]);
  assert.ok(Math.abs(growth!.costFast! - 1.1) < 1e-9);
  assert.ok(Math.abs(growth!.kbPerEndpointFast! - 120) < 1e-9);
  assert.equal(growthOf([webinar(50, 6)]), null);
});

test('documentation has the table, the cases and a plot with a bar for each datapath', () => {
  const both = figures(webinar(50, 6), webinar(200, 6));
  const markdown = renderMarkdown(both);
  assert.match(markdown, /\| webinar-200 \| fast \|/);
  assert.match(markdown, /forward\.svg/);
  const svg = plotCosts(both.cases);
  assert.equal(svg.match(/6\.0 fast/g)?.length, 2);
  assert.equal(svg.match(/30\.0 portable/g)?.length, 2);
});

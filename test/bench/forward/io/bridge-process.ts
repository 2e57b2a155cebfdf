/** The process of a bridge under test: the real one, with its real ports, and an eye on its CPU, its memory and its garbage collector. */
import { constants, PerformanceObserver } from 'node:perf_hooks';
import { pino } from 'pino';
import { readBridgeConfig } from '../../../../bridge/config.ts';
import { type RunningBridge, startBridge } from '../../../../bridge/service.ts';
import { DEVELOPMENT_CONTROL_SECRET } from '../../../../protocol/control/development-secret.ts';
import type { BridgeAddress } from '../stage.ts';
import { serve } from './child.ts';

const LOOPBACK = '127.0.0.1';
/** The audio room has 1000, and nobody is to be refused. */
const ENDPOINTS_MAX = 4_000;

/** What a bridge has counted and used since it started. */
export interface BridgeSnapshot {
  readonly userUs: number;
  readonly systemUs: number;
  readonly atMs: number;
  /** `/metrics`, samples of one name added up, without `causeway_bridge_` and `_total`. */
  readonly counted: Readonly<Record<string, number>>;
  /** Pauses of the garbage collector since the last snapshot, in ms. */
  readonly gcPausesMs: readonly number[];
}

interface StartRequest {
  readonly bridgeId: string;
  readonly flags?: Readonly<Record<string, unknown>>;
}

let bridge: RunningBridge | undefined;
let gcPausesMs: number[] = [];

const observer = new PerformanceObserver(list => {
  for (const { duration, detail } of list.getEntries() as (PerformanceEntry & { detail?: { flags?: number } })[]) {
    // What this process asked for itself, to weigh its memory, is no pause of a bridge at work.
    const flags = detail?.flags ?? 0;
    if ((flags & constants.NODE_PERFORMANCE_GC_FLAGS_FORCED) === 0) gcPausesMs.push(duration);
  }
});
observer.observe({ entryTypes: ['gc'] });

const handlers = {
  /** `flags`: keys of the configuration that differ, by dotted path. */
  start: async ({ bridgeId, flags = {} }: StartRequest): Promise<BridgeAddress & { octoPort: number }> => {
    const config = readBridgeConfig({
      env: { CAUSEWAY_DATAPATH: process.env['CAUSEWAY_DATAPATH'] },
      flags: {
        bridge_id: bridgeId,
        development: true,
        'rtc.udp_port': 0,
        'rtc.bind_address': LOOPBACK,
        'octo.port': 0,
        'octo.bind_address': LOOPBACK,
        'octo.address': LOOPBACK,
        'control.port': 0,
        'control.bind_address': LOOPBACK,
        'focus.urls': [],
        'limits.endpoints': ENDPOINTS_MAX,
        'logging.level': 'warn',
        ...flags,
      },
    });
    bridge = await startBridge(config, pino({ level: 'warn' }, pino.destination(2)));
    const { controlUrl, octoPort } = bridge;
    return { bridgeId, controlUrl, secret: DEVELOPMENT_CONTROL_SECRET, octoPort };
  },

  /** `first` what is cheap to ask at that moment: before a load, what was counted; after it, the CPU time. */
  snapshot: async ({ first }: { first: 'counted' | 'cpu' }): Promise<BridgeSnapshot> => {
    let cpu = process.cpuUsage();
    const atMs = performance.now();
    const counted = await readMetrics();
    if (first === 'counted') cpu = process.cpuUsage();
    const pauses = gcPausesMs;
    gcPausesMs = [];
    return { userUs: cpu.user, systemUs: cpu.system, atMs, counted, gcPausesMs: pauses };
  },

  /** What has come lately and is here to stay is moved to where long-lived objects are: it does so once, and not in what is measured next. */
  settle: () => {
    for (let times = 0; times < 2; times++) globalThis.gc?.({ type: 'minor' });
  },

  /** Bytes in use after a full collection. */
  memory: () => {
    globalThis.gc?.();
    globalThis.gc?.();
    const { heapUsed, external, rss } = process.memoryUsage();
    return { usedBytes: heapUsed + external, rssBytes: rss };
  },
};

export type BridgeHandlers = typeof handlers;

serve(handlers, async () => {
  observer.disconnect();
  await bridge?.close();
});

async function readMetrics(): Promise<Record<string, number>> {
  const text = await (await fetch(`${bridge?.controlUrl}/metrics`)).text();
  const counted: Record<string, number> = {};
  for (const line of text.split('\n')) {
    const match = /^causeway_bridge_(\w+?)(?:_total)?(\{[^}]*\})? (\S+)/.exec(line);
    if (match === null) continue;
    const reason = /reason="([^"]*)"/.exec(match[2] ?? '')?.[1];
    const name = match[1] === 'dropped_packets' && reason !== undefined ? `dropped ${reason}` : match[1];
    counted[name] = (counted[name] ?? 0) + Number(match[3]);
  }
  return counted;
}

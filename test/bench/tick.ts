/**
 * What a bridge's clock costs: CPU of `Bridge.handleTimeout` per second of bridge time, idle and with media, without encryption and sending. Packets
 * arrive between the ticks and are not counted. Run: `npm run bench -- tick`.
 */
import { Publisher } from './publisher.ts';
import { QuietBridge } from './quiet-bridge.ts';
import type { BenchmarkOptions } from './registry.ts';
import { percentile } from './statistics.ts';

const TICK_MS = 10;

interface Shape {
  readonly name: string;
  readonly endpoints: number;
  /** The first so many endpoints publish; everybody watches them all but themselves. */
  readonly publishers: number;
  readonly hasMedia: boolean;
}

const SHAPES: readonly Shape[] = [
  { name: 'idle 1000 endpoints x 1', endpoints: 1_000, publishers: 1, hasMedia: false },
  { name: 'busy 1000 endpoints x 1', endpoints: 1_000, publishers: 1, hasMedia: true },
  { name: 'idle 40 x 40', endpoints: 40, publishers: 40, hasMedia: false },
  { name: 'busy 40 x 40', endpoints: 40, publishers: 40, hasMedia: true },
];

export interface TickCost {
  readonly name: string;
  /** ms of CPU per second of the bridge's time: 10 is 1 % of a core. */
  readonly cpuMsPerSecond: number;
  /** One tick, us: the median, and the worst of a hundred and of all. */
  readonly tickUsP50: number;
  readonly tickUsP99: number;
  readonly tickUsMax: number;
}

export function runTick({ quick, progress }: BenchmarkOptions): { cases: TickCost[] } {
  return {
    cases: SHAPES.map(shape => {
      progress(shape.name);
      return measure(shape, quick ? 2 : 10);
    }),
  };
}

function measure({ name, endpoints, publishers, hasMedia }: Shape, seconds: number): TickCost {
  const quiet = new QuietBridge();
  const origins = Array.from({ length: publishers }, (_, index) => index + 1);
  for (let id = 1; id <= endpoints; id++) {
    const watched = origins.filter(origin => origin !== id);
    quiet.put(id, 1, id <= publishers, watched);
    if (id % 10 === 0) quiet.tick(TICK_MS);
  }
  const sending = hasMedia ? origins.map(id => new Publisher(quiet, id)) : [];
  const warmUpTicks = 1_000;
  const ticks: number[] = [];
  for (let index = 0; index < warmUpTicks + (seconds * 1_000) / TICK_MS; index++) {
    if (index % 2 === 0) for (const publisher of sending) publisher.send();
    const us = quiet.tick(TICK_MS);
    if (index >= warmUpTicks) ticks.push(us);
  }
  return {
    name,
    cpuMsPerSecond: ticks.reduce((sum, us) => sum + us, 0) / 1_000 / seconds,
    tickUsP50: percentile(ticks, 0.5),
    tickUsP99: percentile(ticks, 0.99),
    tickUsMax: Math.max(...ticks),
  };
}

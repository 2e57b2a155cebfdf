/** What a bridge sends for a plan, in order, as bursts: a frame's packets and who gets them. The floor sends one lap of it again and again. */
import { percentile } from '../statistics.ts';
import type { BenchPlan } from './cases.ts';
import { FRAME_PACKETS_MAX } from './media-program.ts';
import { streamsOf } from './traffic.ts';

export interface Burst {
  /** Bytes on the wire, without UDP and IP, of each packet. */
  readonly lengths: readonly number[];
  /** Numbers of the destinations, from 0. */
  readonly sinks: readonly number[];
}

/** RTP header with extensions (20 to 24), VP8 descriptor (6), tag (10 to 16). */
const OVERHEAD_BYTES = 44;
/** Long enough for every size to come, short enough to be prepared in a moment. */
const PACKETS_MAX = 60_000;

/** Destinations of a lap: as many as the widest stream has subscribers. */
export function sinksOf(plan: BenchPlan): number {
  return Math.max(1, ...streamsOf(plan).map(({ fanOut }) => fanOut), Math.min(MIN_SINKS, plan.endpoints.length));
}

/** Rooms of two: each stream has one subscriber, but they are not the same. */
const MIN_SINKS = 100;

export function burstsOf(plan: BenchPlan): Burst[] {
  const streams = streamsOf(plan).filter(({ fanOut }) => fanOut > 0);
  const sinks = sinksOf(plan);
  const frames = streams.map((_, index) => index);
  const dues = streams.map(({ program }, index) => (((index * 0.618_034) % 1) * 1_000) / program.framesPerSecond);
  const lengths = new Uint16Array(FRAME_PACKETS_MAX);
  const bursts: Burst[] = [];
  for (let packets = 0; packets < PACKETS_MAX; ) {
    const next = dues.indexOf(Math.min(...dues));
    const { program, fanOut } = streams[next];
    dues[next] += 1_000 / program.framesPerSecond;
    const count = program.packetise(++frames[next], false, lengths);
    bursts.push({
      lengths: Array.from(lengths.subarray(0, count), length => length + OVERHEAD_BYTES),
      sinks: Array.from({ length: fanOut }, (_, index) => (next + index) % sinks),
    });
    packets += count * fanOut;
  }
  return bursts;
}

/**
 * How long packets wait for those before them in their burst, when each takes `packetUs`: what a bridge's latency cannot be below, in ms. A frame of nine packets to
 * 200 is 1800 packets, and the last of them leaves when all others have.
 */
export function burstWaitMs(
  bursts: readonly Burst[],
  packetUs: number,
): { readonly p50: number; readonly p99: number } {
  const waits = bursts.flatMap(({ lengths, sinks }) =>
    Array.from({ length: lengths.length * sinks.length }, (_, place) => ((place + 1) * packetUs) / 1_000),
  );
  return { p50: percentile(waits, 0.5), p99: percentile(waits, 0.99) };
}

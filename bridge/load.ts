import type { Load } from '../protocol/control/events.ts';
import type { PortCounters } from './port-counters.ts';

export interface LoadSample {
  readonly nowMs: number;
  /** User and system CPU of the bridge's thread since its start, in microseconds. */
  readonly cpuUs: number;
  /** Share of the machine's CPU time, 0 to 1, that went to other machines of its host since the last sample. */
  readonly stolenShare: number;
  /** Median lateness of the event loop's timers lately. */
  readonly eventLoopDelayMs: number;
  readonly ports: readonly PortCounters[];
  readonly endpoints: number;
  readonly conferences: number;
  readonly sources: number;
  /** See {@link RecentJoins}. */
  readonly unsettledEndpoints: number;
  readonly joinsLastMinute: number;
}

/** Where the bridge calls itself full. 0 for `bitsPerSecond` and `tracks`: not a limit. */
export interface LoadLimits {
  /** Share of one core. */
  readonly cpu: number;
  readonly packetsPerSecond: number;
  /** In or out, whichever is more: lines are full in one direction. */
  readonly bitsPerSecond: number;
  readonly eventLoopDelayMs: number;
  readonly tracks: number;
  readonly endpoints: number;
}

/** Weight of the newest sample: a report every 2 s settles within about 6 s. */
const SMOOTHING = 0.5;

/**
 * Turns counters into the load a bridge reports: each measure as a share of its limit, the stress is the largest share. Several bridges in
 * one process share its thread, and each reports the whole of it: the thread is what runs out.
 */
export class LoadMeter {
  readonly #limits: LoadLimits;
  #last: { nowMs: number; cpuUs: number; packets: number; bytesIn: number; bytesOut: number } | undefined;
  #cpu = 0;
  #packetsPerSecond = 0;
  #bitrateInBps = 0;
  #bitrateOutBps = 0;
  #eventLoopDelayMs = 0;

  constructor(limits: LoadLimits) {
    this.#limits = limits;
  }

  /** Takes a sample and returns the load; rates are over the time since the last sample. */
  measure(sample: LoadSample): Load {
    const packets = sum(sample.ports, port => port.received + port.sent);
    const bytesIn = sum(sample.ports, port => port.receivedBytes);
    const bytesOut = sum(sample.ports, port => port.sentBytes);
    const last = this.#last;
    if (last !== undefined && sample.nowMs > last.nowMs) {
      const seconds = (sample.nowMs - last.nowMs) / 1_000;
      // What was stolen from this thread's core is not to be had, as if it were used.
      this.#cpu = smooth(this.#cpu, (sample.cpuUs - last.cpuUs) / 1e6 / seconds + sample.stolenShare);
      this.#packetsPerSecond = smooth(this.#packetsPerSecond, (packets - last.packets) / seconds);
      this.#bitrateInBps = smooth(this.#bitrateInBps, ((bytesIn - last.bytesIn) * 8) / seconds);
      this.#bitrateOutBps = smooth(this.#bitrateOutBps, ((bytesOut - last.bytesOut) * 8) / seconds);
      this.#eventLoopDelayMs = smooth(this.#eventLoopDelayMs, sample.eventLoopDelayMs);
    }
    this.#last = { nowMs: sample.nowMs, cpuUs: sample.cpuUs, packets, bytesIn, bytesOut };
    const { scarcest, stress } = this.#stress(sample);
    return {
      stress: thousandths(stress),
      scarcest,
      endpoints: sample.endpoints,
      conferences: sample.conferences,
      sources: sample.sources,
      cpu: thousandths(this.#cpu),
      packetsPerSecond: Math.round(this.#packetsPerSecond),
      bitrateInBps: Math.round(this.#bitrateInBps),
      bitrateOutBps: Math.round(this.#bitrateOutBps),
      eventLoopDelayMs: thousandths(this.#eventLoopDelayMs),
      unsettledEndpoints: thousandths(sample.unsettledEndpoints),
      joinsLastMinute: sample.joinsLastMinute,
    };
  }

  #stress(sample: LoadSample): { readonly scarcest: string; readonly stress: number } {
    const limits = this.#limits;
    const shares: readonly (readonly [name: string, share: number])[] = [
      ['cpu', this.#cpu / limits.cpu],
      ['packets', this.#packetsPerSecond / limits.packetsPerSecond],
      ['bandwidth', share(Math.max(this.#bitrateInBps, this.#bitrateOutBps), limits.bitsPerSecond)],
      ['event-loop-delay', this.#eventLoopDelayMs / limits.eventLoopDelayMs],
      ['tracks', share(sample.sources, limits.tracks)],
      ['endpoints', sample.endpoints / limits.endpoints],
    ];
    const [scarcest, stress] = shares.reduce((most, each) => (each[1] > most[1] ? each : most));
    return { scarcest, stress };
  }
}

function share(value: number, limit: number): number {
  return limit === 0 ? 0 : value / limit;
}

function smooth(average: number, value: number): number {
  return average + SMOOTHING * (value - average);
}

function thousandths(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  let total = 0;
  for (const item of items) total += of(item);
  return total;
}

import type { Load } from '../protocol/control/events.ts';
import type { PortCounters } from './port-counters.ts';

export interface LoadSample {
  readonly nowMs: number;
  /** User and system CPU of the bridge's thread since its start, in microseconds. */
  readonly cpuUs: number;
  readonly ports: readonly PortCounters[];
  readonly endpoints: number;
  readonly conferences: number;
  readonly sources: number;
}

export interface LoadLimits {
  /** Share of one core. */
  readonly cpu: number;
  readonly packetsPerSecond: number;
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
      this.#cpu = smooth(this.#cpu, (sample.cpuUs - last.cpuUs) / 1e6 / seconds);
      this.#packetsPerSecond = smooth(this.#packetsPerSecond, (packets - last.packets) / seconds);
      this.#bitrateInBps = smooth(this.#bitrateInBps, ((bytesIn - last.bytesIn) * 8) / seconds);
      this.#bitrateOutBps = smooth(this.#bitrateOutBps, ((bytesOut - last.bytesOut) * 8) / seconds);
    }
    this.#last = { nowMs: sample.nowMs, cpuUs: sample.cpuUs, packets, bytesIn, bytesOut };
    const stress = Math.max(
      this.#cpu / this.#limits.cpu,
      this.#packetsPerSecond / this.#limits.packetsPerSecond,
      sample.endpoints / this.#limits.endpoints,
    );
    return {
      stress: Math.round(stress * 1_000) / 1_000,
      endpoints: sample.endpoints,
      conferences: sample.conferences,
      sources: sample.sources,
      cpu: Math.round(this.#cpu * 1_000) / 1_000,
      packetsPerSecond: Math.round(this.#packetsPerSecond),
      bitrateInBps: Math.round(this.#bitrateInBps),
      bitrateOutBps: Math.round(this.#bitrateOutBps),
    };
  }
}

function smooth(average: number, value: number): number {
  return average + SMOOTHING * (value - average);
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  let total = 0;
  for (const item of items) total += of(item);
  return total;
}

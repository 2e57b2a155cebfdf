/** From what a load cost its bridges to µs per packet. */
import { percentile } from '../statistics.ts';
import type { BridgeUse, Measured } from './bench-run.ts';

/** µs of CPU per packet that left for a subscriber. */
export interface PacketCost {
  readonly userUs: number;
  readonly systemUs: number;
  readonly totalUs: number;
}

/** Everything that the bridges did, over what they sent to subscribers. */
export function costOf(bridges: readonly BridgeUse[]): PacketCost {
  const packets = Math.max(1, outOf(bridges));
  const userUs = sum(bridges, use => use.userUs) / packets;
  const systemUs = sum(bridges, use => use.systemUs) / packets;
  return { userUs, systemUs, totalUs: userUs + systemUs };
}

/** Packets out for a second of CPU. */
export function capacityOf(bridges: readonly BridgeUse[]): number {
  return 1_000_000 / costOf(bridges).totalUs;
}

export function coresOf({ bridges, load }: Measured): number {
  return sum(bridges, ({ userUs, systemUs }) => userUs + systemUs) / 1_000_000 / load.seconds;
}

export function outOf(bridges: readonly BridgeUse[]): number {
  return sum(bridges, ({ rtpOut }) => rtpOut);
}

/** Share of the packets for subscribers that never came, retransmissions included. */
export function lostShareOf(measured: readonly Measured[]): number {
  const lost = sum(measured, ({ load }) => load.lost);
  return lost / Math.max(1, lost + sum(measured, ({ load }) => load.received));
}

/** Share of the packets for subscribers that reached the generator's socket and found it full. */
export function generatorDroppedShareOf(measured: readonly Measured[]): number {
  const dropped = sum(measured, ({ load }) => load.generatorDropped);
  return dropped / Math.max(1, dropped + sum(measured, ({ load }) => load.received));
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

export function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}

/** Counters by name, added up. */
export function addUp(all: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const total: Record<string, number> = {};
  for (const one of all) for (const [name, count] of Object.entries(one)) total[name] = (total[name] ?? 0) + count;
  return total;
}

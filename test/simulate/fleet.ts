/** The simulated bridges: what they carry, and what they say of it, as a bridge's own load meter would. */
import { RecentJoins } from '../../bridge/recent-joins.ts';
import type { Store } from '../../focus/store/store.ts';
import type { BridgeReport } from '../../protocol/control/events.ts';
import type { BridgeId } from '../../protocol/ids.ts';
import type { Chance } from '../soak/chance.ts';
import { peakShares } from './demand.ts';
import { normal } from './draws.ts';
import { WORLD } from './regions.ts';

/** Endpoints that fill a bridge of one core. */
export const BRIDGE_ENDPOINTS = 800;
/** Weight of the newest sample, as in bridge/load.ts. */
const SMOOTHING = 0.5;
/** Standard deviation of a sample of the CPU's share. */
const NOISE = 0.01;
/** A running process: its ramp is over when the simulation begins. */
const LONG_UP_MS = 3_600_000;

export interface SimulatedBridge {
  readonly id: BridgeId;
  /** Index into {@link WORLD}. */
  readonly region: number;
  readonly joins: RecentJoins;
  /** What never changes in its reports. */
  readonly peer: BridgeReport['peer'];
  endpoints: number;
  cpu: number;
  isDraining: boolean;
  isDead: boolean;
  startedMs: number;
}

export interface Fleet {
  readonly bridges: ReadonlyMap<BridgeId, SimulatedBridge>;
  /** Every bridge whose turn it is reports; called once a second, and each has its turn every other. The store is a memory store: it has them at once. */
  report(store: Store, nowMs: number): void;
}

/** `count` bridges, by how many people each region has at its own busiest hour: at least one each while there are enough. */
export function createFleet(count: number, chance: Chance): Fleet {
  const bridges = new Map<BridgeId, SimulatedBridge>();
  for (const [region, size] of sizes(count).entries()) {
    for (let index = 0; index < size; index++) {
      const id = `${WORLD[region]!.name}-${String(index).padStart(4, '0')}` as BridgeId;
      bridges.set(id, {
        id,
        region,
        joins: new RecentJoins(),
        peer: peerOf(id, region),
        endpoints: 0,
        cpu: 0,
        isDraining: false,
        isDead: false,
        startedMs: -LONG_UP_MS,
      });
    }
  }
  const list = [...bridges.values()];
  let turn = 0;
  return {
    bridges,
    report(store, nowMs) {
      turn = 1 - turn;
      for (let index = turn; index < list.length; index += 2) {
        const bridge = list[index]!;
        if (!bridge.isDead) void store.putBridge(reportOf(bridge, nowMs, chance));
      }
    },
  };
}

function peerOf(bridgeId: BridgeId, region: number): BridgeReport['peer'] {
  return {
    bridgeId,
    region: WORLD[region]!.name,
    octo: { address: '192.0.2.1', port: 4096 },
    fingerprint: { algorithm: 'sha-256', value: 'AB:CD' },
  };
}

/** Largest remainders, after one for each region. */
function sizes(count: number): number[] {
  const shares = peakShares();
  const total = shares.reduce((sum, share) => sum + share, 0);
  const least = count >= WORLD.length ? 1 : 0;
  const rest = count - least * WORLD.length;
  const exact = shares.map(share => (share / total) * rest);
  const whole = exact.map(Math.floor);
  const left = rest - whole.reduce((sum, value) => sum + value, 0);
  const byRemainder = exact.map((value, index) => [value - whole[index]!, index] as const).sort(([a], [b]) => b - a);
  for (const [, index] of byRemainder.slice(0, left)) whole[index]!++;
  return whole.map(value => value + least);
}

/** What the bridge would report now. Takes a sample of its CPU. */
export function reportOf(bridge: SimulatedBridge, nowMs: number, chance: Chance): BridgeReport {
  const { id, peer, endpoints, joins } = bridge;
  const used = Math.max(0, (endpoints / BRIDGE_ENDPOINTS) * 0.9 + normal(chance, 0, NOISE));
  bridge.cpu += SMOOTHING * (used - bridge.cpu);
  const cpuStress = bridge.cpu / 0.9;
  const endpointStress = endpoints / 1_000;
  return {
    peer,
    bootId: id,
    version: '1',
    controlUrl: 'http://192.0.2.1:9090',
    state: bridge.isDraining ? 'draining' : 'running',
    upMs: nowMs - bridge.startedMs,
    load: {
      stress: Math.max(cpuStress, endpointStress),
      scarcest: cpuStress > endpointStress ? 'cpu' : 'endpoints',
      endpoints,
      conferences: 0,
      sources: endpoints,
      cpu: bridge.cpu,
      packetsPerSecond: endpoints * 150,
      bitrateInBps: endpoints * 700_000,
      bitrateOutBps: endpoints * 2_000_000,
      unsettledEndpoints: joins.unsettled(nowMs),
      joinsLastMinute: joins.lastMinute(nowMs),
    },
  };
}

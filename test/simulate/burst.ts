/** A burst of joins to the bridges of one region (jicofo issue 1298: of 92 in 31 s, 58 came to one bridge), with loads that are known late. */
import { LoadMeter } from '../../bridge/load.ts';
import { portCounters } from '../../bridge/port-counters.ts';
import { RecentJoins } from '../../bridge/recent-joins.ts';
import { createFocusMetrics } from '../../focus/metrics.ts';
import type { PlacementSettings } from '../../focus/placement/choose-bridge.ts';
import { createPlacements } from '../../focus/placement/placements.ts';
import { createRegionDistances } from '../../focus/placement/region-distance.ts';
import { createMemoryStore } from '../../focus/store/memory-store.ts';
import type { BridgeReport } from '../../protocol/control/events.ts';
import { Chance } from '../soak/chance.ts';
import { normal, uint32 } from './draws.ts';
import { placementDefaults } from './placement-defaults.ts';

export interface Burst {
  readonly seed: number;
  readonly bridges?: number;
  readonly joins?: number;
  readonly seconds?: number;
  readonly settings?: Partial<PlacementSettings>;
  /** One meeting, or one each: a meeting of its own is kept together by most rule sets. */
  readonly isOneMeeting?: boolean;
  /** What the reports leave out, to see what it is good for. */
  readonly blind?: (report: BridgeReport) => BridgeReport;
}

const STEP_MS = 100;
const REPORT_MS = 2_000;
/** An endpoint's CPU comes over its first seconds: handshake, first layers, then all of them. */
const RISE_MS = 8_000;
const ENDPOINT_CPU = 0.006;
/** Of one sample of two seconds: garbage collection, other people's meetings. */
const NOISE = 0.01;

class BurstBridge {
  readonly id: string;
  readonly #meter = new LoadMeter({
    cpu: 0.9,
    packetsPerSecond: 150_000,
    bitsPerSecond: 0,
    eventLoopDelayMs: 50,
    tracks: 0,
    endpoints: 1_000,
  });
  readonly #joins = new RecentJoins();
  readonly #joinedAtMs: number[] = [];
  readonly #port = portCounters();
  readonly #base: number;
  readonly #chance: Chance;
  #cpuUs = 0;

  constructor(id: string, base: number, chance: Chance) {
    this.id = id;
    this.#base = base;
    this.#chance = chance;
  }

  get endpoints(): number {
    return this.#joinedAtMs.length;
  }

  join(nowMs: number): void {
    this.#joinedAtMs.push(nowMs);
    this.#joins.note(nowMs);
  }

  report(nowMs: number): BridgeReport {
    const risen = this.#joinedAtMs.reduce((sum, atMs) => sum + Math.min(1, (nowMs - atMs) / RISE_MS), 0);
    const cpu = Math.max(0, this.#base + risen * ENDPOINT_CPU + normal(this.#chance, 0, NOISE));
    this.#cpuUs += cpu * REPORT_MS * 1000;
    return {
      peer: {
        bridgeId: this.id,
        region: 'eu',
        octo: { address: '192.0.2.1', port: 4096 },
        fingerprint: { algorithm: 'sha-256', value: 'AB:CD' },
      },
      bootId: this.id,
      version: '1',
      controlUrl: 'http://192.0.2.1:9090',
      state: 'running',
      upMs: 3_600_000 + nowMs,
      load: this.#meter.measure({
        nowMs,
        cpuUs: this.#cpuUs,
        stolenShare: 0,
        eventLoopDelayMs: 0,
        ports: [this.#port],
        endpoints: this.endpoints,
        conferences: 1,
        sources: this.endpoints,
        unsettledEndpoints: this.#joins.unsettled(nowMs),
        joinsLastMinute: this.#joins.lastMinute(nowMs),
      }),
    };
  }
}

/** How many of the joins each bridge got. */
export async function spreadOfBurst(burst: Burst): Promise<readonly number[]> {
  const { seed, bridges: count = 4, joins = 92, seconds = 31, blind = report => report } = burst;
  const chance = new Chance(seed);
  let nowMs = 0;
  const store = createMemoryStore(
    () => nowMs,
    () => chance.fraction(),
  );
  const placements = createPlacements({
    store,
    settings: { ...placementDefaults(), ...burst.settings },
    distances: createRegionDistances([]),
    focusId: 'focus-1',
    metrics: createFocusMetrics(),
    uint32: () => uint32(chance),
  });
  const bridges = Array.from({ length: count }, (_, index) => new BurstBridge(`b${index}`, 0.1, chance));
  const phases = bridges.map(() => chance.below(REPORT_MS / STEP_MS) * STEP_MS);
  // Meters have settled before the burst comes.
  const beginMs = 20_000;
  let joined = 0;
  for (; nowMs < beginMs + seconds * 1000; nowMs += STEP_MS) {
    for (const [index, bridge] of bridges.entries()) {
      if (nowMs % REPORT_MS === phases[index]) await store.putBridge(blind(bridge.report(nowMs)));
    }
    while (nowMs >= beginMs && joined < ((nowMs - beginMs + STEP_MS) / (seconds * 1000)) * joins) {
      const room = burst.isOneMeeting === true ? 'all' : `room-${joined}`;
      const placed = await placements.join({
        room,
        createAs: { roomSid: 'RM_1' },
        identity: `p${joined}`,
        sid: `PA_${joined++}`,
        region: 'eu',
        participantsMax: 0,
      });
      if (placed.kind !== 'placed') throw new Error(`join ${joined}: ${placed.kind}`);
      bridges.find(({ id }) => id === placed.participant.bridgeId)!.join(nowMs);
    }
  }
  return bridges.map(({ endpoints }) => endpoints);
}

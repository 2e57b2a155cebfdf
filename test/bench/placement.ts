/**
 * What a placement costs: the decision alone, and with its reservation in the memory store, as a focus makes it. Each participant is of a meeting of ten
 * in its own region. Run: `npm run bench -- placement`.
 */
import { createFocusMetrics } from '../../focus/metrics.ts';
import { chooseBridge, type PlacementSettings } from '../../focus/placement/choose-bridge.ts';
import { createPlacements } from '../../focus/placement/placements.ts';
import type { Policy } from '../../focus/placement/policy.ts';
import { createRegionDistances } from '../../focus/placement/region-distance.ts';
import { BridgePool } from '../../focus/store/bridge-pool.ts';
import { createMemoryStore } from '../../focus/store/memory-store.ts';
import type { BridgeRecord, PlacementView, Store } from '../../focus/store/store.ts';
import { spreadOfBurst } from '../simulate/burst.ts';
import { uint32 } from '../simulate/draws.ts';
import { createFleet, reportOf } from '../simulate/fleet.ts';
import { placementDefaults } from '../simulate/placement-defaults.ts';
import { WORLD } from '../simulate/regions.ts';
import { Chance } from '../soak/chance.ts';
import type { PlacementCost, PlacementFigures } from './placement-figures.ts';
import type { BenchmarkOptions } from './registry.ts';

const MEETING_SIZE = 10;
interface Case {
  readonly name: string;
  readonly bridges: number;
  readonly policy: Partial<Policy>;
  /** All bridges in so many regions; the world's twenty, or one to see what a region's size costs. */
  readonly regions: number;
}

const CASES: readonly Case[] = [
  { name: 'region, 20 regions x 100 bridges', bridges: 2_000, regions: 20, policy: {} },
  { name: 'region, two-choice, 20 x 100', bridges: 2_000, regions: 20, policy: { algorithm: 'two-choice' } },
  { name: 'last-used, 20 x 100', bridges: 2_000, regions: 20, policy: { kind: 'last-used' } },
  { name: 'single, 20 x 100', bridges: 2_000, regions: 20, policy: { kind: 'single' } },
  { name: 'split, 20 x 100', bridges: 2_000, regions: 20, policy: { kind: 'split' } },
  { name: 'latency, 20 x 100', bridges: 2_000, regions: 20, policy: { kind: 'latency' } },
  { name: 'least-loaded, any of 2000', bridges: 2_000, regions: 20, policy: { kind: 'least-loaded' } },
  {
    name: 'least-loaded, two-choice of 2000',
    bridges: 2_000,
    regions: 20,
    policy: { kind: 'least-loaded', algorithm: 'two-choice' },
  },
  { name: 'region, 1 x 100', bridges: 100, regions: 1, policy: {} },
  { name: 'region, 1 x 400', bridges: 400, regions: 1, policy: {} },
  { name: 'region, 1 x 1600', bridges: 1_600, regions: 1, policy: {} },
];

export async function runPlacement({ quick, progress }: BenchmarkOptions): Promise<PlacementFigures> {
  const cases: PlacementCost[] = [];
  for (const each of CASES) {
    progress(each.name);
    const seconds = quick ? 0.3 : 2;
    const decisionUs = measureDecisions(each, seconds);
    const placementUs = await measureJoins(each, seconds, placing);
    const floorUs = await measureJoins(each, seconds, reservingOnly);
    cases.push({
      name: each.name,
      decisionsPerSecond: Math.round(1e6 / decisionUs),
      decisionUs,
      placementsPerSecond: Math.round(1e6 / placementUs),
      placementUs,
      overFloor: placementUs / floorUs,
    });
  }
  const spreads = await Promise.all(
    Array.from({ length: quick ? 5 : 50 }, (_, seed) => spreadOfBurst({ seed: seed + 1 })),
  );
  const shares = spreads.flatMap(counts => counts.map(count => count / (92 / counts.length)));
  return { cases, burst: { fullest: Math.max(...shares), emptiest: Math.min(...shares) } };
}

/** Microseconds each. The bridge that was chosen carries one more each time, as in a store. */
function measureDecisions(each: Case, seconds: number): number {
  const { settings, distances, bridges, regions } = setUp(each);
  const index = new BridgePool(bridges);
  let draw = 0;
  const cost = timed(seconds, count => {
    for (let left = count; left > 0; left--) {
      const view: PlacementView = { atMs: 0, bridges, inConference: NOBODY, index };
      const region = regions[draw % regions.length]!;
      const { bridgeId } = chooseBridge(view, region, settings, distances, draw++);
      const chosen = index.find(bridgeId!)!;
      // Back to nothing after a while, as reports do.
      index.put({ ...chosen, placedSinceReport: (chosen.placedSinceReport + 1) % 20 });
    }
  });
  return cost;
}

const NOBODY: PlacementView['inConference'] = new Map();

type Join = (who: number, meeting: number) => Promise<unknown>;
type SetUp = ReturnType<typeof setUp>;

/** As a focus does it. */
function placing(store: Store, { settings, distances, regions, chance }: SetUp): Join {
  const placements = createPlacements({
    store,
    settings,
    distances,
    focusId: 'bench',
    metrics: createFocusMetrics(),
    uint32: () => uint32(chance),
  });
  return (who, meeting) =>
    placements.join({
      room: `room-${meeting}`,
      createAs: CREATE_AS,
      identity: `p${who}`,
      sid: `PA_${who}`,
      region: regions[meeting % regions.length]!,
      participantsMax: 0,
    });
}

/** The floor: the same people, without a choice and without an explanation. */
function reservingOnly(store: Store, { bridges, regions }: SetUp): Join {
  return (who, meeting) => {
    const { bridgeId } = bridges[meeting % bridges.length]!;
    const request = {
      room: `room-${meeting}`,
      createAs: CREATE_AS,
      identity: `p${who}`,
      sid: `PA_${who}`,
      region: regions[meeting % regions.length]!,
      participantsMax: 0,
      owner: 'bench',
    };
    return store.assign(request, () => ({ bridgeId }));
  };
}

const CREATE_AS = { roomSid: 'RM_bench' };

/** Microseconds each. */
async function measureJoins(each: Case, seconds: number, by: (store: Store, world: SetUp) => Join): Promise<number> {
  const world = setUp(each);
  const { bridges, chance } = world;
  const store = createMemoryStore(
    () => 0,
    () => chance.fraction(),
  );
  for (const { report } of bridges) await store.putBridge(report);
  const join = by(store, world);
  let next = 0;
  return timedAsync(seconds, async count => {
    for (let left = count; left > 0; left--) {
      const who = next++;
      const meeting = Math.floor(who / MEETING_SIZE);
      await join(who, meeting);
      // A report now and then, so that the estimate does not fill every bridge; and meetings end.
      if (who % 20 === 0) await store.putBridge(bridges[(who / 20) % bridges.length]!.report);
      if (who % MEETING_SIZE === 0 && meeting > 1_000) await endMeeting(store, meeting - 1_000);
    }
  });
}

async function endMeeting(store: Store, meeting: number): Promise<void> {
  const room = `room-${meeting}`;
  const conference = await store.conference(room);
  if (conference !== undefined) await store.closeConference(room, conference.conferenceId);
}

function setUp({ bridges: count, regions: regionCount, policy }: Case) {
  const chance = new Chance(1);
  const fleet = createFleet(Math.max(count, WORLD.length), chance);
  const regions = WORLD.slice(0, regionCount).map(({ name }) => name);
  const bridges = [...fleet.bridges.values()].slice(0, count).map((bridge, index): BridgeRecord => {
    bridge.endpoints = chance.below(400);
    const report = reportOf(bridge, 0, chance);
    const peer = { ...report.peer, region: regions[index % regions.length]! };
    return { bridgeId: bridge.id, report: { ...report, peer }, reportedAtMs: 0, placedSinceReport: 0 };
  });
  const settings: PlacementSettings = { ...placementDefaults(), ...policy };
  return { settings, distances: createRegionDistances(WORLD), bridges, regions, chance };
}

const BATCH = 200;

/**
 * Microseconds of CPU each, all threads of the process, garbage collection among them: what one core could do, whatever else the machine does. Over all
 * batches but those of the warm-up.
 */
function timed(seconds: number, run: (count: number) => void): number {
  const meter = new CpuMeter(seconds);
  while (meter.isRunning()) {
    run(BATCH);
    meter.count(BATCH);
  }
  return meter.usEach;
}

async function timedAsync(seconds: number, run: (count: number) => Promise<void>): Promise<number> {
  const meter = new CpuMeter(seconds);
  while (meter.isRunning()) {
    await run(BATCH);
    meter.count(BATCH);
  }
  return meter.usEach;
}

/** Runs for so many seconds of CPU, after half a second of warm-up. */
class CpuMeter {
  readonly #us: number;
  #before: NodeJS.CpuUsage;
  #isWarm = false;
  #count = 0;

  constructor(seconds: number) {
    this.#us = seconds * 1e6;
    this.#before = process.cpuUsage();
  }

  get usEach(): number {
    return this.#elapsedUs / this.#count;
  }

  isRunning(): boolean {
    if (!this.#isWarm && this.#elapsedUs > WARM_UP_US) {
      this.#isWarm = true;
      this.#before = process.cpuUsage();
      this.#count = 0;
    }
    return !this.#isWarm || this.#count === 0 || this.#elapsedUs < this.#us;
  }

  count(more: number): void {
    this.#count += more;
  }

  get #elapsedUs(): number {
    const { user, system } = process.cpuUsage(this.#before);
    return user + system;
  }
}

const WARM_UP_US = 500_000;

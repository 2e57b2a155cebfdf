/** One case of the placement benchmark: bridges, a policy, and what is done on them again and again. Each participant is of a meeting of ten in its own region. */
import { createFocusMetrics } from '../../focus/metrics.ts';
import { chooseBridge, type PlacementSettings } from '../../focus/placement/choose-bridge.ts';
import { createPlacements } from '../../focus/placement/placements.ts';
import type { Policy } from '../../focus/placement/policy.ts';
import { createRegionDistances } from '../../focus/placement/region-distance.ts';
import { BridgePool } from '../../focus/store/bridge-pool.ts';
import { createMemoryStore } from '../../focus/store/memory-store.ts';
import { BridgeView, IndexedView } from '../../focus/store/redis/bridge-view.ts';
import type { BridgeRecord, PlacementView, Store } from '../../focus/store/store.ts';
import { uint32 } from '../simulate/draws.ts';
import { createFleet, reportOf } from '../simulate/fleet.ts';
import { placementDefaults } from '../simulate/placement-defaults.ts';
import { WORLD } from '../simulate/regions.ts';
import { Chance } from '../soak/chance.ts';
import { cpuUsEach, type Work } from './cpu-meter.ts';

const MEETING_SIZE = 10;

export interface Case {
  readonly name: string;
  readonly bridges: number;
  readonly policy: Partial<Policy>;
  /** All bridges in so many regions; the world's twenty, or one to see what a region's size costs. */
  readonly regions: number;
  /** Choices alone, on the view of a focus with Redis. */
  readonly isRedisView: boolean;
}

/** Microseconds of CPU each; `placementUs` and `floorUs` are undefined for the view of Redis. */
export interface CaseCost {
  readonly decisionUs: number;
  readonly placementUs: number | undefined;
  readonly floorUs: number | undefined;
}

/** What `seconds` of CPU for each of its parts say. */
export async function measureCase(each: Case, seconds: number): Promise<CaseCost> {
  const works = each.isRedisView
    ? [choosingOnView(each)]
    : [choosing(each), await joining(each, placing), await joining(each, reservingOnly)];
  const [decisionUs, placementUs, floorUs] = await cpuUsEach(works, seconds);
  return { decisionUs: decisionUs!, placementUs, floorUs };
}

/** The bridge that was chosen carries one more each time, as in a store. */
function choosing(each: Case): Work {
  const { settings, distances, bridges, regions } = setUp(each);
  const index = new BridgePool(bridges);
  let draw = 0;
  return count => {
    for (let left = count; left > 0; left--) {
      const view: PlacementView = { atMs: 0, bridges, inConference: NOBODY, index };
      const region = regions[draw % regions.length]!;
      const { bridgeId } = chooseBridge(view, region, settings, distances, draw++);
      const chosen = index.find(bridgeId!)!;
      // Back to nothing after a while, as reports do.
      index.put({ ...chosen, placedSinceReport: (chosen.placedSinceReport + 1) % 20 });
    }
  };
}

/** Choices that are on their way to the store at any time. */
const ON_THEIR_WAY = 50;

/** As a focus with Redis chooses: a choice is expected until the store has answered, and then counted. */
function choosingOnView(each: Case): Work {
  const { settings, distances, bridges, regions } = setUp(each);
  const known = new BridgeView();
  for (const { report } of bridges) known.reported(0, report);
  const onTheirWay: (() => void)[] = [];
  let draw = 0;
  return count => {
    for (let left = count; left > 0; left--) {
      const region = regions[draw % regions.length]!;
      const view = new IndexedView(0, known.index(0, true), NOBODY);
      const { bridgeId } = chooseBridge(view, region, settings, distances, draw++);
      const answered = known.expect(bridgeId!);
      onTheirWay.push(() => {
        answered();
        known.placedHere(bridgeId!);
      });
      if (onTheirWay.length > ON_THEIR_WAY) onTheirWay.shift()!();
      if (draw % 20 === 0) known.reported(0, bridges[(draw / 20) % bridges.length]!.report);
    }
  };
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

/** Bridges in a store, and people who come and go by `by`. */
async function joining(each: Case, by: (store: Store, world: SetUp) => Join): Promise<Work> {
  const set = setUp(each);
  const { bridges, chance } = set;
  const store = createMemoryStore(
    () => 0,
    () => chance.fraction(),
  );
  for (const { report } of bridges) await store.putBridge(report);
  const join = by(store, set);
  let next = 0;
  return async count => {
    for (let left = count; left > 0; left--) {
      const who = next++;
      const meeting = Math.floor(who / MEETING_SIZE);
      await join(who, meeting);
      // A report now and then, so that the estimate does not fill every bridge; and meetings end.
      if (who % 20 === 0) await store.putBridge(bridges[(who / 20) % bridges.length]!.report);
      if (who % MEETING_SIZE === 0 && meeting > 1_000) await endMeeting(store, meeting - 1_000);
    }
  };
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

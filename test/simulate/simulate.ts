/** One deployment lives through the simulated time: virtual clock, seeded people, production placement. */
import { createFocusMetrics } from '../../focus/metrics.ts';
import type { PlacementSettings } from '../../focus/placement/choose-bridge.ts';
import { createPlacements } from '../../focus/placement/placements.ts';
import { createMemoryStore } from '../../focus/store/memory-store.ts';
import { Chance } from '../soak/chance.ts';
import { Agenda, type AgendaActions } from './agenda.ts';
import { Attendance, type AttendanceTotals } from './attendance.ts';
import { flashCrowd, MEETING_MINUTES, type Meeting, meeting, startRates } from './demand.ts';
import type { Deployment } from './deployments.ts';
import { poisson, uint32 } from './draws.ts';
import { createFleet } from './fleet.ts';
import { FLASH_CROWD_AT, IncidentRunner, type Incidents } from './incidents.ts';
import { joinsAfterSecondsOf } from './person.ts';
import { type Figures, imbalance, overloadedShare, Quality } from './quality.ts';
import { WORLD } from './regions.ts';
import type { RoundTrips } from './round-trips.ts';

export interface SimulationOptions {
  readonly seed: number;
  /** In meetings at the world's busiest hour. */
  readonly participants: number;
  readonly bridges: number;
  readonly hours: number;
  /** UTC, 0 to 24. */
  readonly startHour: number;
  readonly settings: PlacementSettings;
  readonly incidents: Incidents;
}

/** One moment in the life of a deployment. */
export interface Moment {
  /** Since the beginning of the measured time. */
  readonly hour: number;
  readonly people: number;
  readonly imbalance: number;
  readonly overloadedShare: number;
  readonly inRegionShare: number;
  readonly peopleRttMsMean: number;
  readonly interRegionBps: number;
}

export interface Result {
  readonly deployment: string;
  readonly figures: Figures;
  readonly totals: AttendanceTotals;
  readonly imbalanceMean: number;
  readonly overloadedShareMax: number;
  readonly peopleMax: number;
  /** CPU time of the deployment, all threads: whatever else the machine does. */
  readonly cpuMs: number;
  /** Resident, of the whole process, deployments before this one among it. */
  readonly memoryPeakBytes: number;
  readonly moments: readonly Moment[];
}

/** The network fills for so long before it is measured. */
const FILL_SECONDS = 600;
const MOMENT_SECONDS = 300;
const PROGRESS_MS = 10_000;

export async function simulate(
  options: SimulationOptions,
  deployment: Deployment,
  roundTrips: RoundTrips,
  progress: (line: string) => void,
): Promise<Result> {
  const { seed, hours, settings, incidents } = options;
  let nowMs = 0;
  const cpuBefore = process.cpuUsage();
  const cpuMs = () => {
    const { user, system } = process.cpuUsage(cpuBefore);
    return (user + system) / 1000;
  };
  // Each of its own: what one deployment draws changes nothing for the people of another.
  const [people, fleetChance, lookChance, placementChance] = [1, 2, 3, 4].map(part => new Chance(seed * 8 + part));
  const store = createMemoryStore(
    () => nowMs,
    () => placementChance!.fraction(),
  );
  const placements = createPlacements({
    store,
    settings,
    distances: roundTrips.distances,
    focusId: 'simulated',
    metrics: createFocusMetrics(),
    uint32: () => uint32(placementChance!),
  });
  const fleet = createFleet(options.bridges, fleetChance!);
  const attendance = new Attendance(placements, store, fleet, deployment);
  const seconds = Math.round(hours * 3600);
  const runner = new IncidentRunner(incidents, { fleet, store, attendance, startSecond: FILL_SECONDS, seconds });
  const agenda = new Agenda();
  const total = new Quality(roundTrips.ms, lookChance!);
  let lately = new Quality(roundTrips.ms, lookChance!);

  function hold(held: Meeting): void {
    for (const [index, person] of held.people.entries()) {
      const second = held.startSecond + joinsAfterSecondsOf(person);
      if (second < held.endSecond) agenda.join(second, held, index);
    }
    const middle = Math.max(FILL_SECONDS, Math.floor((held.startSecond + held.endSecond) / 2));
    if (middle < held.endSecond) agenda.look(middle, held);
    agenda.end(held.endSecond, held);
  }

  const actions: AgendaActions = {
    join: (held, index) => attendance.join(held, index, nowMs),
    look(held) {
      const seating = attendance.seating(held);
      if (seating === undefined) return;
      total.look(seating, held.endSecond - held.startSecond);
      lately.look(seating, held.endSecond - held.startSecond);
    },
    end: held => attendance.end(held),
  };

  let saidAtMs = performance.now();
  function say(second: number): void {
    saidAtMs = performance.now();
    const minutes = `${Math.floor(Math.max(0, second - FILL_SECONDS) / 60)} of ${Math.round(seconds / 60)} min`;
    const done = `${attendance.people.toLocaleString('en-US')} people, ${attendance.totals.placements.toLocaleString('en-US')} placements`;
    progress(
      `${deployment.name}: ${second < FILL_SECONDS ? 'filling' : minutes}, ${done}, ${Math.round(cpuMs() / 1000)} s of CPU`,
    );
  }

  let nextId = 0;
  const moments: Moment[] = [];
  // Twice: a bridge has its turn every other second, and nobody joins before all are known.
  fleet.report(store, nowMs);
  fleet.report(store, nowMs);
  for (let second = 0; second < FILL_SECONDS + seconds; second++) {
    nowMs = second * 1000;
    fleet.report(store, nowMs);
    await runner.step(second);
    const isFilling = second < FILL_SECONDS;
    const utcHours = options.startHour + Math.max(0, second - FILL_SECONDS) / 3600;
    // Lengths of meetings have no memory: those under way at the beginning are like new ones.
    const speed = isFilling ? (MEETING_MINUTES * 60) / FILL_SECONDS : 1;
    for (const [region, rate] of startRates(options.participants, utcHours).entries()) {
      for (let left = poisson(people!, rate * speed); left > 0; left--) {
        hold(meeting(people!, nextId++, region, second, utcHours));
      }
    }
    if (incidents.flashCrowd > 0 && second === FILL_SECONDS + Math.floor(FLASH_CROWD_AT * seconds)) {
      hold(flashCrowd(people!, nextId++, crowdRegion(), incidents.flashCrowd, second));
    }
    await agenda.carryOut(second, actions);
    if (performance.now() - saidAtMs > PROGRESS_MS) say(second);
    if (!isFilling && second % MOMENT_SECONDS === MOMENT_SECONDS - 1) {
      moments.push(momentOf((second - FILL_SECONDS) / 3600, attendance, fleet.bridges.values().toArray(), lately));
      lately = new Quality(roundTrips.ms, lookChance!);
    }
  }
  say(FILL_SECONDS + seconds);
  return {
    deployment: deployment.name,
    figures: total.figures(),
    totals: attendance.totals,
    imbalanceMean: moments.reduce((sum, moment) => sum + moment.imbalance, 0) / Math.max(1, moments.length),
    overloadedShareMax: Math.max(0, ...moments.map(moment => moment.overloadedShare)),
    peopleMax: Math.max(0, ...moments.map(moment => moment.people)),
    cpuMs: cpuMs(),
    memoryPeakBytes: process.resourceUsage().maxRSS * 1024,
    moments,
  };
}

function momentOf(
  hour: number,
  attendance: Attendance,
  bridges: Parameters<typeof imbalance>[0],
  lately: Quality,
): Moment {
  const figures = lately.figures();
  const bytes = figures.relayedInterRegionBytes + figures.accessInterRegionBytes;
  return {
    hour,
    people: attendance.people,
    imbalance: imbalance(bridges),
    overloadedShare: overloadedShare(bridges),
    inRegionShare: figures.inRegionShare,
    peopleRttMsMean: figures.peopleRttMsMean,
    interRegionBps: (bytes * 8) / MOMENT_SECONDS,
  };
}

/** Where audiences are large. */
function crowdRegion(): number {
  return WORLD.findIndex(({ name }) => name === 'eu-central');
}

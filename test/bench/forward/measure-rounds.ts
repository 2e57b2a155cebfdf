/**
 * The heart of a measurement: rounds in which each datapath's bridge and the floor have their turn, so that what the machine does meanwhile happens to all of them.
 */
import type { BenchRun, DatapathName, Measured, Side } from './bench-run.ts';
import { burstsOf, burstWaitMs } from './floor-lap.ts';
import { capacityOf, coresOf, costOf, median } from './packet-cost.ts';

/** Share of a core that a bridge is given to do while its cost is measured: busy, and not yet losing anything. */
const BUSY_SHARE = 0.7;
/** The generator has a core too, and about this many packets a second go through it. */
const OUT_PPS_MAX = 300_000;
/** In and out together, for the first look at what a bridge can do. */
const FIRST_PPS = 6_000;
/** A stream needs some packets to be measured at all, and no publisher is a hundred times as fast as life. */
const SPEED_MIN = 0.02;
const SPEED_MAX = 60;

export interface Effort {
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  /** Loads, at the most, until it is known at which speed the bridge is busy. */
  readonly warmUpsMax: number;
  readonly floorSeconds: number;
  /** Packets a second to subscribers at which costs are taken; without it, whatever keeps the bridge busy. */
  readonly offeredPps?: Readonly<Record<DatapathName, number>>;
  /** How often more is offered until a bridge is full. */
  readonly fullAttempts: number;
}

export interface MeasureOptions {
  readonly datapaths: readonly DatapathName[];
  readonly effort: Effort;
  readonly progress: (line: string) => void;
}

/** µs per packet. `total` is crypto and send: the parts that a bridge is built of. */
export interface FloorFigures {
  readonly packetsPerSecond: number;
  readonly send: number;
  readonly segmentedSend: number;
  readonly crypto: number;
  readonly total: number;
  readonly segmentedTotal: number;
  /** Packets that the generator took, in the worst turn: what a full receiver lets fall is cheaper to send. */
  readonly arrivedShare: number;
  /** What packets wait for those before them in the same frame, at `total` each: latency cannot be below. */
  readonly burstWaitMs: { readonly p50: number; readonly p99: number };
}

/** One datapath under measurement. */
export interface Subject {
  readonly side: Side;
  /** Bytes per endpoint, with what it publishes. */
  readonly endpointBytes: number;
  /** Bytes in use before anybody was subscribed. */
  readonly unsubscribedBytes: number;
  /** How fast its media is played in the rounds. */
  busySpeed: number;
  /** Packets out per second of CPU, as known by now. */
  capacityPps: number;
  readonly rounds: Measured[];
}

export interface Rounds {
  readonly subjects: readonly Subject[];
  /** Null where there are no batched system calls to make it of. */
  readonly floor: FloorFigures | null;
}

/** Connects all, warms up, and plays the rounds. Throws Error when no datapath works here. */
export async function measureRounds(run: BenchRun, options: MeasureOptions): Promise<Rounds> {
  const { effort, progress } = options;
  const subjects = await openSubjects(run, options);
  const floor = new Floor(run, progress);
  for (let round = 0; round < effort.rounds; round++) {
    progress(`${run.benchCase.name}: round ${round + 1} of ${effort.rounds}`);
    for (const subject of subjects) {
      subject.rounds.push(await run.measure(subject.side, subject.busySpeed, effort.seconds));
    }
    const speed = Math.max(...subjects.map(({ busySpeed }) => busySpeed));
    await floor.measure(Math.min(OUT_PPS_MAX, speed * run.rate.outPps), effort.floorSeconds);
  }
  for (const subject of subjects) {
    subject.capacityPps = 1_000_000 / median(subject.rounds.map(({ bridges }) => costOf(bridges).totalUs));
  }
  return { subjects, floor: floor.figures() };
}

/** How fast to play the media so that the bridge is busy for `share` of its core. */
export function speedFor(run: BenchRun, { capacityPps }: Subject, share: number): number {
  const pps = Math.min(OUT_PPS_MAX, capacityPps * share);
  return boundSpeed(pps / run.rate.outPps);
}

function boundSpeed(speed: number): number {
  return Math.min(SPEED_MAX, Math.max(SPEED_MIN, speed));
}

async function openSubjects(
  run: BenchRun,
  { datapaths, effort, progress }: MeasureOptions,
): Promise<readonly Subject[]> {
  const subjects: Subject[] = [];
  for (const datapath of datapaths) {
    try {
      subjects.push(await openSubject(run, datapath, effort));
    } catch (error) {
      progress(`${run.benchCase.name}: not measured on ${datapath}: ${(error as Error).message.split('\n')[0]}`);
    }
  }
  if (subjects.length === 0) throw new Error('no datapath works here');
  return subjects;
}

async function openSubject(run: BenchRun, datapath: DatapathName, effort: Effort): Promise<Subject> {
  const side = await run.start(datapath);
  await run.rehearse(side, effort.warmUpSeconds);
  const emptyBytes = await run.usedBytes(side);
  await run.connect(side);
  // Publishers first, for what they take is theirs and not their subscribers'.
  await run.measure(side, Math.min(1, FIRST_PPS / run.rate.inPps), effort.warmUpSeconds);
  const unsubscribedBytes = await run.usedBytes(side);
  await run.subscribe(side);
  const subject: Subject = {
    side,
    endpointBytes: (unsubscribedBytes - emptyBytes) / run.endpoints,
    unsubscribedBytes,
    busySpeed: 0,
    capacityPps: (FIRST_PPS * run.rate.outPps) / (run.rate.inPps + run.rate.outPps),
    rounds: [],
  };
  await warmUp(run, subject, effort);
  await run.settle(side);
  return subject;
}

/**
 * Finds the speed at which the bridge is busy, load by load: code that is new costs many times what it will, and a bridge that is busier spends less on each
 * packet. From then on the speed stays, for costs at different speeds do not compare.
 */
async function warmUp(
  run: BenchRun,
  subject: Subject,
  { warmUpSeconds, warmUpsMax, offeredPps }: Effort,
): Promise<void> {
  const fixedPps = offeredPps?.[subject.side.datapath];
  subject.busySpeed = boundSpeed((fixedPps ?? subject.capacityPps) / run.rate.outPps);
  for (let attempt = 1; attempt <= warmUpsMax; attempt++) {
    const measured = await run.measure(subject.side, subject.busySpeed, warmUpSeconds);
    subject.capacityPps = capacityOf(measured.bridges);
    if (fixedPps !== undefined && attempt === WARM_UPS_MIN) return;
    const missing = BUSY_SHARE / coresOf(measured);
    if (attempt >= WARM_UPS_MIN && missing > 1 / BUSY_TOLERANCE && missing < BUSY_TOLERANCE) return;
    const speed = subject.busySpeed * Math.min(STEP_MAX, Math.max(1 / STEP_MAX, missing));
    if (fixedPps === undefined) subject.busySpeed = boundSpeed(Math.min(speed, OUT_PPS_MAX / run.rate.outPps));
  }
}

const WARM_UPS_MIN = 2;
const BUSY_TOLERANCE = 1.2;
const STEP_MAX = 2.5;

const FLOOR_MODES = ['send', 'segmented', 'crypto'] as const;

/** The floor of one case, a turn at a time. */
export class Floor {
  readonly #run: BenchRun;
  readonly #progress: (line: string) => void;
  readonly #costs = { send: [] as number[], segmented: [] as number[], crypto: [] as number[] };
  #works = process.platform === 'linux';
  #packetsPerSecond = 0;
  #arrivedShare = 1;

  constructor(run: BenchRun, progress: (line: string) => void) {
    this.#run = run;
    this.#progress = progress;
  }

  /** A turn of each mode. Says once, as progress, when there is nothing to make it of. */
  async measure(packetsPerSecond: number, seconds: number): Promise<void> {
    this.#packetsPerSecond = packetsPerSecond;
    for (const mode of FLOOR_MODES) {
      if (!this.#works) return;
      try {
        const floor = await this.#run.measureFloor(mode, packetsPerSecond, seconds);
        this.#costs[mode].push((floor.userUs + floor.systemUs) / floor.packets);
        this.#arrivedShare = Math.min(this.#arrivedShare, floor.arrivedShare);
      } catch (error) {
        this.#works = false;
        this.#progress(`no floor: ${(error as Error).message.split('\n')[0]}`);
      }
    }
  }

  figures(): FloorFigures | null {
    if (!this.#works) return null;
    const [send, segmentedSend, crypto] = FLOOR_MODES.map(mode => median(this.#costs[mode]));
    const total = send + crypto;
    return {
      packetsPerSecond: Math.round(this.#packetsPerSecond),
      send,
      segmentedSend,
      crypto,
      total,
      segmentedTotal: segmentedSend + crypto,
      arrivedShare: this.#arrivedShare,
      burstWaitMs: burstWaitMs(burstsOf(this.#run.benchCase.plan()), total),
    };
  }
}

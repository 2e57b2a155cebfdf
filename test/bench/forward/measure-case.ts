/** One case, measured: what a packet costs while the bridge is busy, then latency at half load, and what it does when there is too much. */
import { percentile } from '../statistics.ts';
import { BenchRun, type DatapathName, type Measured } from './bench-run.ts';
import type { ForwardCase } from './cases.ts';
import { processorTime, stolenShareSince } from './io/stolen-time.ts';
import {
  type Effort,
  type FloorFigures,
  type MeasureOptions,
  measureRounds,
  type Subject,
  speedFor,
} from './measure-rounds.ts';
import {
  addUp,
  capacityOf,
  coresOf,
  costOf,
  generatorDroppedShareOf,
  lostShareOf,
  outOf,
  type PacketCost,
  sum,
} from './packet-cost.ts';

const HALF_SHARE = 0.5;
/** More than it can do. */
const FULL_SHARE = 1.4;
const FULL_LOST_SHARE = 0.01;
/** All of its thread, nearly. */
const FULL_CORES = 0.97;

export const FULL_EFFORT: Effort = {
  rounds: 5,
  seconds: 3,
  warmUpSeconds: 2,
  warmUpsMax: 8,
  floorSeconds: 1.5,
  fullAttempts: 3,
};
export const QUICK_EFFORT: Effort = {
  rounds: 3,
  seconds: 1,
  warmUpSeconds: 0.8,
  warmUpsMax: 4,
  floorSeconds: 0.4,
  fullAttempts: 1,
};

export interface DatapathFigures {
  /** While the bridge is busy: the median round. */
  readonly busy: {
    /** How much faster than life the media was played. */
    readonly speed: number;
    readonly inPps: number;
    readonly outPps: number;
    readonly cores: number;
    /** What the load generator used meanwhile: near 1, it was the limit. */
    readonly generatorCores: number;
    readonly cost: PacketCost;
    readonly lostShare: number;
    /** The part of the loss that is the generator's: its own receive buffer was full. */
    readonly generatorDroppedShare: number;
    /** Datagrams of publishers that the bridge's receive buffer had no room for, retransmissions included. */
    readonly bridgeDropped: number;
    readonly recovered: number;
    readonly gcPauseP999Ms: number;
    readonly gcPauses: number;
  };
  readonly halfLoad: {
    readonly outPps: number;
    readonly p50Ms: number;
    readonly p99Ms: number;
    readonly lostShare: number;
  };
  /** Offered more than it can do. */
  readonly saturated: {
    readonly offeredPps: number;
    readonly outPps: number;
    readonly cores: number;
    readonly lostShare: number;
  };
  readonly memory: { readonly kbPerEndpoint: number; readonly kbPerSubscription: number };
  /** Packets decrypted and compared with what was sent; one in `sampleEvery`. */
  readonly verified: number;
  readonly sampleEvery: number;
  /** Packets that were not what was sent: by what was wrong. Empty is right. */
  readonly faults: Readonly<Record<string, number>>;
  /** What the bridge threw away, by reason. */
  readonly dropped: Readonly<Record<string, number>>;
}

export interface CaseFigures {
  readonly name: string;
  readonly summary: string;
  readonly endpoints: number;
  readonly subscriptions: number;
  /** Mean payload of what goes out. */
  readonly payloadBytes: number;
  readonly generator: { readonly kind: string; readonly clock: string };
  readonly fast: DatapathFigures | null;
  readonly portable: DatapathFigures | null;
  readonly floor: FloorFigures | null;
  readonly ratios: Ratios;
  /** Share of the processors' time that other machines on the same host had meanwhile; null where the kernel does not tell. Pauses and the tail of latencies are theirs too. */
  readonly stolenShare: number | null;
}

export interface Ratios {
  readonly fastToFloor: number | null;
  readonly fastToSegmentedFloor: number | null;
  readonly fastToPortable: number | null;
  readonly portableToFloor: number | null;
}

/** Measures one case; processes of its own, which have ended when this returns. */
export async function measureCase(benchCase: ForwardCase, options: MeasureOptions): Promise<CaseFigures> {
  const run = new BenchRun(benchCase, options.progress);
  const timeBefore = processorTime();
  try {
    const { subjects, floor } = await measureRounds(run, options);
    const figures = new Map<DatapathName, DatapathFigures>();
    for (const subject of subjects) figures.set(subject.side.datapath, await finish(run, subject, options.effort));
    return {
      name: benchCase.name,
      summary: benchCase.summary,
      endpoints: run.endpoints,
      subscriptions: run.subscriptions,
      payloadBytes: Math.round(run.rate.payloadBytes),
      generator: await run.describeGenerator(),
      fast: figures.get('fast') ?? null,
      portable: figures.get('portable') ?? null,
      floor,
      ratios: ratiosOf(subjects, floor),
      stolenShare: stolenShareSince(timeBefore),
    };
  } finally {
    await run.close();
  }
}

/** The case's ratios alone: rounds, and nothing after them. */
export async function measureRatios(benchCase: ForwardCase, options: MeasureOptions): Promise<Ratios> {
  const run = new BenchRun(benchCase, options.progress);
  try {
    const { subjects, floor } = await measureRounds(run, options);
    return ratiosOf(subjects, floor);
  } finally {
    await run.close();
  }
}

function ratiosOf(subjects: readonly Subject[], floor: FloorFigures | null): Ratios {
  const usOf = (name: DatapathName) => {
    const subject = subjects.find(({ side }) => side.datapath === name);
    return subject === undefined ? undefined : costOf(middleOf(subject).bridges).totalUs;
  };
  const [fast, portable] = [usOf('fast'), usOf('portable')];
  return {
    fastToFloor: ratio(fast, floor?.total),
    fastToSegmentedFloor: ratio(fast, floor?.segmentedTotal),
    fastToPortable: ratio(fast, portable),
    portableToFloor: ratio(portable, floor?.total),
  };
}

async function finish(run: BenchRun, subject: Subject, effort: Effort): Promise<DatapathFigures> {
  const { side, rounds } = subject;
  const half = await run.measure(side, speedFor(run, subject, HALF_SHARE), effort.seconds);
  const subscribedBytes = (await run.usedBytes(side)) - subject.unsubscribedBytes;
  const full = await saturate(run, subject, effort);
  const all = [...rounds, half, full];
  const middle = middleOf(subject);
  const pauses = rounds.flatMap(({ bridges }) => bridges.flatMap(({ gcPausesMs }) => gcPausesMs));
  return {
    busy: {
      speed: subject.busySpeed,
      inPps: Math.round(sum(middle.bridges, ({ rtpIn }) => rtpIn) / middle.load.seconds),
      outPps: Math.round(outOf(middle.bridges) / middle.load.seconds),
      cores: coresOf(middle),
      generatorCores: middle.load.cpu,
      cost: costOf(middle.bridges),
      lostShare: lostShareOf(rounds),
      generatorDroppedShare: generatorDroppedShareOf(rounds),
      bridgeDropped: sum(rounds, ({ load }) => load.bridgeDropped),
      recovered: sum(rounds, ({ load }) => load.recovered),
      gcPauseP999Ms: pauses.length === 0 ? 0 : percentile(pauses, 0.999),
      gcPauses: pauses.length,
    },
    halfLoad: {
      outPps: Math.round(outOf(half.bridges) / half.load.seconds),
      p50Ms: half.load.latencyUs.p50 / 1_000,
      p99Ms: half.load.latencyUs.p99 / 1_000,
      lostShare: lostShareOf([half]),
    },
    saturated: {
      offeredPps: Math.round((full.load.sent / full.load.seconds) * (run.rate.outPps / run.rate.inPps)),
      // What was queued when the load ended went out after it, and does not count as done in time.
      outPps: Math.round(outOf(full.bridges) / full.load.seconds / Math.max(1, coresOf(full))),
      cores: coresOf(full),
      lostShare: lostShareOf([full]),
    },
    memory: {
      kbPerEndpoint: subject.endpointBytes / 1_024,
      kbPerSubscription: subscribedBytes / 1_024 / Math.max(1, run.subscriptions),
    },
    verified: sum(all, ({ load }) => load.verified),
    sampleEvery: Math.max(...all.map(({ load }) => load.sampleEvery)),
    faults: addUp(all.map(({ load }) => load.faults)),
    dropped: addUp([...rounds, half].flatMap(({ bridges }) => bridges.map(({ dropped }) => dropped))),
  };
}

/** The round of median cost. */
function middleOf({ rounds }: Subject): Measured {
  const byCost = rounds.toSorted((a, b) => costOf(a.bridges).totalUs - costOf(b.bridges).totalUs);
  return byCost[Math.floor((byCost.length - 1) / 2)];
}

/** Offers more than the bridge can do; more again while it could: a bridge that is busier spends less on each packet. */
async function saturate(run: BenchRun, subject: Subject, effort: Effort): Promise<Measured> {
  for (let attempt = 1; ; attempt++) {
    const measured = await run.measure(subject.side, speedFor(run, subject, FULL_SHARE), effort.seconds);
    const isFull = lostShareOf([measured]) > FULL_LOST_SHARE || coresOf(measured) > FULL_CORES;
    if (isFull || attempt === effort.fullAttempts) return measured;
    subject.capacityPps = Math.max(subject.capacityPps, capacityOf(measured.bridges));
  }
}

function ratio(cost: number | undefined, base: number | undefined): number | null {
  return cost === undefined || base === undefined ? null : cost / base;
}

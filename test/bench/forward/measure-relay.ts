/**
 * The relay case: what one more packet over a link costs, beside one more packet to a client. The first bridge has all cameras, and its CPU time is taken with nobody
 * watching, with two clients of its own, and with two other bridges watching: the same packets come in, as many go out. What it costs more, over what left more, is the
 * price of a packet. Clients' packets leave in runs too; what a client's packet costs that leaves alone is told by the floor.
 */
import { BenchRun, type BridgeUse, type DatapathName, type Measured, type Side } from './bench-run.ts';
import type { ForwardCase } from './cases.ts';
import { Floor, type FloorFigures, type MeasureOptions } from './measure-rounds.ts';
import { addUp, coresOf, lostShareOf, median, sum } from './packet-cost.ts';

/**
 * Of one core, what the generator and the other bridges are given to do: on a machine of two they share it. The first bridge, on the other, is then about as busy. A link costs
 * least when the other end is awake: with less to do than this, each run of packets wakes a processor.
 */
const BUSY_SHARE = 0.85;
const FIRST_OUT_PPS = 16_000;
const STEP_MAX = 2;
const CALIBRATIONS = 4;

export interface RelayFigures {
  /** µs of the first bridge per packet in from a client: decryption, statistics, history. */
  readonly ingressUs: number;
  /** µs of the first bridge per packet to a client of its own. */
  readonly clientHopUs: number;
  /** µs of the first bridge per packet over a link. */
  readonly linkHopUs: number;
  /** µs of another bridge per packet that came over a link and went to one client. */
  readonly linkToClientUs: number;
  readonly linkToClientHop: number;
  /** The same over what bare encryption and a bare, single send cost in the same run: a client's packet that leaves alone. Null without a floor. */
  readonly linkToSingleSend: number | null;
  readonly relayedPps: number;
  readonly lostShare: number;
  /** From the publisher over a link to the subscriber, at half the load. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly verified: number;
  readonly faults: Readonly<Record<string, number>>;
}

export interface RelayCaseFigures {
  readonly name: string;
  readonly summary: string;
  readonly endpoints: number;
  readonly generator: { readonly kind: string; readonly clock: string };
  readonly fast: RelayFigures | null;
  readonly portable: RelayFigures | null;
  readonly floor: FloorFigures | null;
  readonly ratios: { readonly fastToPortable: number | null; readonly linkToClientHop: number | null };
}

/** One round: the same media three times. */
interface Round {
  readonly nobody: Measured;
  readonly clients: Measured;
  readonly links: Measured;
}

interface Subject {
  readonly side: Side;
  speed: number;
  readonly rounds: Round[];
}

export async function measureRelay(benchCase: ForwardCase, options: MeasureOptions): Promise<RelayCaseFigures> {
  const run = new BenchRun(benchCase, options.progress);
  try {
    return await measure(run, options);
  } finally {
    await run.close();
  }
}

async function measure(run: BenchRun, { datapaths, effort, progress }: MeasureOptions): Promise<RelayCaseFigures> {
  const { name, summary } = run.benchCase;
  const generator = await run.describeGenerator();
  const subjects: Subject[] = [];
  for (const datapath of datapaths) {
    let side: Side;
    try {
      side = await run.start(datapath);
      await run.connect(side);
    } catch (error) {
      progress(`${name}: not measured on ${datapath}: ${(error as Error).message.split('\n')[0]}`);
      continue;
    }
    subjects.push({ side, speed: await calibrate(run, side, effort.warmUpSeconds), rounds: [] });
  }
  if (subjects.length === 0) throw new Error('no datapath works here');
  const floor = new Floor(run, progress);
  const fastest = Math.max(...subjects.map(({ speed }) => speed));
  for (let round = 0; round < effort.rounds; round++) {
    progress(`${name}: round ${round + 1} of ${effort.rounds}`);
    for (const subject of subjects) subject.rounds.push(await playRound(run, subject, effort.seconds));
    await floor.measure(2 * run.rate.inPps * fastest, effort.floorSeconds);
  }
  const floorFigures = floor.figures();
  const figuresOf = async (datapath: DatapathName) => {
    const subject = subjects.find(({ side }) => side.datapath === datapath);
    if (subject === undefined) return null;
    // Since the last round it is the far ones that watch.
    const half = await run.measure(subject.side, subject.speed / 2, effort.seconds);
    return figures(subject, half, floorFigures);
  };
  const [fast, portable] = [await figuresOf('fast'), await figuresOf('portable')];
  return {
    name,
    summary,
    endpoints: run.endpoints,
    generator,
    fast,
    portable,
    floor: floorFigures,
    ratios: {
      fastToPortable: fast === null || portable === null ? null : fast.linkHopUs / portable.linkHopUs,
      linkToClientHop: (fast ?? portable)?.linkToClientHop ?? null,
    },
  };
}

/** The speed at which two links keep the machine busy. More than once: code that is new costs many times what it will, and who is busier spends less on each packet. */
async function calibrate(run: BenchRun, side: Side, seconds: number): Promise<number> {
  const { own } = watchersOf(run);
  await run.subscribe(side, own);
  let speed = FIRST_OUT_PPS / run.rate.outPps;
  for (let attempt = 0; attempt < CALIBRATIONS; attempt++) {
    const measured = await run.measure(side, speed, seconds);
    const [first, ...others] = measured.bridges;
    const share = Math.max(
      coresOf({ ...measured, bridges: [first] }),
      coresOf({ ...measured, bridges: others }) + measured.load.cpu,
    );
    speed *= Math.min(STEP_MAX, Math.max(1 / STEP_MAX, BUSY_SHARE / share));
  }
  return speed;
}

/** Endpoints that watch, by their places in the plan: two on the first bridge, one on each of the others. */
function watchersOf(run: BenchRun): { own: number[]; far: number[] } {
  const first = run.endpoints - 4;
  return { own: [first, first + 1], far: [first + 2, first + 3] };
}

async function playRound(run: BenchRun, { side, speed }: Subject, seconds: number): Promise<Round> {
  const { own, far } = watchersOf(run);
  const play = async (without: readonly number[]) => {
    await run.subscribe(side, without);
    // Wants travel to the first bridge, and a key frame has to come, before the rate is steady.
    await run.measure(side, speed, SETTLE_SECONDS);
    return run.measure(side, speed, seconds);
  };
  return {
    nobody: await play([...own, ...far]),
    clients: await play(far),
    links: await play(own),
  };
}

const SETTLE_SECONDS = 0.5;

function figures({ rounds }: Subject, half: Measured, floor: FloorFigures | null): RelayFigures {
  const costs = rounds.map(hopCosts);
  const links = rounds.map(round => round.links);
  const middle = links[Math.floor(links.length / 2)];
  const of = (name: keyof ReturnType<typeof hopCosts>) => median(costs.map(cost => cost[name]));
  return {
    ingressUs: of('ingressUs'),
    clientHopUs: of('clientHopUs'),
    linkHopUs: of('linkHopUs'),
    linkToClientUs: of('linkToClientUs'),
    linkToClientHop: of('linkHopUs') / of('clientHopUs'),
    linkToSingleSend: floor === null ? null : of('linkHopUs') / floor.total,
    relayedPps: Math.round(middle.bridges[0].relayedOut / middle.load.seconds),
    lostShare: lostShareOf(links),
    p50Ms: half.load.latencyUs.p50 / 1_000,
    p99Ms: half.load.latencyUs.p99 / 1_000,
    verified: sum(links, ({ load }) => load.verified),
    faults: addUp(links.map(({ load }) => load.faults)),
  };
}

function hopCosts({ nobody, clients, links }: Round) {
  const ingressUs = cpuUs(nobody.bridges[0]) / Math.max(1, nobody.bridges[0].rtpIn);
  const above = (use: BridgeUse, packets: number) => (cpuUs(use) - ingressUs * use.rtpIn) / Math.max(1, packets);
  const [first, second, third] = links.bridges;
  return {
    ingressUs,
    clientHopUs: above(clients.bridges[0], clients.bridges[0].rtpOut),
    linkHopUs: above(first, first.relayedOut),
    linkToClientUs: (cpuUs(second) + cpuUs(third)) / Math.max(1, second.rtpOut + third.rtpOut),
  };
}

function cpuUs({ userUs, systemUs }: BridgeUse): number {
  return userUs + systemUs;
}

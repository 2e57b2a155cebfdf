/**
 * The relay case: what one more packet over a link costs, beside one more packet to a client. The first bridge has all cameras, and its CPU time is taken with nobody
 * watching, with one client of its own, and with both other bridges watching; what it costs more, over what left more, is the price of a packet.
 */
import { BenchRun, type BridgeUse, type DatapathName, type Measured, type Side } from './bench-run.ts';
import type { ForwardCase } from './cases.ts';
import type { MeasureOptions } from './measure-rounds.ts';
import { addUp, costOf, lostShareOf, median, sum } from './packet-cost.ts';

/** Of one core, all three bridges together: they and the generator share the machine. */
const BUSY_SHARE = 0.9;
const FIRST_OUT_PPS = 4_000;
const OUT_PPS_MAX = 60_000;

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
  readonly relayedPps: number;
  readonly lostShare: number;
  /** From the publisher over a link to the subscriber. */
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
  readonly ratios: { readonly fastToPortable: number | null; readonly linkToClientHop: number | null };
}

/** One round: the same media three times. */
interface Round {
  readonly nobody: Measured;
  readonly client: Measured;
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
  for (let round = 0; round < effort.rounds; round++) {
    progress(`${name}: round ${round + 1} of ${effort.rounds}`);
    for (const subject of subjects) subject.rounds.push(await playRound(run, subject, effort.seconds));
  }
  const figuresOf = (datapath: DatapathName) => {
    const subject = subjects.find(({ side }) => side.datapath === datapath);
    return subject === undefined ? null : figures(subject);
  };
  const [fast, portable] = [figuresOf('fast'), figuresOf('portable')];
  return {
    name,
    summary,
    endpoints: run.endpoints,
    generator,
    fast,
    portable,
    ratios: {
      fastToPortable: fast === null || portable === null ? null : fast.linkHopUs / portable.linkHopUs,
      linkToClientHop: (fast ?? portable)?.linkToClientHop ?? null,
    },
  };
}

/** The speed at which everybody watching keeps the bridges busy. Twice: a bridge that is busier spends less on each packet. */
async function calibrate(run: BenchRun, side: Side, seconds: number): Promise<number> {
  await run.subscribe(side);
  let outPps = FIRST_OUT_PPS;
  for (let attempt = 0; attempt < 2; attempt++) {
    const { bridges } = await run.measure(side, outPps / run.rate.outPps, seconds);
    outPps = Math.min(OUT_PPS_MAX, (BUSY_SHARE * 1_000_000) / costOf(bridges).totalUs);
  }
  return outPps / run.rate.outPps;
}

async function playRound(run: BenchRun, { side, speed }: Subject, seconds: number): Promise<Round> {
  const [own, second, third] = [run.endpoints - 3, run.endpoints - 2, run.endpoints - 1];
  const play = async (without: readonly number[]) => {
    await run.subscribe(side, without);
    // Wants travel to the first bridge, and a key frame has to come, before the rate is steady.
    await run.measure(side, speed, SETTLE_SECONDS);
    return run.measure(side, speed, seconds);
  };
  return {
    nobody: await play([own, second, third]),
    client: await play([second, third]),
    links: await play([own]),
  };
}

const SETTLE_SECONDS = 0.5;

function figures({ rounds }: Subject): RelayFigures {
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
    relayedPps: Math.round(middle.bridges[0].relayedOut / middle.load.seconds),
    lostShare: lostShareOf(links),
    p50Ms: middle.load.latencyUs.p50 / 1_000,
    p99Ms: middle.load.latencyUs.p99 / 1_000,
    verified: sum(links, ({ load }) => load.verified),
    faults: addUp(links.map(({ load }) => load.faults)),
  };
}

function hopCosts({ nobody, client, links }: Round) {
  const ingressUs = cpuUs(nobody.bridges[0]) / Math.max(1, nobody.bridges[0].rtpIn);
  const above = (use: BridgeUse, packets: number) => (cpuUs(use) - ingressUs * use.rtpIn) / Math.max(1, packets);
  const [first, second, third] = links.bridges;
  return {
    ingressUs,
    clientHopUs: above(client.bridges[0], client.bridges[0].rtpOut),
    linkHopUs: above(first, first.relayedOut),
    linkToClientUs: (cpuUs(second) + cpuUs(third)) / Math.max(1, second.rtpOut + third.rtpOut),
  };
}

function cpuUs({ userUs, systemUs }: BridgeUse): number {
  return userUs + systemUs;
}

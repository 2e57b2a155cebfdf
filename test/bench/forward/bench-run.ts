/** The processes of one case: the load generator, the bridges of each datapath, and the floor; and single measurements on them. */
import { fileURLToPath } from 'node:url';
import { type ForwardCase, REHEARSAL } from './cases.ts';
import { sinksOf } from './floor-lap.ts';
import type { LoadResult } from './generator.ts';
import type { BridgeHandlers, BridgeSnapshot } from './io/bridge-process.ts';
import { Child } from './io/child.ts';
import { canPlace, type Place } from './io/cores.ts';
import type { FloorHandlers, FloorMode } from './io/floor-process.ts';
import type { GeneratorHandlers } from './io/generator-process.ts';
import type { BridgeAddress } from './stage.ts';
import { rateOf, streamsOf } from './traffic.ts';

export type DatapathName = 'fast' | 'portable';

/** What one load cost one bridge. */
export interface BridgeUse {
  readonly userUs: number;
  readonly systemUs: number;
  readonly rtpIn: number;
  readonly rtpOut: number;
  readonly relayedIn: number;
  readonly relayedOut: number;
  readonly gcPausesMs: readonly number[];
  /** What the bridge threw away, by reason, where it is not 0. */
  readonly dropped: Readonly<Record<string, number>>;
}

export interface Measured {
  readonly load: LoadResult;
  readonly bridges: readonly BridgeUse[];
}

/** One datapath's bridges. */
export interface Side {
  readonly datapath: DatapathName;
  readonly bridges: readonly Child<BridgeHandlers>[];
  readonly addresses: readonly BridgeAddress[];
}

const NOTHING = undefined as never;

export class BenchRun {
  readonly benchCase: ForwardCase;
  /** At the media's own speed. */
  readonly rate: ReturnType<typeof rateOf>;
  readonly endpoints: number;
  readonly subscriptions: number;
  readonly #progress: (line: string) => void;
  readonly #generator: Child<GeneratorHandlers>;
  #floor: Child<FloorHandlers> | undefined;
  #sinks: readonly { address: string; port: number }[] | undefined;
  readonly #children: Child<never>[] = [];

  constructor(benchCase: ForwardCase, progress: (line: string) => void) {
    const plan = benchCase.plan();
    this.benchCase = benchCase;
    this.rate = rateOf(streamsOf(plan));
    this.endpoints = plan.endpoints.length;
    this.subscriptions = plan.endpoints.reduce(
      (sum, { subscriptions }) => sum + subscriptions.filter(({ isEnabled }) => isEnabled).length,
      0,
    );
    this.#progress = progress;
    this.#generator = this.#fork<GeneratorHandlers>('generator', 'generator-process.ts', 'others');
  }

  describeGenerator() {
    return this.#generator.call('describe', NOTHING);
  }

  /** Starts the bridges of a datapath. The first is the one that is measured. Rejects when it does not work here. */
  async start(datapath: DatapathName): Promise<Side> {
    const bridges = Array.from({ length: this.benchCase.plan().bridges }, (_, index) =>
      this.#fork<BridgeHandlers>(
        `${datapath} bridge ${index + 1}`,
        'bridge-process.ts',
        index === 0 ? 'measured' : 'others',
        { CAUSEWAY_DATAPATH: datapath },
      ),
    );
    const addresses = await Promise.all(
      bridges.map((bridge, index) => bridge.call('start', { bridgeId: `${datapath}-${index + 1}` })),
    );
    return { datapath, bridges, addresses };
  }

  /** Has a few endpoints come, talk and leave: what a bridge takes once, however many there are, it has then taken. */
  async rehearse({ datapath, addresses }: Side, seconds: number): Promise<void> {
    const stage = `${datapath} rehearsal`;
    await this.#generator.call('connect', { stage, caseName: REHEARSAL.name, bridges: addresses });
    await this.#generator.call('subscribe', { stage, without: [] });
    await this.#generator.call('load', { stage, seconds, speed: 1, expectedPps: 1, spins: false });
    await this.#generator.call('leave', { stage });
  }

  /** Connects all endpoints of the case, without subscriptions. */
  async connect({ datapath, addresses }: Side): Promise<void> {
    const { name } = this.benchCase;
    this.#progress(`${name}: connecting ${this.endpoints} endpoints to the ${datapath} bridge`);
    await this.#generator.call('connect', { stage: datapath, caseName: name, bridges: addresses });
  }

  /** Puts the case's subscriptions; endpoints in `without` (their places in the plan) get none of theirs. */
  async subscribe({ datapath }: Side, without: readonly number[] = []): Promise<void> {
    await this.#generator.call('subscribe', { stage: datapath, without });
  }

  /** Bytes in use in all bridges, after a full collection. */
  async usedBytes({ bridges }: Side): Promise<number> {
    const used = await Promise.all(bridges.map(bridge => bridge.call('memory', NOTHING)));
    return used.reduce((sum, { usedBytes }) => sum + usedBytes, 0);
  }

  /** Lets the bridges put away what connecting and warming up has left. */
  async settle({ bridges }: Side): Promise<void> {
    await Promise.all(bridges.map(bridge => bridge.call('settle', NOTHING)));
  }

  /** Plays the media at `speed` times its own for `seconds`, and says what that cost. */
  async measure(side: Side, speed: number, seconds: number): Promise<Measured> {
    const before = await snapshots(side.bridges, 'counted');
    const expectedPps = this.rate.outPps * speed;
    // With more than one bridge the generator is not alone on its cores.
    const spins = canPlace && side.bridges.length === 1;
    const load = await this.#generator.call('load', { stage: side.datapath, seconds, speed, expectedPps, spins });
    const after = await snapshots(side.bridges, 'cpu');
    return { load, bridges: after.map((snapshot, index) => useBetween(before[index], snapshot)) };
  }

  /** The floor at `packetsPerSecond` for `seconds`. Rejects where there are no batched system calls to make it of. */
  async measureFloor(mode: FloorMode, packetsPerSecond: number, seconds: number) {
    const { name, plan } = this.benchCase;
    this.#sinks ??= await this.#generator.call('sinks', { count: sinksOf(plan()) });
    this.#floor ??= this.#fork<FloorHandlers>('floor', 'floor-process.ts', 'measured');
    const straysBefore = await this.#generator.call('strays', NOTHING);
    const result = await this.#floor.call('run', {
      caseName: name,
      mode,
      seconds,
      packetsPerSecond,
      sinks: this.#sinks,
    });
    const arrived = (await this.#generator.call('strays', NOTHING)) - straysBefore;
    return { ...result, arrivedShare: result.sent === 0 ? 1 : arrived / result.sent };
  }

  async close(): Promise<void> {
    // The generator first: it says goodbye, and bridges that are gone would not hear it.
    for (const child of this.#children) await child.close();
  }

  #fork<H extends BridgeHandlers | FloorHandlers | GeneratorHandlers>(
    name: string,
    file: string,
    place: Place,
    env: Record<string, string> = {},
  ): Child<H> {
    const path = fileURLToPath(new URL(`io/${file}`, import.meta.url));
    const child = new Child<H>(name, path, place, this.#progress, env);
    this.#children.push(child as unknown as Child<never>);
    return child;
  }
}

function snapshots(bridges: readonly Child<BridgeHandlers>[], first: 'counted' | 'cpu'): Promise<BridgeSnapshot[]> {
  return Promise.all(bridges.map(bridge => bridge.call('snapshot', { first })));
}

function useBetween(before: BridgeSnapshot, after: BridgeSnapshot): BridgeUse {
  const grown = (name: string) => (after.counted[name] ?? 0) - (before.counted[name] ?? 0);
  const dropped = Object.keys(after.counted)
    .filter(name => (name.startsWith('dropped ') || name === 'port_dropped_packets') && grown(name) > 0)
    .map(name => [name, grown(name)] as const);
  return {
    userUs: after.userUs - before.userUs,
    systemUs: after.systemUs - before.systemUs,
    rtpIn: grown('rtp_in_packets'),
    rtpOut: grown('rtp_out_packets'),
    relayedIn: grown('relayed_in_packets'),
    relayedOut: grown('relayed_out_packets'),
    gcPausesMs: after.gcPausesMs,
    dropped: Object.fromEntries(dropped),
  };
}

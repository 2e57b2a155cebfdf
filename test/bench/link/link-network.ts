/** Bridges in processes of their own, a bad network between them, and who plays their clients. */
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Network, startNetwork } from '../../../infra/local/network.ts';
import { DEVELOPMENT_CONTROL_SECRET } from '../../../protocol/control/development-secret.ts';
import { MeshProxy } from '../../wan/io/mesh-proxy.ts';
import type { PathSettings } from '../../wan/path-settings.ts';
import { ControlClient } from '../forward/control-client.ts';
import type { BridgeHandlers, BridgeSnapshot } from '../forward/io/bridge-process.ts';
import { Child, type Handlers } from '../forward/io/child.ts';
import type { BridgeAddress } from '../forward/stage.ts';
import type { PeopleHandlers } from './io/people-process.ts';
import type { PlayerHandlers } from './io/player-process.ts';

const LOOPBACK = '127.0.0.1';
const REGIONS = ['eu', 'us', 'ap'];
const REGISTRATION_MS_MAX = 10_000;
const POLL_MS = 5;
const LINKS_UP_MS_MAX = 10_000;

export interface LinkNetworkPlan {
  readonly bridges: 2 | 3;
  readonly seed: number;
  /** Of every path, both ways. */
  readonly settings: Partial<PathSettings>;
  /** Bridges register with a focus, for clients that join by it. */
  readonly hasFocus?: boolean;
  readonly progress: (line: string) => void;
}

interface BridgeUnderTest {
  child: Child<BridgeHandlers>;
  address: BridgeAddress;
  control: ControlClient;
}

export class LinkNetwork {
  readonly mesh: MeshProxy;
  readonly #plan: LinkNetworkPlan;
  readonly #focus: Network | undefined;
  readonly #bridges: BridgeUnderTest[] = [];
  readonly #children: { close(): Promise<void> }[] = [];

  private constructor(plan: LinkNetworkPlan, mesh: MeshProxy, focus: Network | undefined) {
    this.#plan = plan;
    this.mesh = mesh;
    this.#focus = focus;
  }

  /** Starts everything, or nothing stays. */
  static async start(plan: LinkNetworkPlan): Promise<LinkNetwork> {
    const standIns = Array.from({ length: plan.bridges }, () => ({ host: LOOPBACK, port: 0 }));
    const mesh = await MeshProxy.open({ standIns, seed: plan.seed, forth: plan.settings, back: plan.settings });
    const focus = plan.hasFocus === true ? await startFocus(plan.bridges) : undefined;
    const network = new LinkNetwork(plan, mesh, focus);
    try {
      await Promise.all(standIns.map((_, place) => network.startBridge(place)));
      if (focus !== undefined) await untilRegistered(focus, plan.bridges);
      return network;
    } catch (error) {
      await network.close();
      throw error;
    }
  }

  get addresses(): readonly BridgeAddress[] {
    return this.#bridges.map(({ address }) => address);
  }

  /** Where an SDK connects to be served by the bridge at `place`. */
  joinUrl(place: number): string {
    if (this.#focus === undefined) throw new Error('this network has no focus');
    return `${this.#focus.pageUrl.replace(/^http/, 'ws').replace(/\/$/, '')}/region/${REGIONS[place]}`;
  }

  /** Starts the bridge of a place, for the first time or again; resolves when its control API answers. */
  async startBridge(place: number): Promise<void> {
    const bridgeId = `${REGIONS[place]}-1`;
    const child = this.#fork<BridgeHandlers>(`bridge ${bridgeId}`, '../forward/io/bridge-process.ts');
    const flags = {
      region: REGIONS[place],
      host: REGIONS[place],
      'octo.advertised_port': this.mesh.standIn(place).port,
      'focus.urls': this.#focus === undefined ? [] : [this.#focus.focusUrl],
    };
    const { octoPort, ...address } = await child.call('start', { bridgeId, flags });
    this.mesh.attach(place, { host: LOOPBACK, port: octoPort });
    this.#bridges[place] = { child, address, control: new ControlClient(address.controlUrl, address.secret) };
  }

  killBridge(place: number): Promise<void> {
    return this.#bridges[place].child.kill();
  }

  startPlayer(): Child<PlayerHandlers> {
    return this.#fork<PlayerHandlers>('player', 'io/player-process.ts');
  }

  startPeople(): Child<PeopleHandlers> {
    return this.#fork<PeopleHandlers>('clients', 'io/people-process.ts');
  }

  /** What the bridge at `from` says of its link to the one at `to`. Undefined: it has none. */
  async link(from: number, to: number): Promise<LinkView | undefined> {
    const links = await this.#bridges[from].control.links();
    return links.find(({ bridgeId }) => bridgeId === this.#bridges[to].address.bridgeId) as LinkView | undefined;
  }

  snapshot(place: number): Promise<BridgeSnapshot> {
    return this.#bridges[place].child.call('snapshot', { first: 'counted' });
  }

  memory(place: number): Promise<{ readonly usedBytes: number; readonly rssBytes: number }> {
    return this.#bridges[place].child.call('memory', undefined as never);
  }

  /** Resolves when both ends of each pair call their link up. */
  async untilUp(...pairs: readonly (readonly [number, number])[]): Promise<void> {
    const isUp = async (from: number, to: number) => (await this.link(from, to))?.state === 'up';
    await until('links are up', LINKS_UP_MS_MAX, async () => {
      const ends = await Promise.all(pairs.flatMap(([a, b]) => [isUp(a, b), isUp(b, a)]));
      return ends.every(Boolean);
    });
  }

  async close(): Promise<void> {
    // Those who play clients first: they say goodbye, and bridges that are gone would not hear it.
    for (const child of [...this.#children].reverse()) await child.close();
    await this.#focus?.close();
    await this.mesh.close();
  }

  #fork<H extends Handlers>(name: string, file: string): Child<H> {
    const path = fileURLToPath(new URL(file, import.meta.url));
    const child = new Child<H>(name, path, 'anywhere', this.#plan.progress);
    this.#children.push(child);
    return child;
  }
}

/** A link as the control API shows it: what the cases look at, and whatever else a bridge counts, by name. */
export interface LinkView {
  readonly state: string;
  readonly rttMs: number | null;
  readonly packetsIn: number;
  readonly packetsOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly handshakes: number;
  readonly [counter: string]: unknown;
}

/** What a link has counted between two looks at it, by name. */
export function grown(before: LinkView | undefined, after: LinkView | undefined, name: string): number {
  const value = (view: LinkView | undefined) => (typeof view?.[name] === 'number' ? (view[name] as number) : 0);
  return value(after) - value(before);
}

/** ms of the wall clock: the same in every process of this machine. */
export function wallMs(): number {
  return performance.timeOrigin + performance.now();
}

export async function until(what: string, withinMs: number, claim: () => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + withinMs;
  while (!(await claim())) {
    if (performance.now() > deadlineMs) throw new Error(`not within ${withinMs} ms: ${what}`);
    await pause(POLL_MS);
  }
}

/** A focus and a geo-proxy without bridges: those are processes of their own. */
function startFocus(regions: number): Promise<Network> {
  return startNetwork({
    regions: REGIONS.slice(0, regions),
    bridgesPerRegion: 0,
    portBase: 'free',
    focus: { 'control.secret': DEVELOPMENT_CONTROL_SECRET },
  });
}

async function untilRegistered(focus: Network, bridges: number): Promise<void> {
  await until('all bridges are registered', REGISTRATION_MS_MAX, async () => {
    const text = await (await fetch(`${focus.focusUrl}/metrics`)).text();
    const running = text.matchAll(/^causeway_focus_bridges\{[^}]*state="running"[^}]*\} (\d+)/gm);
    return [...running].reduce((sum, [, count]) => sum + Number(count), 0) >= bridges;
  });
}

/** A whole network of real processes on loopback: focuses behind a load balancer, bridges in regions, a real Redis. What scenarios hurt. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AccessToken, RoomServiceClient } from 'livekit-server-sdk';
import { freeBase } from '../../infra/local/free-base.fixture.ts';
import { API_KEY, API_SECRET } from '../e2e/client.ts';
import { eventually } from '../e2e/eventually.ts';
import { BridgeIsland } from './bridge-island.ts';
import { LoadBalancer } from './load-balancer.ts';
import { ServiceProcess } from './service-process.ts';
import { type SharedStore, type StoreKind, startStore } from './shared-store.ts';
import { treeOfVersion } from './version-tree.ts';

export interface BridgePlan {
  readonly bridgeId: string;
  readonly region: string;
  /** It says that it is of this version; absent: of the one it is. */
  readonly version?: string;
}

export interface DeploymentPlan {
  readonly focuses: number;
  readonly bridges: readonly BridgePlan[];
  readonly store?: StoreKind;
  /** Added to every round trip to a standalone store. */
  readonly storeRoundTripMs?: number;
  /** A bridge that can be cut off from everybody: all it sends and is sent goes through paths of the harness. */
  readonly cuttable?: string;
  /** More of every focus's configuration; dots are not paths here. */
  readonly focus?: Readonly<Record<string, unknown>>;
}

/** Node reads sources and starts: seconds on a machine with other work. */
const START_MS_MAX = 60_000;
const SECRET = 'a secret that only scenarios know, long enough';
/** Roughly where cloud providers have them, so that the nearest stands in for a region without a bridge. */
const PLACES: Readonly<Record<string, object>> = {
  eu: { lat: 50.1, lon: 8.7 },
  us: { lat: 39, lon: -77.5 },
  ap: { lat: 1.35, lon: 103.8 },
};
const PORTS_PER_BRIDGE = 3;

export class Deployment {
  readonly focuses: readonly ServiceProcess[];
  readonly bridges: ReadonlyMap<string, ServiceProcess>;
  readonly store: SharedStore;
  /** The bridge of `cuttable`, with the paths around it. */
  readonly island: BridgeIsland | undefined;
  readonly #focusPorts: readonly number[];
  #balancer: LoadBalancer | undefined;
  /** Of configurations and logs. */
  readonly folder: string;

  private constructor(parts: {
    focuses: readonly ServiceProcess[];
    bridges: ReadonlyMap<string, ServiceProcess>;
    store: SharedStore;
    island: BridgeIsland | undefined;
    focusPorts: readonly number[];
    folder: string;
  }) {
    this.focuses = parts.focuses;
    this.bridges = parts.bridges;
    this.store = parts.store;
    this.island = parts.island;
    this.#focusPorts = parts.focusPorts;
    this.folder = parts.folder;
  }

  /** Resolves when every focus is ready and knows every bridge. Rejects, with nothing left running, when that does not come to pass. */
  static async start(plan: DeploymentPlan): Promise<Deployment> {
    const folder = mkdtempSync(join(tmpdir(), 'causeway-scenario-'));
    const store = await startStore(plan.store ?? 'standalone', plan.storeRoundTripMs);
    const base = await freeBase(plan.focuses + PORTS_PER_BRIDGE * plan.bridges.length);
    const focusPorts = Array.from({ length: plan.focuses }, (_, index) => base + index);
    const bridgePorts = plan.bridges.map((_, index) => base + plan.focuses + PORTS_PER_BRIDGE * index);
    const cuttable = plan.bridges.findIndex(({ bridgeId }) => bridgeId === plan.cuttable);
    const island =
      cuttable < 0
        ? undefined
        : await BridgeIsland.open({
            focusPorts,
            bridgePorts: bridgePorts.map(portsOf),
            place: cuttable,
            secret: SECRET,
          });
    const regions = [...new Set(plan.bridges.map(({ region }) => region))].map(name => ({ name, ...PLACES[name] }));
    const focuses = focusPorts.map(
      (port, index) =>
        new ServiceProcess('focus', `focus-${index + 1}`, focusConfig(plan, index, port, regions, store), folder),
    );
    const bridges = plan.bridges.map(
      (bridge, index) =>
        new ServiceProcess(
          'bridge',
          bridge.bridgeId,
          { ...bridgeConfig(bridge, portsOf(bridgePorts[index]!), focusPorts), ...island?.configOf(index) },
          folder,
          bridge.version === undefined ? undefined : treeOfVersion(folder, bridge.version),
        ),
    );
    const byId = new Map(bridges.map(bridge => [bridge.name, bridge]));
    const deployment = new Deployment({ focuses, bridges: byId, store, island, focusPorts, folder });
    try {
      for (const service of [...focuses, ...bridges]) service.start();
      await deployment.isWhole();
      deployment.#balancer = new LoadBalancer(focusPorts);
      return deployment;
    } catch (error) {
      const logs = deployment.logTails();
      await deployment.close();
      throw new Error(`${(error as Error).message}\n${logs}`);
    }
  }

  focusUrl(index: number): string {
    return `http://127.0.0.1:${this.#focusPorts[index]}`;
  }

  /** Where a client in `region` connects to, through the load balancer. */
  clientUrl(region: string, favourite = 0): Promise<string> {
    return this.#balancer!.url(region, favourite);
  }

  /** Clients of that URL are in another region from their next connection on. */
  roam(region: string, to: string, favourite = 0): void {
    this.#balancer!.roam(region, favourite, to);
  }

  api(index = 0): RoomServiceClient {
    return new RoomServiceClient(this.focusUrl(index), API_KEY, API_SECRET);
  }

  /** An answer of a focus's admin API, as an operator gets it. */
  async ask<T>(
    path: string,
    { focus = 0, method = 'GET', body }: { focus?: number; method?: string; body?: unknown } = {},
  ): Promise<T> {
    const token = new AccessToken(API_KEY, API_SECRET, { identity: 'operator', ttl: 60 });
    token.addGrant({ roomList: true, roomCreate: true, roomAdmin: true });
    const response = await fetch(`${this.focusUrl(focus)}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${await token.toJwt()}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  /** The bridge that serves a participant, as the first focus that knows its room says. */
  async bridgeOf(room: string, identity: string): Promise<string | undefined> {
    for (const [index, focus] of this.focuses.entries()) {
      if (!focus.isRunning) continue;
      const { rooms } = await this.ask<RoomList>('/v1/rooms', { focus: index });
      const participants = rooms.find(({ name }) => name === room)?.participants;
      const found = participants?.find(participant => participant.identity === identity);
      if (found !== undefined) return found.bridge;
    }
    return undefined;
  }

  /** Status of a health route; undefined: no answer. */
  async health(path: '/healthz' | '/readyz', focus = 0): Promise<number | undefined> {
    const response = await fetch(`${this.focusUrl(focus)}${path}`, { signal: AbortSignal.timeout(3_000) }).catch(
      () => undefined,
    );
    await response?.body?.cancel();
    return response?.status;
  }

  /** The sum of a metric's samples whose labels have `labels` in them, over one focus; 0 when there are none. */
  async metric(name: string, focus = 0, labels = ''): Promise<number> {
    const text = await (await fetch(`${this.focusUrl(focus)}/metrics`)).text();
    const lines = text.split('\n').filter(line => line.startsWith(`${name}{`) && line.includes(labels));
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
  }

  /** Until all focuses and bridges that run know of each other. */
  async isWhole(): Promise<void> {
    const alive = [...this.bridges.values()].filter(({ isRunning }) => isRunning).map(({ name }) => name);
    for (const [index, focus] of this.focuses.entries()) {
      if (!focus.isRunning && focus.exitCode === undefined) continue;
      await eventually(`${focus.name} is ready and knows all bridges`, START_MS_MAX, async () => {
        this.#assertNobodyEnded();
        if ((await this.health('/readyz', index)) !== 200) return false;
        const { bridges } = await this.ask<BridgeList>('/v1/bridges', { focus: index });
        // That the store has one does not say that this focus hears it already.
        const running = bridges
          .filter(({ state, health }) => state === 'running' && health?.state === 'up')
          .map(({ bridgeId }) => bridgeId);
        return alive.every(bridgeId => running.includes(bridgeId));
      });
    }
  }

  /** As it was at its start, for another scenario: whoever has ended is started again, and all know of each other. */
  async restore(): Promise<void> {
    this.island?.mend();
    for (const service of [...this.focuses, ...this.bridges.values()]) if (!service.isRunning) service.start();
    await this.isWhole();
  }

  /** The end of every log, for a message of failure. */
  logTails(lines = 12): string {
    return [...this.focuses, ...this.bridges.values()]
      .map(service => `--- ${service.name}\n${service.log.trimEnd().split('\n').slice(-lines).join('\n')}`)
      .join('\n');
  }

  /** Ends all of it. The logs stay for who is to read them when `areLogsKept`. */
  async close({ areLogsKept = false } = {}): Promise<void> {
    this.#balancer?.close();
    await Promise.all([...this.focuses, ...this.bridges.values()].map(service => service.kill()));
    await this.island?.close();
    await this.store.close();
    if (!areLogsKept) rmSync(this.folder, { recursive: true, force: true });
  }

  #assertNobodyEnded(): void {
    const ended = [...this.focuses, ...this.bridges.values()].find(({ exitCode }) => exitCode !== undefined);
    if (ended !== undefined) throw new Error(`${ended.name} ended by itself with ${ended.exitCode}`);
  }
}

interface RoomList {
  readonly rooms: readonly {
    readonly name: string;
    readonly participants: readonly { readonly identity: string; readonly bridge: string }[];
  }[];
}

interface BridgeList {
  readonly bridges: readonly {
    readonly bridgeId: string;
    readonly state: string;
    readonly health?: { readonly state: string } | null;
  }[];
}

export interface BridgePorts {
  readonly control: number;
  readonly media: number;
  readonly octo: number;
}

function portsOf(first: number): BridgePorts {
  return { control: first, media: first + 1, octo: first + 2 };
}

function focusConfig(
  plan: DeploymentPlan,
  index: number,
  port: number,
  regions: readonly { readonly name: string }[],
  store: SharedStore,
): object {
  return {
    focus_id: `focus-${index + 1}`,
    port,
    bind_addresses: ['127.0.0.1'],
    development: true,
    keys: { [API_KEY]: API_SECRET },
    region: regions[0]!.name,
    regions,
    control: { secret: SECRET },
    redis: store.config,
    ...plan.focus,
  };
}

function bridgeConfig({ bridgeId, region }: BridgePlan, ports: BridgePorts, focusPorts: readonly number[]): object {
  return {
    bridge_id: bridgeId,
    region,
    // A machine each: what dies with one is one bridge.
    host: bridgeId,
    development: true,
    rtc: { udp_port: ports.media, bind_address: '127.0.0.1', node_ip: ['127.0.0.1'] },
    octo: { port: ports.octo, bind_address: '127.0.0.1', address: '127.0.0.1' },
    control: { port: ports.control, secret: SECRET },
    focus: { urls: focusPorts.map(focusPort => `http://127.0.0.1:${focusPort}`) },
    // Two bridges of a test share what cores there are with everything else: how busy they are says nothing.
    limits: { cpu: 100, event_loop_delay_ms: 10_000 },
  };
}

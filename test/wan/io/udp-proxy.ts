/**
 * A UDP proxy that impairs what passes, for anything that runs over UDP. Each path has a near side, which is usually many clients, and one far side, a
 * server; neither is told of the other's address, only of the proxy's:
 *
 *      near sides ---> nearFacing [ forth: PathModel ] farFacing ---> far
 *                 <---            [ back:  PathModel ]           <---
 *
 * A near side is learned from its first datagram and gets a far-facing port of its own, as a NAT would do it. If the plan names the near side, its
 * far-facing port is open from the start, so that either may speak first, and nobody else is let in. All of a path share its two directions.
 */
import type { RemoteInfo, Socket } from 'node:dgram';
import { PathModel } from '../path-model.ts';
import type { PathSettings } from '../path-settings.ts';
import type { Direction } from '../schedule.ts';
import {
  Departures,
  HOLD_LIMITS,
  type HoldLimits,
  type ImpairedPath,
  type ProxyCounters,
  proxyCounters,
} from './departures.ts';
import {
  type Address,
  addressOf,
  bind,
  checkAddresses,
  checkTarget,
  closeSocket,
  keyOf,
  openSocket,
} from './sockets.ts';

export interface PathPlan {
  /** Where the near side sends: it takes this for the far side's address. Port 0: a free one. */
  readonly nearFacing: Address;
  readonly far: Address;
  /** The only near side, with the address that the far side takes for it. */
  readonly near?: { readonly address: Address; readonly farFacing: Address };
  readonly seed: number;
  readonly forth?: Partial<PathSettings>;
  readonly back?: Partial<PathSettings>;
}

/** Near sides of one path. The one silent for longest makes room for a new one. */
const FLOWS_MAX = 256;

export class UdpProxy {
  readonly paths: readonly ProxiedPath[];
  readonly #departures: Departures;

  private constructor(plans: readonly PathPlan[], limits: HoldLimits) {
    this.#departures = new Departures(limits);
    this.paths = plans.map(plan => new ProxiedPath(plan, this.#departures));
  }

  /** Rejects, with nothing left open, when a plan is wrong (RangeError, SettingsError) or a port is taken. */
  static async open(plans: readonly PathPlan[], limits: HoldLimits = HOLD_LIMITS): Promise<UdpProxy> {
    for (const plan of plans) checkPlan(plan);
    const proxy = new UdpProxy(plans, limits);
    const opened = await Promise.allSettled(proxy.paths.map(path => path.open()));
    const failed = opened.find(({ status }) => status === 'rejected');
    if (failed === undefined) return proxy;
    await proxy.close();
    throw (failed as PromiseRejectedResult).reason;
  }

  /** What it holds now. */
  get held(): { readonly datagrams: number; readonly bytes: number } {
    return this.#departures.held;
  }

  /** What is under way is gone. */
  async close(): Promise<void> {
    this.#departures.close();
    await Promise.all(this.paths.map(path => path.close()));
  }
}

interface Flow {
  readonly near: Address;
  readonly socket: Socket;
}

export class ProxiedPath implements ImpairedPath {
  readonly #plan: PathPlan;
  readonly #departures: Departures;
  readonly #models: Readonly<Record<Direction, PathModel>>;
  readonly #counters: Readonly<Record<Direction, ProxyCounters>>;
  readonly #nearSocket: Socket;
  /** By near side's address, the one heard last at the end. */
  readonly #flows = new Map<string, Flow>();
  #isClosed = false;

  constructor(plan: PathPlan, departures: Departures) {
    this.#plan = plan;
    this.#departures = departures;
    const { seed, forth, back } = plan;
    // Far from the next path's seed and from each other.
    this.#models = { forth: new PathModel(seed, forth), back: new PathModel((seed ^ 0x5bd1e995) >>> 0, back) };
    this.#counters = { forth: proxyCounters(this.#models.forth), back: proxyCounters(this.#models.back) };
    this.#nearSocket = openSocket(plan.nearFacing);
    this.#nearSocket.on('message', (bytes, from) => this.#handleFromNear(bytes, from));
  }

  /** The proxy's: resolves when its ports are bound. */
  async open(): Promise<void> {
    const bound = [bind(this.#nearSocket, this.#plan.nearFacing)];
    if (this.#plan.near !== undefined) {
      const { address, farFacing } = this.#plan.near;
      bound.push(bind(this.#openFlow(address, farFacing).socket, farFacing));
    }
    const failed = (await Promise.allSettled(bound)).find(({ status }) => status === 'rejected');
    if (failed !== undefined) throw (failed as PromiseRejectedResult).reason;
    // A bound socket has nothing to say that the next datagram does not.
    this.#nearSocket.on('error', () => {});
  }

  /** Where the near side sends to. */
  get nearFacing(): Address {
    return addressOf(this.#nearSocket);
  }

  /** Where the far side sends to, of the near side heard last; undefined: none has spoken. */
  get farFacing(): Address | undefined {
    const last = [...this.#flows.values()].at(-1);
    return last === undefined ? undefined : addressOf(last.socket);
  }

  get flowCount(): number {
    return this.#flows.size;
  }

  settings(direction: Direction): PathSettings {
    return this.#models[direction].settings;
  }

  counters(direction: Direction): Readonly<ProxyCounters> {
    return this.#counters[direction];
  }

  /** For what comes from now on. Throws SettingsError. */
  change(direction: Direction, change: Partial<PathSettings>): void {
    this.#models[direction].change(change);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const sockets = [this.#nearSocket, ...[...this.#flows.values()].map(({ socket }) => socket)];
    await Promise.all(sockets.map(closeSocket));
  }

  #handleFromNear(bytes: Buffer, from: RemoteInfo): void {
    const flow = this.#flowOf(from);
    if (flow === undefined) this.#counters.forth.strangers++;
    else this.#pass('forth', bytes, flow.socket, this.#plan.far);
  }

  #handleFromFar(bytes: Buffer, from: RemoteInfo, near: Address): void {
    const { far } = this.#plan;
    if (from.address !== far.host || from.port !== far.port) this.#counters.back.strangers++;
    else this.#pass('back', bytes, this.#nearSocket, near);
  }

  #pass(direction: Direction, bytes: Uint8Array, socket: Socket, to: Address): void {
    this.#departures.pass(this.#models[direction], { socket, to, bytes, counters: this.#counters[direction] });
  }

  /** Undefined: the path is not for this sender. */
  #flowOf({ address, port }: RemoteInfo): Flow | undefined {
    const key = keyOf({ host: address, port });
    const known = this.#flows.get(key);
    if (this.#plan.near !== undefined) return known;
    if (known !== undefined) {
      this.#flows.delete(key);
      this.#flows.set(key, known);
      return known;
    }
    if (this.#flows.size >= FLOWS_MAX) this.#closeOldestFlow();
    const local = { host: this.#plan.nearFacing.host, port: 0 };
    const flow = this.#openFlow({ host: address, port }, local);
    // Until it is bound, what is sent on it waits inside the socket.
    bind(flow.socket, local).catch(() => this.#forget(key));
    return flow;
  }

  #openFlow(near: Address, local: Address): Flow {
    const socket = openSocket(local);
    const flow = { near, socket };
    socket.on('message', (bytes, from) => this.#handleFromFar(bytes, from, near));
    socket.on('error', () => {});
    this.#flows.set(keyOf(near), flow);
    return flow;
  }

  #closeOldestFlow(): void {
    const [key] = this.#flows.keys();
    this.#forget(key);
  }

  #forget(key: string): void {
    const flow = this.#flows.get(key);
    this.#flows.delete(key);
    if (flow !== undefined && !this.#isClosed) void closeSocket(flow.socket);
  }
}

function checkPlan({ nearFacing, far, near }: PathPlan): void {
  checkAddresses(nearFacing, far, ...(near === undefined ? [] : [near.address, near.farFacing]));
  for (const target of [far, ...(near === undefined ? [] : [near.address])]) checkTarget(target);
}

/**
 * A bad network between bridges that all talk to each other. Each bridge has a stand-in and announces its address; whatever comes to the stand-in of B from
 * bridge A goes through the path from A to B, and leaves by the stand-in of A: so B knows A by the address that it was told.
 *
 *      bridge A ---> stand-in of B [ A to B: PathModel ] stand-in of A ---> bridge B
 *               <--- stand-in of B [ B to A: PathModel ] stand-in of A <---
 *
 * Every direction of every pair has settings of its own. A bridge may come late, and come back at another port.
 */
import type { RemoteInfo, Socket } from 'node:dgram';
import { PathModel } from '../path-model.ts';
import type { PathSettings } from '../path-settings.ts';
import { DIRECTIONS, type Direction } from '../schedule.ts';
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

export interface MeshPlan {
  /** What the bridges announce, one each. Port 0: a free one. */
  readonly standIns: readonly Address[];
  /** Where the bridges are, in the same order; those that are not known yet are attached later. */
  readonly bridges?: readonly Address[];
  readonly seed: number;
  /** From a bridge to those after it. */
  readonly forth?: Partial<PathSettings>;
  /** From a bridge to those before it. */
  readonly back?: Partial<PathSettings>;
}

export const MESH_BRIDGES_MAX = 16;
/** Directions' seeds are so far apart. */
const SEED_STEP = 0x9e3779b9;

/** Both directions between two bridges: forth is from the one that comes first in the plan. */
export class MeshPath implements ImpairedPath {
  /** Places of the two in the plan, the lower first. */
  readonly ends: readonly [number, number];
  readonly models: Readonly<Record<Direction, PathModel>>;
  readonly #counters: Readonly<Record<Direction, ProxyCounters>>;

  constructor(ends: readonly [number, number], forth: PathModel, back: PathModel) {
    this.ends = ends;
    this.models = { forth, back };
    this.#counters = { forth: proxyCounters(forth), back: proxyCounters(back) };
  }

  settings(direction: Direction): PathSettings {
    return this.models[direction].settings;
  }

  counters(direction: Direction): ProxyCounters {
    return this.#counters[direction];
  }

  change(direction: Direction, change: Partial<PathSettings>): void {
    this.models[direction].change(change);
  }
}

export class MeshProxy {
  /** Of the first bridge with the second, the third, ..., then of the second with the third, ... */
  readonly paths: readonly MeshPath[];
  /** Datagrams of senders that are no bridge, or of a bridge to itself. */
  strangers = 0;
  /** Datagrams to a bridge of which nobody has said yet where it is. */
  unattached = 0;
  /** Hears of every datagram that one bridge sends to another, before it meets its path. The bytes are the proxy's. */
  tap: ((from: number, to: number, bytes: Uint8Array) => void) | undefined;
  readonly #plan: MeshPlan;
  readonly #sockets: readonly Socket[];
  readonly #bridges: (Address | undefined)[];
  readonly #placeOf = new Map<string, number>();
  readonly #departures: Departures;

  private constructor(plan: MeshPlan, limits: HoldLimits) {
    const { standIns, bridges = [] } = plan;
    this.#plan = plan;
    this.#departures = new Departures(limits);
    this.paths = pathsOf(plan);
    this.#bridges = standIns.map(() => undefined);
    for (const [place, address] of bridges.entries()) this.attach(place, address);
    this.#sockets = standIns.map((address, place) => {
      const socket = openSocket(address);
      socket.on('message', (bytes, from) => this.#handle(place, bytes, from));
      return socket;
    });
  }

  /** Rejects, with nothing left open, when the plan is wrong (RangeError, SettingsError) or a port is taken. */
  static async open(plan: MeshPlan, limits: HoldLimits = HOLD_LIMITS): Promise<MeshProxy> {
    checkPlan(plan);
    const proxy = new MeshProxy(plan, limits);
    const bound = await Promise.allSettled(proxy.#sockets.map((socket, place) => bind(socket, plan.standIns[place])));
    const failed = bound.find(({ status }) => status === 'rejected');
    if (failed === undefined) {
      // A bound socket has nothing to say that the next datagram does not.
      for (const socket of proxy.#sockets) socket.on('error', () => {});
      return proxy;
    }
    await proxy.close();
    throw (failed as PromiseRejectedResult).reason;
  }

  /** What the bridge at this place of the plan announces. */
  standIn(place: number): Address {
    return addressOf(this.#sockets[place]);
  }

  /** Says where the bridge at this place is, from now on. Throws RangeError. */
  attach(place: number, address: Address): void {
    checkAddresses(this.#plan.standIns[place], address);
    checkTarget(address);
    const before = this.#bridges[place];
    if (before !== undefined) this.#placeOf.delete(keyOf(before));
    this.#bridges[place] = address;
    this.#placeOf.set(keyOf(address), place);
  }

  /** The path of two bridges, and which of its directions leads from one to the other. */
  pathOf(from: number, to: number): { readonly path: MeshPath; readonly direction: Direction } {
    const path = this.paths.find(({ ends }) => ends.includes(from) && ends.includes(to));
    if (path === undefined || from === to) throw new RangeError(`no path from ${from} to ${to}`);
    return { path, direction: from < to ? 'forth' : 'back' };
  }

  /** For what goes from one bridge to another from now on. Throws SettingsError. */
  change(from: number, to: number, change: Partial<PathSettings>): void {
    const { path, direction } = this.pathOf(from, to);
    path.change(direction, change);
  }

  /** For all paths, both ways, from now on. Throws SettingsError. */
  changeAll(change: Partial<PathSettings>): void {
    for (const path of this.paths) for (const direction of DIRECTIONS) path.change(direction, change);
  }

  /** Sends to a bridge at once, past the path, as if it came from another one: what somebody can do who forges addresses. Rejects when the system refuses it. */
  async inject(from: number, to: number, datagrams: readonly Uint8Array[]): Promise<void> {
    const target = this.#bridges[to];
    if (target === undefined) throw new RangeError(`bridge ${to} is nowhere yet`);
    const socket = this.#sockets[from];
    const sent = datagrams.map(bytes => send(socket, bytes, target));
    await Promise.all(sent);
  }

  /** What it holds now. */
  get held(): { readonly datagrams: number; readonly bytes: number } {
    return this.#departures.held;
  }

  /** What is under way is gone. */
  async close(): Promise<void> {
    this.#departures.close();
    await Promise.all(this.#sockets.map(closeSocket));
  }

  #handle(to: number, bytes: Buffer, { address, port }: RemoteInfo): void {
    const from = this.#placeOf.get(keyOf({ host: address, port }));
    const target = this.#bridges[to];
    if (from === undefined || from === to) this.strangers++;
    else if (target === undefined) this.unattached++;
    else {
      this.tap?.(from, to, bytes);
      const { path, direction } = this.pathOf(from, to);
      const departure = { socket: this.#sockets[from], to: target, bytes, counters: path.counters(direction) };
      this.#departures.pass(path.models[direction], departure);
    }
  }
}

function send(socket: Socket, bytes: Uint8Array, { host, port }: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.send(bytes, port, host, error => (error === null ? resolve() : reject(error)));
  });
}

function pathsOf({ standIns, seed, forth, back }: MeshPlan): MeshPath[] {
  let directions = 0;
  const model = (settings: Partial<PathSettings> | undefined) =>
    new PathModel((seed + Math.imul(directions++, SEED_STEP)) >>> 0, settings);
  return standIns.flatMap((_, first) =>
    standIns.slice(first + 1).map((_, index) => new MeshPath([first, first + 1 + index], model(forth), model(back))),
  );
}

function checkPlan({ standIns, bridges = [] }: MeshPlan): void {
  if (standIns.length < 2 || standIns.length > MESH_BRIDGES_MAX) {
    throw new RangeError(`a mesh of ${standIns.length} bridges; allowed: 2 to ${MESH_BRIDGES_MAX}`);
  }
  if (bridges.length > standIns.length) {
    throw new RangeError(`${bridges.length} bridges with ${standIns.length} stand-ins; allowed: one stand-in for each`);
  }
  checkAddresses(...standIns, ...bridges);
  const keys = bridges.map(keyOf);
  const twice = bridges.find((bridge, index) => keys.indexOf(keyOf(bridge)) !== index);
  if (twice !== undefined) {
    throw new RangeError(`two bridges at ${keyOf(twice)}; allowed: an address for each`);
  }
}

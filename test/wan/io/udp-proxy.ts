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
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIP } from 'node:net';
import { DueQueue } from '../due-queue.ts';
import { type Outcome, type PathCounters, PathModel } from '../path-model.ts';
import type { PathSettings } from '../path-settings.ts';
import type { Direction } from '../schedule.ts';

export interface Address {
  /** An IP address: nothing is resolved. */
  readonly host: string;
  readonly port: number;
}

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

export interface ProxyCounters extends PathCounters {
  /** Datagrams put on a socket, duplicates included. */
  delivered: number;
  /** Dropped because the proxy already holds as much as it may. */
  overLimit: number;
  /** Of senders that the path is not for. */
  strangers: number;
  sendErrors: number;
}

/** Held by one proxy, over all of its paths: 60 s of delay at 1,000 datagrams a second. */
const DATAGRAMS_MAX = 65_536;
const BYTES_MAX = 64 * 1024 * 1024;
/** Near sides of one path. The one silent for longest makes room for a new one. */
const FLOWS_MAX = 256;
/** A burst must not be lost here before the model has seen it. The kernel may give less. */
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;
/** IPv4 and UDP; 20 more with IPv6 are not worth a setting. */
const HEADER_BYTES = 28;
/** Timers count in whole ms: what is due within half of one leaves now rather than half a ms late. */
const EARLY_MS_MAX = 0.5;

interface Departure {
  readonly socket: Socket;
  readonly to: Address;
  readonly bytes: Uint8Array;
  readonly counters: ProxyCounters;
}

export class UdpProxy {
  readonly paths: readonly ProxiedPath[];
  readonly #queue: DueQueue<Departure>;
  #timer: NodeJS.Timeout | undefined;
  #timerDueMs = Number.POSITIVE_INFINITY;
  #isClosed = false;

  private constructor(plans: readonly PathPlan[], limits: { datagramsMax: number; bytesMax: number }) {
    this.#queue = new DueQueue(limits.datagramsMax, limits.bytesMax);
    const submit: Submit = (departure, outcome) => this.#submit(departure, outcome);
    this.paths = plans.map(plan => new ProxiedPath(plan, submit));
  }

  /** Rejects, with nothing left open, when a plan is wrong (RangeError, SettingsError) or a port is taken. */
  static async open(
    plans: readonly PathPlan[],
    limits = { datagramsMax: DATAGRAMS_MAX, bytesMax: BYTES_MAX },
  ): Promise<UdpProxy> {
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
    return { datagrams: this.#queue.size, bytes: this.#queue.bytes };
  }

  /** What is under way is gone. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#queue.clear();
    await Promise.all(this.paths.map(path => path.close()));
  }

  #submit(departure: Departure, outcome: Outcome): void {
    if (outcome.kind === 'dropped' || this.#isClosed) return;
    for (const dueMs of outcome.leavesAtMs) {
      if (!this.#queue.push(dueMs, departure, departure.bytes.length)) departure.counters.overLimit++;
    }
    this.#release();
  }

  #release(): void {
    const untilMs = performance.now() + EARLY_MS_MAX;
    for (let next = this.#queue.shift(untilMs); next !== undefined; next = this.#queue.shift(untilMs)) deliver(next);
    const dueMs = this.#queue.nextDueMs;
    if (dueMs >= this.#timerDueMs || dueMs === Number.POSITIVE_INFINITY) return;
    clearTimeout(this.#timer);
    this.#timerDueMs = dueMs;
    const waitMs = Math.max(1, Math.round(dueMs - performance.now()));
    this.#timer = setTimeout(() => {
      this.#timerDueMs = Number.POSITIVE_INFINITY;
      this.#release();
    }, waitMs);
  }
}

type Submit = (departure: Departure, outcome: Outcome) => void;

interface Flow {
  readonly near: Address;
  readonly socket: Socket;
}

export class ProxiedPath {
  readonly #plan: PathPlan;
  readonly #submit: Submit;
  readonly #models: Readonly<Record<Direction, PathModel>>;
  readonly #counters: Readonly<Record<Direction, ProxyCounters>>;
  readonly #nearSocket: Socket;
  /** By near side's address, the one heard last at the end. */
  readonly #flows = new Map<string, Flow>();
  #isClosed = false;

  constructor(plan: PathPlan, submit: Submit) {
    this.#plan = plan;
    this.#submit = submit;
    const { seed, forth, back } = plan;
    // Far from the next path's seed and from each other.
    this.#models = { forth: new PathModel(seed, forth), back: new PathModel((seed ^ 0x5bd1e995) >>> 0, back) };
    this.#counters = { forth: countersOf(this.#models.forth), back: countersOf(this.#models.back) };
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
    const outcome = this.#models[direction].offer(performance.now(), bytes.length + HEADER_BYTES);
    this.#submit({ socket, to, bytes, counters: this.#counters[direction] }, outcome);
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
  const addresses = [nearFacing, far, ...(near === undefined ? [] : [near.address, near.farFacing])];
  for (const { host, port } of addresses) {
    if (isIP(host) === 0) throw new RangeError(`${host} is not an IP address; allowed: one like 127.0.0.1 or ::1`);
    if (!(Number.isInteger(port) && port >= 0 && port <= 65_535)) {
      throw new RangeError(`port ${port} of ${host}; allowed: a whole number from 0 to 65535`);
    }
    if (isIP(host) !== isIP(nearFacing.host)) {
      throw new RangeError(`${host} and ${nearFacing.host} are on one path; allowed: all IPv4 or all IPv6`);
    }
  }
  for (const { host, port } of [far, ...(near === undefined ? [] : [near.address])]) {
    if (port === 0)
      throw new RangeError(`port 0 of ${host}, which is sent to; allowed: a whole number from 1 to 65535`);
  }
}

/** The model's own counters, with the proxy's beside them in one object. */
function countersOf({ counters }: PathModel): ProxyCounters {
  return Object.assign(counters, { delivered: 0, overLimit: 0, strangers: 0, sendErrors: 0 });
}

/** Hosts are addresses: the name service is left out, and with it a turn of the event loop per datagram. */
function openSocket({ host }: Address): Socket {
  const family = isIP(host) as 4 | 6;
  return createSocket({
    type: family === 6 ? 'udp6' : 'udp4',
    recvBufferSize: RECEIVE_BUFFER_BYTES,
    lookup: (name, _options, callback) => callback(null, name, family),
  });
}

async function bind(socket: Socket, { host, port }: Address): Promise<void> {
  // Addresses are resolved at once, so that it may be bound before bind() returns.
  const listening = once(socket, 'listening');
  socket.bind({ address: host, port, exclusive: true });
  await listening;
}

function deliver({ socket, to, bytes, counters }: Departure): void {
  try {
    socket.send(bytes, to.port, to.host, error => {
      if (error === null) counters.delivered++;
      else counters.sendErrors++;
    });
  } catch {
    // The flow made room for another one while this was under way.
    counters.sendErrors++;
  }
}

async function closeSocket(socket: Socket): Promise<void> {
  const closed = once(socket, 'close');
  try {
    socket.close();
    await closed;
  } catch {
    // It never opened.
  }
}

function addressOf(socket: Socket): Address {
  const { address, port } = socket.address();
  return { host: address, port };
}

function keyOf({ host, port }: Address): string {
  return `${host} ${port}`;
}

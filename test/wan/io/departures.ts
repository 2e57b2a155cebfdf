/** What a proxy holds until it is due, and puts on its sockets then. */
import type { Socket } from 'node:dgram';
import { DueQueue } from '../due-queue.ts';
import type { PathCounters, PathModel } from '../path-model.ts';
import type { PathSettings } from '../path-settings.ts';
import type { Direction } from '../schedule.ts';
import type { Address } from './sockets.ts';

export interface ProxyCounters extends PathCounters {
  /** Datagrams put on a socket, duplicates included. */
  delivered: number;
  /** Dropped because the proxy already holds as much as it may. */
  overLimit: number;
  /** Of senders that the path is not for. */
  strangers: number;
  sendErrors: number;
}

/** What can be changed and looked at while a proxy runs. */
export interface ImpairedPath {
  settings(direction: Direction): PathSettings;
  counters(direction: Direction): Readonly<ProxyCounters>;
  /** For what comes from now on. Throws SettingsError. */
  change(direction: Direction, change: Partial<PathSettings>): void;
}

export interface HoldLimits {
  readonly datagramsMax: number;
  readonly bytesMax: number;
}

/** Held by one proxy, over all of its paths: 60 s of delay at 1,000 datagrams a second. */
export const HOLD_LIMITS: HoldLimits = { datagramsMax: 65_536, bytesMax: 64 * 1024 * 1024 };
/** IPv4 and UDP; 20 more with IPv6 are not worth a setting. */
const HEADER_BYTES = 28;
/** Timers count in whole ms: what is due within half of one leaves now rather than half a ms late. */
const EARLY_MS_MAX = 0.5;

export interface Departure {
  readonly socket: Socket;
  readonly to: Address;
  readonly bytes: Uint8Array;
  readonly counters: ProxyCounters;
}

/** The model's own counters, with the proxy's beside them in one object. */
export function proxyCounters({ counters }: PathModel): ProxyCounters {
  return Object.assign(counters, { delivered: 0, overLimit: 0, strangers: 0, sendErrors: 0 });
}

export class Departures {
  readonly #queue: DueQueue<Departure>;
  #timer: NodeJS.Timeout | undefined;
  #timerDueMs = Number.POSITIVE_INFINITY;
  #isClosed = false;

  constructor({ datagramsMax, bytesMax }: HoldLimits) {
    this.#queue = new DueQueue(datagramsMax, bytesMax);
  }

  get held(): { readonly datagrams: number; readonly bytes: number } {
    return { datagrams: this.#queue.size, bytes: this.#queue.bytes };
  }

  /** A datagram meets a direction of a path now, and leaves when that says so. */
  pass(model: PathModel, departure: Departure): void {
    if (this.#isClosed) return;
    const outcome = model.offer(performance.now(), departure.bytes.length + HEADER_BYTES);
    if (outcome.kind === 'dropped') return;
    for (const dueMs of outcome.leavesAtMs) {
      if (!this.#queue.push(dueMs, departure, departure.bytes.length)) departure.counters.overLimit++;
    }
    this.#release();
  }

  /** What is under way is gone. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#queue.clear();
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

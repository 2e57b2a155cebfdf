/**
 * What is on its way to one webhook URL. Decides only: io/webhook-sender.ts sends, and owns the clock. Events of one room go one after the
 * other, each until it is taken, refused or too old; rooms do not wait for each other.
 */
import type { Notice } from '../conference/notice.ts';
import type { Random } from '../conference/random.ts';

export interface WebhookQueueSettings {
  /** Events waiting or under way; one more is dropped. */
  readonly eventsMax: number;
  /** An event this old is dropped instead of sent. */
  readonly ageMsMax: number;
  readonly retryDelayMsMin: number;
  readonly retryDelayMsMax: number;
}

/** One event that happened. The same at every URL and every attempt, so that a receiver can tell a repetition. */
export interface WebhookEntry {
  readonly id: string;
  readonly atMs: number;
  readonly notice: Notice;
}

export interface WebhookDelivery {
  readonly entry: WebhookEntry;
  /** Events that this URL never got, since the last one it took. */
  readonly dropped: number;
}

/** `refused`: the receiver will not have it, now or later. `failed`: worth another try. */
export type WebhookOutcome = 'delivered' | 'refused' | 'failed';

/** Events by what became of them; `failed` counts attempts, the others events. */
export interface WebhookCounts {
  delivered: number;
  refused: number;
  expired: number;
  overflowed: number;
  failed: number;
}

interface Lane {
  readonly room: string;
  readonly entries: WebhookEntry[];
  /** Of its first entry. */
  failures: number;
  retryAtMs: number;
  underWay: WebhookDelivery | undefined;
}

/** Requests to one URL at once: enough for many rooms, few enough for a small receiver. */
export const UNDER_WAY_MAX = 16;

export class WebhookQueue {
  readonly #settings: WebhookQueueSettings;
  readonly #random: Random;
  /** By room name. A lane is there while it has entries. */
  readonly #lanes = new Map<string, Lane>();
  /** Lanes whose turn it is, first come first served. */
  readonly #ready: Lane[] = [];
  readonly #resting = new Set<Lane>();
  #size = 0;
  #underWay = 0;
  #dropped = 0;
  #counts = noCounts();

  constructor(settings: WebhookQueueSettings, random: Random) {
    this.#settings = settings;
    this.#random = random;
  }

  /** Waiting and under way. */
  get size(): number {
    return this.#size;
  }

  /** When the queue is full the event is lost, and the next one that is delivered says so. */
  push(entry: WebhookEntry): void {
    if (this.#size >= this.#settings.eventsMax) {
      this.#lose('overflowed');
      return;
    }
    this.#size++;
    const room = entry.notice.room.name;
    const lane = this.#lanes.get(room);
    if (lane !== undefined) lane.entries.push(entry);
    else {
      const opened = { room, entries: [entry], failures: 0, retryAtMs: 0, underWay: undefined };
      this.#lanes.set(room, opened);
      this.#ready.push(opened);
    }
  }

  /** What to send now; undefined when there is nothing, or enough is under way. Each is answered by one {@link handleOutcome}. */
  pollOutput(nowMs: number): WebhookDelivery | undefined {
    if (this.#underWay >= UNDER_WAY_MAX) return undefined;
    for (let lane = this.#ready.shift(); lane !== undefined; lane = this.#ready.shift()) {
      if (this.#isTooOld(lane.entries[0], nowMs)) {
        this.#lose('expired');
        this.#next(lane);
        continue;
      }
      this.#underWay++;
      lane.underWay = { entry: lane.entries[0], dropped: this.#dropped };
      return lane.underWay;
    }
    return undefined;
  }

  handleOutcome(nowMs: number, delivery: WebhookDelivery, outcome: WebhookOutcome): void {
    const lane = this.#lanes.get(delivery.entry.notice.room.name);
    if (lane?.underWay !== delivery) throw new Error('the outcome of a webhook that is not under way');
    lane.underWay = undefined;
    this.#underWay--;
    if (outcome === 'failed') {
      this.#counts.failed++;
      lane.retryAtMs = nowMs + this.#delayMs(lane.failures++);
      this.#resting.add(lane);
      return;
    }
    if (outcome === 'refused') this.#lose('refused');
    else {
      this.#counts.delivered++;
      // Two under way may have told of the same losses.
      this.#dropped = Math.max(0, this.#dropped - delivery.dropped);
    }
    this.#next(lane);
  }

  /** Lanes that have rested are ready again. */
  handleTimeout(nowMs: number): void {
    for (const lane of this.#resting) {
      if (lane.retryAtMs > nowMs) continue;
      this.#resting.delete(lane);
      this.#ready.push(lane);
    }
  }

  /** When {@link handleTimeout} next has something to do. */
  pollTimeout(): number | undefined {
    let earliest: number | undefined;
    for (const { retryAtMs } of this.#resting) {
      if (earliest === undefined || retryAtMs < earliest) earliest = retryAtMs;
    }
    return earliest;
  }

  /** What happened since the last call, for metrics. */
  drainCounts(): WebhookCounts {
    const counts = this.#counts;
    this.#counts = noCounts();
    return counts;
  }

  #isTooOld({ atMs }: WebhookEntry, nowMs: number): boolean {
    return nowMs - atMs > this.#settings.ageMsMax;
  }

  #lose(why: 'overflowed' | 'refused' | 'expired'): void {
    this.#counts[why]++;
    this.#dropped++;
  }

  #next(lane: Lane): void {
    lane.entries.shift();
    lane.failures = 0;
    this.#size--;
    if (lane.entries.length > 0) this.#ready.push(lane);
    else this.#lanes.delete(lane.room);
  }

  /** Doubles from failure to failure; the random half keeps the lanes of a receiver that was away from all coming back at once. */
  #delayMs(failures: number): number {
    const { retryDelayMsMin, retryDelayMsMax } = this.#settings;
    const delayMs = Math.min(retryDelayMsMax, retryDelayMsMin * 2 ** Math.min(failures, 30));
    return delayMs * (0.5 + this.#random.uint32() / 0x2_0000_0000);
  }
}

function noCounts(): WebhookCounts {
  return { delivered: 0, refused: 0, expired: 0, overflowed: 0, failed: 0 };
}

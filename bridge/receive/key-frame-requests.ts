/** Key-frame requests for one layer of one source: many ask, the publisher is asked seldom, nobody is forgotten. README.md has the rules. */

import { type Alarm, NO_ALARM } from '../timers/alarm.ts';

/** Between two requests of one requester that are acted upon. */
export const REQUESTER_INTERVAL_MS = 200;
/** Requests of one requester that are acted upon in {@link REQUESTER_WINDOW_MS}. */
export const REQUESTER_LIMIT = 3;
export const REQUESTER_WINDOW_MS = 10_000;
/** Between two requests sent to the publisher. */
export const LAYER_INTERVAL_MS = 200;
/** An unanswered request is sent again after this, then after twice that, and so on up to the maximum. libwebrtc lets one pass in 300 ms and forgets others. */
export const REPEAT_MS = 300;
export const REPEAT_MS_MAX = 4000;
/** Sent this often without an answer, the layer counts as dead: those who wait have to ask again. */
export const REPEATS_MAX = 10;
/** Requesters remembered; a further one pushes out the one that has been quiet longest. */
export const REQUESTERS_MAX = 256;

interface Requester {
  /** Times of the last three requests acted upon, oldest first. */
  readonly actedMs: [number, number, number];
  /** When its open request may be acted upon; Infinity when it waits for nothing. */
  dueMs: number;
}

export class KeyFrameRequests {
  /** Requests made, and sent to the publisher. */
  requested = 0;
  sent = 0;
  /** Rung for when `poll` may next have something to say. */
  alarm: Alarm = NO_ALARM;
  /** In the order of their last request: a Map keeps insertion order, so the quietest is first. */
  readonly #requesters = new Map<number, Requester>();
  /** Earliest `dueMs`. */
  #dueMs = Number.POSITIVE_INFINITY;
  #sentMs = Number.NEGATIVE_INFINITY;
  #repeats = 0;

  /** True while somebody waits for a key frame. */
  get isWaiting(): boolean {
    return this.#dueMs < Number.POSITIVE_INFINITY;
  }

  /**
   * `requesterKey` (an endpoint or a link, as the caller numbers them) needs a key frame. While its earlier request is open, or
   * while others wait, it costs nothing; a request beyond its limits is put off, not lost. What a bridge asks for, this one to switch a layer or another
   * one for all its subscribers, is not counted over ten seconds: its own clients were, and a switch that waits is a frozen picture.
   */
  request(nowMs: number, requesterKey: number, by: 'client' | 'bridge' = 'client'): void {
    this.requested++;
    const requester = this.#requesterOf(requesterKey);
    if (requester.dueMs < Number.POSITIVE_INFINITY) return;
    const [third, , last] = requester.actedMs;
    const windowMs = by === 'client' ? third + REQUESTER_WINDOW_MS : nowMs;
    requester.dueMs = Math.max(nowMs, last + REQUESTER_INTERVAL_MS, windowMs);
    this.#dueMs = Math.min(this.#dueMs, requester.dueMs);
    this.#ring();
  }

  /** A key frame of this layer begins to arrive: whoever asked before now is served. */
  handleKeyFrame(nowMs: number): void {
    if (!this.isWaiting) return;
    for (const requester of this.#requesters.values()) closeRequest(requester, nowMs);
    this.#dueMs = Number.POSITIVE_INFINITY;
    this.#repeats = 0;
  }

  /** What was sent went nowhere, for the way there was cut or nobody was sending: the next one waits no longer than any. */
  forgetUnanswered(): void {
    this.#repeats = 0;
    this.#ring();
  }

  /** The requester has left or wants this layer no more. */
  removeRequester(requesterKey: number): void {
    if (!this.#requesters.delete(requesterKey)) return;
    this.#dueMs = Number.POSITIVE_INFINITY;
    for (const requester of this.#requesters.values()) this.#dueMs = Math.min(this.#dueMs, requester.dueMs);
    if (!this.isWaiting) this.#repeats = 0;
  }

  /** True when a request is to be sent to the publisher now. Call whenever the alarm rings; more often is harmless. */
  poll(nowMs: number): boolean {
    if (nowMs < this.#dueMs || nowMs < this.#sentMs + this.#quietMs()) {
      this.#ring();
      return false;
    }
    if (this.#repeats === REPEATS_MAX) {
      this.handleKeyFrame(nowMs);
      return false;
    }
    this.#sentMs = nowMs;
    this.#repeats++;
    this.sent++;
    this.#ring();
    return true;
  }

  #ring(): void {
    if (this.isWaiting) this.alarm.bringForward(Math.max(this.#dueMs, this.#sentMs + this.#quietMs()));
  }

  #quietMs(): number {
    if (this.#repeats === 0) return LAYER_INTERVAL_MS;
    return Math.min(REPEAT_MS_MAX, REPEAT_MS * 2 ** (this.#repeats - 1));
  }

  #requesterOf(requesterKey: number): Requester {
    let requester = this.#requesters.get(requesterKey);
    if (requester !== undefined) {
      this.#requesters.delete(requesterKey);
    } else {
      if (this.#requesters.size === REQUESTERS_MAX) {
        for (const quietest of this.#requesters.keys()) {
          this.#requesters.delete(quietest);
          break;
        }
      }
      const never = Number.NEGATIVE_INFINITY;
      requester = { actedMs: [never, never, never], dueMs: Number.POSITIVE_INFINITY };
    }
    this.#requesters.set(requesterKey, requester);
    return requester;
  }
}

/** An open request whose time had come counts against its requester; one still put off was served for nothing. */
function closeRequest(requester: Requester, nowMs: number): void {
  if (requester.dueMs <= nowMs) {
    requester.actedMs[0] = requester.actedMs[1];
    requester.actedMs[1] = requester.actedMs[2];
    requester.actedMs[2] = requester.dueMs;
  }
  requester.dueMs = Number.POSITIVE_INFINITY;
}

import { LossRuns } from './loss-runs.ts';
import type { RepairTiming } from './repair-timing.ts';

/** A larger jump is an outage, not loss: nothing in it is asked for. */
export const GAP_MAX = 1024;
/** Holes open at once; with more, the oldest are given up. */
export const HOLES_MAX = 4096;
const HOLES_MIN = 64;
/** In `#asks`: came, was skipped, or was given up. The place is reused when holes are next looked through. */
const CLOSED = 255;
const ASKS_MAX = 254;
/** An answer to a question takes a round trip; what comes in less than this share of one was under way by itself. */
const ANSWER_ROUND_TRIPS = 0.5;

/** Counts that outlive a session. */
export interface RecoveryTotals {
  /** Frames that came after they were asked for. */
  recovered: number;
  /** Frames that never came in time. */
  givenUp: number;
  /** Frames missing that the peer never repeats. */
  skipped: number;
  /** Frames that came behind newer ones, by themselves. */
  reordered: number;
  /** Frames that came after they were given up. */
  cameLate: number;
}

/**
 * How a frame arrived: `fresh` in order or ahead; `reordered` behind a newer one, by itself; `recovered` after it was asked for; `late` when nobody waited
 * for it any more.
 */
export type Arrival = 'fresh' | 'reordered' | 'recovered' | 'late';

/**
 * The holes in a session's received sequence, and when to ask for them. A hole is asked for once it is older than the reordering that the path is known
 * for, then again by the round trip, and given up when the time for asking is over ({@link RepairTiming}). Holes are noticed in ascending order, so a list
 * of them is always sorted.
 */
export class LossRecovery {
  /** Newest frame received, -1 before the first. */
  highest = -1;
  /** Frames that did not arrive at the first try. */
  lost = 0;
  /** Those of them that were given up, and might have been repeated. */
  unrepaired = 0;
  /** Holes that may still close. */
  missing = 0;
  /** How long a hole may yet be filled by forward error correction: so much later it is asked for. */
  rebuildMs = 0;
  /** No hole is due before. */
  nextDueMs = Number.POSITIVE_INFINITY;
  readonly #totals: RecoveryTotals;
  readonly #timing: RepairTiming;
  readonly #runs = new LossRuns();
  /** Holes, oldest first; the first `#count` places of each array. */
  #sequences = new Float64Array(HOLES_MIN);
  #sinceMs = new Float64Array(HOLES_MIN);
  #dueMs = new Float64Array(HOLES_MIN);
  /** How often asked for, or {@link CLOSED}. */
  #asks = new Uint8Array(HOLES_MIN);
  #count = 0;

  constructor(totals: RecoveryTotals, timing: RepairTiming) {
    this.#totals = totals;
    this.#timing = timing;
  }

  /** Runs of consecutive numbers among the lost. */
  get bursts(): number {
    return this.#runs.count;
  }

  /** Notes an authenticated frame. Each sequence number comes here once: the replay window has seen to that. */
  handleArrival(nowMs: number, sequence: number): Arrival {
    if (sequence > this.highest) {
      this.#advance(nowMs, sequence);
      return 'fresh';
    }
    const hole = this.#find(sequence);
    if (hole < 0) {
      if (!this.handleUnexpected(sequence)) this.#totals.cameLate++;
      return 'late';
    }
    const isAnswer = this.#isAnswer(nowMs, hole);
    if (!isAnswer) {
      this.#totals.reordered++;
      if (this.#asks[hole] > 0) this.#countFound(sequence);
      this.#timing.reorder.handleLate(nowMs, nowMs - this.#sinceMs[hole]);
    } else this.#totals.recovered++;
    this.#close(hole);
    return isAnswer ? 'recovered' : 'reordered';
  }

  /** True for a hole that is still open. */
  isMissing(sequence: number): boolean {
    return this.#find(sequence) >= 0;
  }

  /** A frame was made anew from others (forward error correction). False when it is not missing any more. */
  handleRebuilt(nowMs: number, sequence: number): boolean {
    if (sequence > this.highest) {
      this.#advance(nowMs, sequence);
      this.#countLost(sequence, false);
      return true;
    }
    const hole = this.#find(sequence);
    if (hole < 0) return false;
    if (this.#asks[hole] === 0) this.#countLost(sequence, false);
    this.#close(hole);
    return true;
  }

  /** A hole that is filled without being asked for once others are, which will take a round trip: not asked for before that. */
  handlePromise(nowMs: number, sequence: number): void {
    const hole = this.#find(sequence);
    if (hole >= 0 && this.#asks[hole] === 0) this.#dueMs[hole] = nowMs + this.#timing.repeatMs + this.rebuildMs;
  }

  /**
   * A frame that nobody waits for any more, since it was made anew or is never repeated, has come after all. True when it was not asked for either: then it was
   * not lost, but late.
   */
  handleUnexpected(sequence: number): boolean {
    if (!this.#runs.isUnasked(sequence)) return false;
    this.#countFound(sequence);
    this.#totals.reordered++;
    return true;
  }

  /** The peer says that it will not repeat this frame: it never does (`isHarmless`), or does not have it any more. */
  handleSkip(sequence: number, isHarmless: boolean): void {
    const hole = this.#find(sequence);
    if (hole < 0) return;
    if (!isHarmless) {
      this.#giveUp(hole);
      return;
    }
    if (this.#asks[hole] === 0) this.#countLost(sequence, false);
    this.#totals.skipped++;
    this.#close(hole);
  }

  /** Writes to `due` the sequence numbers to ask for now, ascending, as many as fit; returns how many. Gives up those whose time is over. */
  poll(nowMs: number, due: Float64Array): number {
    if (nowMs < this.nextDueMs) return 0;
    const { askMs, repeatMs } = this.#timing;
    let asked = 0;
    let kept = 0;
    this.nextDueMs = Number.POSITIVE_INFINITY;
    for (let hole = 0; hole < this.#count; hole++) {
      const asks = this.#asks[hole];
      if (asks === CLOSED) continue;
      if (this.#dueMs[hole] <= nowMs) {
        // However late this is looked at, each hole is asked for once.
        if (asks > 0 && nowMs - this.#sinceMs[hole] >= askMs) {
          this.#giveUp(hole);
          continue;
        }
        if (asked < due.length) {
          if (asks === 0) this.#countLost(this.#sequences[hole], true);
          if (asks < ASKS_MAX) this.#asks[hole]++;
          this.#dueMs[hole] = nowMs + repeatMs;
          due[asked++] = this.#sequences[hole];
        }
      }
      if (this.#dueMs[hole] < this.nextDueMs) this.nextDueMs = this.#dueMs[hole];
      this.#move(hole, kept++);
    }
    this.#count = kept;
    return asked;
  }

  #advance(nowMs: number, sequence: number): void {
    const gap = sequence - this.highest - 1;
    if (gap > GAP_MAX) {
      this.lost += gap;
      this.#runs.addWhole();
      this.unrepaired += gap;
      this.#totals.givenUp += gap;
      for (let hole = 0; hole < this.#count; hole++) if (this.#asks[hole] !== CLOSED) this.#giveUp(hole);
    } else if (gap > 0) {
      this.#reserve(gap);
      const dueMs = nowMs + this.#timing.reorderMs(nowMs) + this.rebuildMs;
      if (dueMs < this.nextDueMs) this.nextDueMs = dueMs;
      for (let missing = this.highest + 1; missing < sequence; missing++) {
        const hole = this.#count++;
        this.#sequences[hole] = missing;
        this.#sinceMs[hole] = nowMs;
        this.#dueMs[hole] = dueMs;
        this.#asks[hole] = 0;
        this.missing++;
      }
    }
    this.#runs.advance(sequence);
    this.highest = sequence;
  }

  /** Makes room for `more` holes: by forgetting the closed ones, by growing, at last by giving up the oldest. */
  #reserve(more: number): void {
    if (this.#count + more <= this.#sequences.length) return;
    const excess = this.missing + more - HOLES_MAX;
    for (let hole = 0, over = excess; hole < this.#count && over > 0; hole++) {
      if (this.#asks[hole] === CLOSED) continue;
      this.#giveUp(hole);
      over--;
    }
    let kept = 0;
    for (let hole = 0; hole < this.#count; hole++) if (this.#asks[hole] !== CLOSED) this.#move(hole, kept++);
    this.#count = kept;
    let places = this.#sequences.length;
    while (places < kept + more) places *= 2;
    if (places > this.#sequences.length) this.#grow(places);
  }

  #grow(places: number): void {
    const [sequences, sinceMs, dueMs, asks] = [this.#sequences, this.#sinceMs, this.#dueMs, this.#asks];
    this.#sequences = new Float64Array(places);
    this.#sinceMs = new Float64Array(places);
    this.#dueMs = new Float64Array(places);
    this.#asks = new Uint8Array(places);
    this.#sequences.set(sequences);
    this.#sinceMs.set(sinceMs);
    this.#dueMs.set(dueMs);
    this.#asks.set(asks);
  }

  /** Where an open hole is, -1 when there is none of that number. */
  #find(sequence: number): number {
    let low = 0;
    let high = this.#count - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const found = this.#sequences[middle];
      if (found === sequence) return this.#asks[middle] === CLOSED ? -1 : middle;
      if (found < sequence) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  #isAnswer(nowMs: number, hole: number): boolean {
    const asks = this.#asks[hole];
    if (asks === 0) return false;
    if (asks > 1) return true;
    const { repeatMs, rttMs } = this.#timing;
    return nowMs - (this.#dueMs[hole] - repeatMs) >= ANSWER_ROUND_TRIPS * rttMs;
  }

  #giveUp(hole: number): void {
    if (this.#asks[hole] === 0) this.#countLost(this.#sequences[hole], true);
    this.unrepaired++;
    this.#totals.givenUp++;
    this.#close(hole);
  }

  #countLost(sequence: number, isAsked: boolean): void {
    this.lost++;
    this.#runs.add(sequence, isAsked);
  }

  #countFound(sequence: number): void {
    this.lost--;
    this.#runs.remove(sequence);
  }

  #close(hole: number): void {
    this.#asks[hole] = CLOSED;
    this.missing--;
  }

  #move(from: number, to: number): void {
    if (from === to) return;
    this.#sequences[to] = this.#sequences[from];
    this.#sinceMs[to] = this.#sinceMs[from];
    this.#dueMs[to] = this.#dueMs[from];
    this.#asks[to] = this.#asks[from];
  }
}

/** How far behind the newest frame a hole is still tracked. */
const TRACKED = 16_384;
/** A larger jump is an outage, not loss: nothing in it is asked for. */
export const GAP_MAX = 1024;
/** Packets overtake each other by less than this: a hole that closes sooner was reordering. */
export const REORDER_MS = 10;
const DEADLINE_MS_MIN = 200;
const DEADLINE_MS_MAX = 900;
const REPEAT_MS_MIN = 20;
/** Marks of a lost frame: it was asked for or given up; or repaired before it was asked for. */
const LOST = 1;
const LOST_UNASKED = 2;

/** Counts that outlive a session. */
export interface RecoveryTotals {
  /** Frames that came after they were asked for. */
  recovered: number;
  /** Frames that never came in time. */
  givenUp: number;
}

/** How a frame arrived: `fresh` in order or ahead; `late` behind a newer one; `recovered` after it was asked for. */
export type Arrival = 'fresh' | 'late' | 'recovered';

/**
 * The holes in a session's received sequence, and when to ask for them. A hole is asked for once it is older than
 * {@link REORDER_MS}, again each 1.1 round trips, and given up after four round trips (200 to 900 ms).
 */
export class LossRecovery {
  /** Newest frame received, -1 before the first. */
  highest = -1;
  /** Frames that had to be asked for or repaired, or were given up unasked in a large gap. */
  lost = 0;
  /** Runs of consecutive numbers among the lost. */
  bursts = 0;
  missing = 0;
  /** How long a hole may still be repaired without being asked for: added to {@link REORDER_MS}. */
  repairMs = 0;
  readonly #totals: RecoveryTotals;
  /** 0: not missing. 1: missing, not asked for. n: asked for n - 1 times. */
  readonly #state = new Uint8Array(TRACKED);
  readonly #sinceMs = new Float64Array(TRACKED);
  readonly #dueMs = new Float64Array(TRACKED);
  /** {@link LOST} or {@link LOST_UNASKED}, 0 for any other frame. */
  readonly #marks = new Uint8Array(TRACKED);
  /** No hole is older than this sequence number. */
  #oldest = 0;

  constructor(totals: RecoveryTotals) {
    this.#totals = totals;
  }

  /** Notes an authenticated frame. Each sequence number comes here once: the replay window has seen to that. */
  handleArrival(nowMs: number, sequence: number): Arrival {
    if (sequence > this.highest) {
      this.#advance(nowMs, sequence);
      return 'fresh';
    }
    const slot = sequence & (TRACKED - 1);
    const state = sequence > this.highest - TRACKED ? this.#state[slot] : 0;
    if (state === 0) return 'late';
    this.#state[slot] = 0;
    this.missing--;
    if (state === 1) return 'late';
    this.#totals.recovered++;
    return 'recovered';
  }

  /** True for a hole that is still open. */
  isMissing(sequence: number): boolean {
    return sequence <= this.highest && sequence > this.highest - TRACKED && this.#state[sequence & (TRACKED - 1)] !== 0;
  }

  /** A hole is filled by forward error correction: it was a loss, and is asked for no more. */
  handleRepaired(sequence: number): void {
    if (!this.isMissing(sequence)) return;
    const slot = sequence & (TRACKED - 1);
    if (this.#state[slot] === 1) this.#countLost(slot, LOST_UNASKED);
    this.#state[slot] = 0;
    this.missing--;
  }

  /** A frame that was repaired has arrived after all: unless it was asked for, that was no loss but reordering. */
  handleRepairedArrival(sequence: number): void {
    const slot = sequence & (TRACKED - 1);
    if (sequence <= this.highest - TRACKED || this.#marks[slot] !== LOST_UNASKED) return;
    this.#marks[slot] = 0;
    this.lost--;
    this.bursts -= 1 - this.#neighboursLost(slot);
  }

  /** A hole that no NACK is answered for: a loss, and no more. */
  handleUnrepeatable(sequence: number): void {
    if (!this.isMissing(sequence)) return;
    const slot = sequence & (TRACKED - 1);
    if (this.#state[slot] === 1) this.#countLost(slot, LOST);
    this.#state[slot] = 0;
    this.missing--;
  }

  /**
   * Writes to `due` the sequence numbers to ask for now, ascending, as many as fit; returns how many. Gives up those past
   * their deadline.
   */
  poll(nowMs: number, rttMs: number, due: Float64Array): number {
    if (this.missing === 0) {
      this.#oldest = this.highest + 1;
      return 0;
    }
    const deadlineMs = Math.min(DEADLINE_MS_MAX, Math.max(DEADLINE_MS_MIN, 4 * rttMs));
    const repeatMs = Math.max(REPEAT_MS_MIN, 1.1 * rttMs);
    let count = 0;
    let oldest = -1;
    for (let sequence = this.#oldest; sequence <= this.highest; sequence++) {
      const slot = sequence & (TRACKED - 1);
      const state = this.#state[slot];
      if (state === 0) continue;
      if (nowMs - this.#sinceMs[slot] >= deadlineMs) {
        this.#giveUp(slot);
        continue;
      }
      if (oldest < 0) oldest = sequence;
      if (this.#dueMs[slot] > nowMs || count === due.length) continue;
      if (state === 1) this.#countLost(slot, LOST);
      if (state < 255) this.#state[slot]++;
      this.#dueMs[slot] = nowMs + repeatMs;
      due[count++] = sequence;
    }
    this.#oldest = oldest < 0 ? this.highest + 1 : oldest;
    return count;
  }

  #advance(nowMs: number, sequence: number): void {
    const gap = sequence - this.highest - 1;
    if (gap > GAP_MAX) {
      this.lost += gap;
      this.bursts++;
      this.#totals.givenUp += gap;
      this.#forgetAll();
      this.#oldest = sequence;
    } else {
      for (let hole = this.highest + 1; hole < sequence; hole++) {
        const slot = hole & (TRACKED - 1);
        this.#forget(slot);
        this.#state[slot] = 1;
        this.#sinceMs[slot] = nowMs;
        this.#dueMs[slot] = nowMs + REORDER_MS + this.repairMs;
        this.missing++;
      }
    }
    this.#forget(sequence & (TRACKED - 1));
    this.highest = sequence;
    if (this.#oldest <= sequence - TRACKED) this.#oldest = sequence - TRACKED + 1;
  }

  /** A slot is about to be used for a newer number: what it still held is out of reach. */
  #forget(slot: number): void {
    if (this.#state[slot] !== 0) this.#giveUp(slot);
    this.#marks[slot] = 0;
  }

  #giveUp(slot: number): void {
    if (this.#state[slot] === 1) this.#countLost(slot, LOST);
    this.#state[slot] = 0;
    this.missing--;
    this.#totals.givenUp++;
  }

  #forgetAll(): void {
    this.#totals.givenUp += this.missing;
    this.missing = 0;
    this.#state.fill(0);
    this.#marks.fill(0);
  }

  /** It begins a burst, makes one longer, or joins two. */
  #countLost(slot: number, mark: number): void {
    this.lost++;
    this.bursts += 1 - this.#neighboursLost(slot);
    this.#marks[slot] = mark;
  }

  #neighboursLost(slot: number): number {
    const isBeforeLost = this.#marks[(slot - 1) & (TRACKED - 1)] !== 0;
    const isAfterLost = this.#marks[(slot + 1) & (TRACKED - 1)] !== 0;
    return (isBeforeLost ? 1 : 0) + (isAfterLost ? 1 : 0);
  }
}

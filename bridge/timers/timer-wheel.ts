/**
 * All deadlines of a bridge, found when they are due without looking at those that are not: a hashed timing wheel (Varghese and Lauck, "Hashed and
 * Hierarchical Timing Wheels", 1987, scheme 6). Time is an argument. README.md tells the rest.
 */
import type { Alarm } from './alarm.ts';

/** Time that one slot covers: what the bridge's clock ticks by. */
export const SLOT_MS = 10;
/** Slots of the wheel: 5.12 s. What is due later lies in its slot for several turns of the wheel and is passed over. */
export const SLOTS = 512;
/** No deadline. */
export const NEVER = Number.POSITIVE_INFINITY;

/** Behind the slots: those that are due and wait for {@link TimerWheel.poll}. */
const DUE = SLOTS;
const NOWHERE = -1;

/** When `task` is due next. Made once per task and moved as often as it takes: moving allocates nothing. */
export class Deadline<Task> implements Alarm {
  readonly task: Task;
  /** ms of the wheel's clock, or NEVER. Read only: moved by the methods. */
  dueMs = NEVER;
  /** The wheel's: its place in the list of a slot. */
  slot = NOWHERE;
  next: Deadline<Task> | undefined;
  previous: Deadline<Task> | undefined;
  readonly #wheel: TimerWheel<Task>;

  constructor(wheel: TimerWheel<Task>, task: Task) {
    this.#wheel = wheel;
    this.task = task;
    this.next = undefined;
    this.previous = undefined;
  }

  get isSet(): boolean {
    return this.slot !== NOWHERE;
  }

  /** Due at `dueMs` and not before; one that has passed is due at the next poll. */
  moveTo(dueMs: number): void {
    this.dueMs = dueMs;
    this.#wheel.place(this);
  }

  bringForward(dueMs: number): void {
    if (dueMs < this.dueMs) this.moveTo(dueMs);
  }

  clear(): void {
    this.dueMs = NEVER;
    this.#wheel.remove(this);
  }
}

export class TimerWheel<Task> {
  /** First of each slot's list, and of those that are due. */
  readonly #first: (Deadline<Task> | undefined)[] = new Array(SLOTS + 1).fill(undefined);
  /** The slot that time has come to, counted from 0 on and never wrapped. */
  #cursor = 0;

  /** A deadline for `task`, not set. */
  deadline(task: Task): Deadline<Task> {
    return new Deadline(this, task);
  }

  /**
   * The next task that is due, or undefined when none is. Its deadline is no longer set. What falls due while tasks are polled comes after all that were due
   * before it, so nobody waits for ever behind those who ask again and again.
   */
  poll(nowMs: number): Task | undefined {
    if (this.#first[DUE] === undefined) this.#collect(nowMs);
    const due = this.#first[DUE];
    if (due === undefined) return undefined;
    due.clear();
    return due.task;
  }

  /** For Deadline: files it under its `dueMs`. */
  place(deadline: Deadline<Task>): void {
    if (deadline.dueMs === NEVER) return this.remove(deadline);
    const tick = Math.max(this.#cursor, Math.floor(deadline.dueMs / SLOT_MS));
    const slot = tick % SLOTS;
    if (slot !== deadline.slot) this.#link(deadline, slot);
  }

  /** For Deadline: takes it out. */
  remove(deadline: Deadline<Task>): void {
    const { slot, next, previous } = deadline;
    if (slot === NOWHERE) return;
    if (previous === undefined) this.#first[slot] = next;
    else previous.next = next;
    if (next !== undefined) next.previous = previous;
    deadline.slot = NOWHERE;
    deadline.next = undefined;
    deadline.previous = undefined;
  }

  #link(deadline: Deadline<Task>, slot: number): void {
    this.remove(deadline);
    const next = this.#first[slot];
    deadline.slot = slot;
    deadline.next = next;
    if (next !== undefined) next.previous = deadline;
    this.#first[slot] = deadline;
  }

  /**
   * Goes on to `nowMs` and takes what is due out of the slots on the way, the newest first, so that the oldest ends up at the head. The last slot is looked at
   * again the next time: the clock is only part of the way through it.
   */
  #collect(nowMs: number): void {
    const last = Math.max(this.#cursor, Math.floor(nowMs / SLOT_MS));
    for (let tick = last; tick >= Math.max(this.#cursor, last - SLOTS + 1); tick--) {
      let deadline = this.#first[tick % SLOTS];
      while (deadline !== undefined) {
        const { next } = deadline;
        if (deadline.dueMs <= nowMs) this.#link(deadline, DUE);
        deadline = next;
      }
    }
    this.#cursor = last;
  }
}

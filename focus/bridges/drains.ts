/**
 * Which participants of this focus are moved off draining bridges, and when. The drain itself is the bridge's own state, told in its reports;
 * each focus moves those whose home it is. Decides only: io/bridge-drains.ts owns the clock and has them moved.
 */
import type { DrainReport } from '../../protocol/control/events.ts';
import type { BridgeId } from '../../protocol/ids.ts';
import type { MoveOutcome } from '../conference/endpoint-mover.ts';

/** A participant on the bridge, with one endpoint there or two. */
export interface Movable {
  readonly sid: string;
  readonly conferenceId: number;
  /** Participants in its conference, wherever they are. */
  readonly conferenceSize: number;
}

export interface DrainProgress {
  /** Participants of this focus that are still there. */
  readonly left: number;
  readonly moving: number;
  readonly moved: number;
  /** Moves that came to nothing; they are tried again. */
  readonly failed: number;
  /** What became of the last one that failed. */
  readonly lastFailure: string | null;
}

/** Of several focuses. Undefined: none of them has anything to do with it. */
export function progressOf(parts: readonly DrainProgress[]): DrainProgress | undefined {
  if (parts.length === 0) return undefined;
  const total = (count: (part: DrainProgress) => number) => parts.reduce((sum, part) => sum + count(part), 0);
  return {
    left: total(({ left }) => left),
    moving: total(({ moving }) => moving),
    moved: total(({ moved }) => moved),
    failed: total(({ failed }) => failed),
    lastFailure: parts.find(({ lastFailure }) => lastFailure !== null)?.lastFailure ?? null,
  };
}

/** All are to be gone when this share of the time is over: the rest is for those who need another try. */
const SHARE_OF_TIME = 0.6;
/** A bridge with few participants is empty soon, however far its deadline. Also the pace without a deadline. */
export const MOVES_PER_SECOND_MIN = 2;
/** Each is a negotiation and an ICE restart; more at once slow each other down. */
export const MOVES_UNDER_WAY_MAX = 20;
/** Who could not be moved is tried again after this: by then its client may be back, or another bridge there. */
const RETRY_MS = 3_000;
const DEADLINE_JITTER_MS = 1_000;
/** Progress of a drain that is over is shown for so long. */
const REMEMBERED_MS = 600_000;

interface Entry {
  /** On the clock of the caller; null: none. */
  deadlineMs: number | null;
  /** By when all are to be gone. */
  targetMs: number | null;
  /** Moves that are due, in parts of one. */
  credit: number;
  steppedMs: number;
  endedMs: number | null;
  left: number;
  moved: number;
  failed: number;
  lastFailure: string | null;
  readonly underWay: Set<string>;
  readonly retryAtMs: Map<string, number>;
}

export class Drains {
  readonly #entries = new Map<BridgeId, Entry>();

  /**
   * Who is to be moved off a draining bridge now, in this order. `own`: all participants of this focus that are there, in the order they joined.
   * `forMs` ago the report `drain` was made. Call it several times a second while the drain is on.
   */
  step(nowMs: number, bridgeId: BridgeId, drain: DrainReport, forMs: number, own: readonly Movable[]): Movable[] {
    const entry = this.#begun(nowMs, bridgeId);
    setDeadline(nowMs, entry, drain.deadlineInMs === null ? null : nowMs - forMs + drain.deadlineInMs);
    // Whoever is on the way has its place elsewhere already, and its media here still.
    entry.left = own.filter(({ sid }) => !entry.underWay.has(sid)).length + entry.underWay.size;
    this.#forgetOthers(entry, own);
    if (drain.mode === 'wait') return [];
    const waiting = inOrder(own.filter(({ sid }) => isWaiting(entry, sid, nowMs)));
    entry.credit = Math.min(
      1 + waiting.length,
      entry.credit + (paceOf(entry, nowMs) * (nowMs - entry.steppedMs)) / 1_000,
    );
    entry.steppedMs = nowMs;
    const count = Math.min(Math.floor(entry.credit), MOVES_UNDER_WAY_MAX - entry.underWay.size, waiting.length);
    if (waiting.length === 0) entry.credit = Math.min(entry.credit, 1);
    const next = waiting.slice(0, Math.max(0, count));
    entry.credit -= next.length;
    for (const { sid } of next) entry.underWay.add(sid);
    return next;
  }

  handleOutcome(nowMs: number, bridgeId: BridgeId, sid: string, outcome: MoveOutcome): void {
    const entry = this.#entries.get(bridgeId);
    if (entry === undefined || !entry.underWay.delete(sid)) return;
    if (outcome.kind === 'moved') {
      entry.moved++;
      entry.left = Math.max(0, entry.left - 1);
    } else if (outcome.reason !== 'left' && outcome.reason !== 'gone') {
      entry.failed++;
      entry.lastFailure = outcome.reason;
      entry.retryAtMs.set(sid, nowMs + RETRY_MS);
    }
  }

  /** The bridges that drain now: what is known of others is kept for a while, for who asks how it ended. A drain that begins anew counts anew. */
  retain(nowMs: number, draining: ReadonlySet<BridgeId>): void {
    for (const [bridgeId, entry] of this.#entries) {
      if (draining.has(bridgeId)) continue;
      entry.endedMs ??= nowMs;
      if (nowMs - entry.endedMs >= REMEMBERED_MS) this.#entries.delete(bridgeId);
    }
  }

  /** Undefined when it has not been drained lately. */
  progress(bridgeId: BridgeId): DrainProgress | undefined {
    const entry = this.#entries.get(bridgeId);
    if (entry === undefined) return undefined;
    const { left, underWay, moved, failed, lastFailure } = entry;
    return { left, moving: underWay.size, moved, failed, lastFailure };
  }

  #begun(nowMs: number, bridgeId: BridgeId): Entry {
    const known = this.#entries.get(bridgeId);
    if (known !== undefined && known.endedMs === null) return known;
    const entry: Entry = {
      deadlineMs: null,
      targetMs: null,
      credit: 1,
      steppedMs: nowMs,
      endedMs: null,
      left: 0,
      moved: 0,
      failed: 0,
      lastFailure: null,
      underWay: new Set(),
      retryAtMs: new Map(),
    };
    this.#entries.set(bridgeId, entry);
    return entry;
  }

  #forgetOthers({ retryAtMs }: Entry, own: readonly Movable[]): void {
    if (retryAtMs.size === 0) return;
    const there = new Set(own.map(({ sid }) => sid));
    for (const sid of retryAtMs.keys()) if (!there.has(sid)) retryAtMs.delete(sid);
  }
}

function isWaiting({ underWay, retryAtMs }: Entry, sid: string, nowMs: number): boolean {
  return !underWay.has(sid) && nowMs >= (retryAtMs.get(sid) ?? 0);
}

/** Reports do not agree to the millisecond on one deadline; another one is a new start. */
function setDeadline(nowMs: number, entry: Entry, deadlineMs: number | null): void {
  const { deadlineMs: before } = entry;
  entry.deadlineMs = deadlineMs;
  if (deadlineMs === null) entry.targetMs = null;
  else if (before === null || Math.abs(deadlineMs - before) > DEADLINE_JITTER_MS) {
    entry.targetMs = nowMs + Math.max(0, deadlineMs - nowMs) * SHARE_OF_TIME;
  }
}

/** Moves a second, so that all are gone by the target; past it, as fast as it goes. */
function paceOf({ targetMs, left }: Entry, nowMs: number): number {
  if (targetMs === null) return MOVES_PER_SECOND_MIN;
  return Math.max(MOVES_PER_SECOND_MIN, (left * 1_000) / Math.max(1_000, targetMs - nowMs));
}

/**
 * The largest conference first, and one conference after the other. Its people then hop over one link more for the shortest time, and who fails in
 * the one that matters to most has the most time for another try.
 */
export function inOrder(own: readonly Movable[]): Movable[] {
  return own.toSorted((a, b) => b.conferenceSize - a.conferenceSize || a.conferenceId - b.conferenceId);
}

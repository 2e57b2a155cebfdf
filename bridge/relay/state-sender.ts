import type { ConferenceId } from '../../protocol/ids.ts';
import { ENTRIES_MAX, type StateAck } from '../../protocol/octo/state-part.ts';

const RETRY_MS_MIN = 50;
const RETRY_MS_MAX = 1000;
/** How long "nothing any more" is repeated for a conference that has left the link. */
const FAREWELL_MS = 2000;

interface State<Entry> {
  version: number;
  entries: readonly Entry[];
  isAcked: boolean;
  dueMs: number;
  retryMs: number;
  /** When to stop and forget; Infinity while the link carries the conference. */
  endMs: number;
}

export interface OutgoingState<Entry> {
  readonly conferenceId: ConferenceId;
  readonly version: number;
  readonly entries: readonly Entry[];
}

/**
 * State that the peer is to have, per conference (what we want from it; what we withhold from it): the whole of it under a growing version, repeated until
 * the newest is acknowledged. Versions grow over all conferences of a link, so that a conference that leaves and returns never reuses one.
 */
export class StateSender<Entry> {
  readonly #states = new Map<ConferenceId, State<Entry>>();
  readonly #isSame: (left: Entry, right: Entry) => boolean;
  #version = 0;

  constructor(isSame: (left: Entry, right: Entry) => boolean) {
    this.#isSame = isSame;
  }

  /** The link carries this conference from now on: even "nothing" is told, so that the peer knows where it stands. */
  addConference(conferenceId: ConferenceId): void {
    const state = this.#states.get(conferenceId);
    if (state === undefined) this.#states.set(conferenceId, this.#renew([]));
    else state.endMs = Number.POSITIVE_INFINITY;
  }

  /** Nothing is to be said any more: that is told for two seconds, then forgotten. */
  removeConference(nowMs: number, conferenceId: ConferenceId): void {
    if (!this.#states.has(conferenceId)) return;
    const state = this.#renew([]);
    state.endMs = nowMs + FAREWELL_MS;
    this.#states.set(conferenceId, state);
  }

  /** Replaces the state of a conference. The same again, an unknown conference, and more than ENTRIES_MAX entries (the latter two: false) change nothing. */
  set(conferenceId: ConferenceId, entries: readonly Entry[]): boolean {
    if (entries.length > ENTRIES_MAX) return false;
    const state = this.#states.get(conferenceId);
    if (state === undefined || state.endMs !== Number.POSITIVE_INFINITY) return false;
    if (!this.#isSameState(state.entries, entries)) this.#states.set(conferenceId, this.#renew(entries));
    return true;
  }

  /** An acknowledgement of anything but the newest version asks for the newest. */
  handleAck(conferenceId: ConferenceId, ack: StateAck): void {
    const state = this.#states.get(conferenceId);
    if (state === undefined) return;
    if (ack.version !== state.version) {
      if (state.isAcked) state.dueMs = 0;
      state.isAcked = false;
      return;
    }
    state.isAcked = true;
    if (state.endMs !== Number.POSITIVE_INFINITY) this.#states.delete(conferenceId);
  }

  /** The peer knows nothing of us (any more): everything is due. */
  restart(): void {
    for (const state of this.#states.values()) {
      state.isAcked = false;
      state.dueMs = 0;
      state.retryMs = 0;
    }
  }

  /** Conferences whose state is to be sent now. */
  poll(nowMs: number, rttMs: number): readonly OutgoingState<Entry>[] {
    let due: OutgoingState<Entry>[] | undefined;
    for (const [conferenceId, state] of this.#states) {
      if (nowMs >= state.endMs) {
        this.#states.delete(conferenceId);
        continue;
      }
      if (state.isAcked || state.dueMs > nowMs) continue;
      const first = Math.max(RETRY_MS_MIN, 1.5 * rttMs + 20);
      state.retryMs = Math.min(RETRY_MS_MAX, state.retryMs === 0 ? first : state.retryMs * 1.5);
      state.dueMs = nowMs + state.retryMs;
      due ??= [];
      due.push({ conferenceId, version: state.version, entries: state.entries });
    }
    return due ?? NOTHING;
  }

  #renew(entries: readonly Entry[]): State<Entry> {
    this.#version++;
    return {
      version: this.#version,
      entries,
      isAcked: false,
      dueMs: 0,
      retryMs: 0,
      endMs: Number.POSITIVE_INFINITY,
    };
  }

  #isSameState(left: readonly Entry[], right: readonly Entry[]): boolean {
    return left.length === right.length && left.every((entry, index) => this.#isSame(entry, right[index]));
  }
}

const NOTHING: readonly never[] = [];

import type { ConferenceId } from '../../protocol/ids.ts';
import type { StatePart } from '../../protocol/octo/state-part.ts';

const ASK_MS_MIN = 100;
const ASK_MS_MAX = 1000;

interface State<Entry> {
  /** Newest version received whole; 0 until there is one. */
  version: number;
  entries: readonly Entry[];
  /** The version being put together, 0 for none. */
  partsVersion: number;
  parts: (readonly Entry[] | undefined)[];
  missing: number;
  askMs: number;
  askDueMs: number;
}

/**
 * The peer's side of {@link StateSender}: what it has told, per conference that the link carries. Parts of a version are kept until it is whole; only whole
 * versions take effect, older ones never. One version per conference is in assembly: a newer one replaces it.
 */
export class StateReceiver<Entry> {
  readonly #states = new Map<ConferenceId, State<Entry>>();

  /** From now on the peer's state counts, and is asked for until it comes. */
  addConference(nowMs: number, conferenceId: ConferenceId): void {
    if (this.#states.has(conferenceId)) return;
    this.#states.set(conferenceId, {
      version: 0,
      entries: [],
      partsVersion: 0,
      parts: [],
      missing: 0,
      askMs: ASK_MS_MIN,
      askDueMs: nowMs,
    });
  }

  removeConference(conferenceId: ConferenceId): void {
    this.#states.delete(conferenceId);
  }

  /** What the peer has said of this conference last; nothing before it has. */
  stateOf(conferenceId: ConferenceId): readonly Entry[] {
    return this.#states.get(conferenceId)?.entries ?? NO_ENTRIES;
  }

  /**
   * Takes one part. Returns the version to acknowledge (the newest that is whole), or 0 for nothing to say; `isChanged` is true
   * when this part completed a newer version, which then is in force.
   */
  handlePart(
    conferenceId: ConferenceId,
    part: StatePart<Entry>,
  ): { readonly ack: number; readonly isChanged: boolean } {
    const state = this.#states.get(conferenceId);
    if (state === undefined) return IGNORED;
    if (part.version <= state.version) return { ack: state.version, isChanged: false };
    if (part.version < state.partsVersion) return IGNORED;
    if (part.version > state.partsVersion || part.parts !== state.parts.length) {
      state.partsVersion = part.version;
      state.parts = new Array(part.parts).fill(undefined);
      state.missing = part.parts;
    }
    if (state.parts[part.part] === undefined) state.missing--;
    state.parts[part.part] = part.entries;
    if (state.missing > 0) return IGNORED;
    state.version = part.version;
    state.entries = state.parts.flatMap(entries => entries ?? []);
    state.parts = [];
    state.partsVersion = 0;
    return { ack: state.version, isChanged: true };
  }

  /** Conferences of which nothing has come yet, and the peer is to be asked now. */
  pollAsks(nowMs: number): readonly ConferenceId[] {
    let asks: ConferenceId[] | undefined;
    for (const [conferenceId, state] of this.#states) {
      if (state.version !== 0 || state.askDueMs > nowMs) continue;
      state.askDueMs = nowMs + state.askMs;
      state.askMs = Math.min(ASK_MS_MAX, state.askMs * 2);
      asks ??= [];
      asks.push(conferenceId);
    }
    return asks ?? NONE;
  }

  /** The peer is a new process: it has said nothing yet. Returns the conferences whose state thereby became empty. */
  restart(nowMs: number): readonly ConferenceId[] {
    const emptied: ConferenceId[] = [];
    for (const [conferenceId, state] of [...this.#states]) {
      if (state.entries.length > 0) emptied.push(conferenceId);
      this.#states.delete(conferenceId);
      this.addConference(nowMs, conferenceId);
    }
    return emptied;
  }
}

const IGNORED = { ack: 0, isChanged: false } as const;
const NONE: readonly ConferenceId[] = [];
const NO_ENTRIES: readonly never[] = [];

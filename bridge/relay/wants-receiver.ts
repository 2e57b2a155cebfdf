import type { ConferenceId } from '../../protocol/ids.ts';
import type { Want, WantsPart } from '../../protocol/octo/wants.ts';

const ASK_MS_MIN = 100;
const ASK_MS_MAX = 1000;

interface Entry {
  /** Newest version received whole; 0 until there is one. */
  version: number;
  wants: readonly Want[];
  /** The version being put together, 0 for none. */
  partsVersion: number;
  parts: (readonly Want[] | undefined)[];
  missing: number;
  askMs: number;
  askDueMs: number;
}

/**
 * What the peer wants from us, per conference that the link carries. Parts of a version are kept until it is whole; only whole
 * versions take effect, older ones never. One version per conference is in assembly: a newer one replaces it.
 */
export class WantsReceiver {
  readonly #entries = new Map<ConferenceId, Entry>();

  /** From now on the peer's state counts, and is asked for until it comes. */
  addConference(nowMs: number, conferenceId: ConferenceId): void {
    if (this.#entries.has(conferenceId)) return;
    this.#entries.set(conferenceId, {
      version: 0,
      wants: [],
      partsVersion: 0,
      parts: [],
      missing: 0,
      askMs: ASK_MS_MIN,
      askDueMs: nowMs,
    });
  }

  removeConference(conferenceId: ConferenceId): void {
    this.#entries.delete(conferenceId);
  }

  /** What the peer wants in this conference, once it has said so. */
  wantsIn(conferenceId: ConferenceId): readonly Want[] {
    return this.#entries.get(conferenceId)?.wants ?? [];
  }

  /**
   * Takes one part. Returns the version to acknowledge (the newest that is whole), or 0 for nothing to say; `isChanged` is true
   * when this part completed a newer version, which then is in force.
   */
  handlePart(conferenceId: ConferenceId, part: WantsPart): { readonly ack: number; readonly isChanged: boolean } {
    const entry = this.#entries.get(conferenceId);
    if (entry === undefined) return IGNORED;
    if (part.version <= entry.version) return { ack: entry.version, isChanged: false };
    if (part.version < entry.partsVersion) return IGNORED;
    if (part.version > entry.partsVersion || part.parts !== entry.parts.length) {
      entry.partsVersion = part.version;
      entry.parts = new Array(part.parts).fill(undefined);
      entry.missing = part.parts;
    }
    if (entry.parts[part.part] === undefined) entry.missing--;
    entry.parts[part.part] = part.wants;
    if (entry.missing > 0) return IGNORED;
    entry.version = part.version;
    entry.wants = entry.parts.flatMap(wants => wants ?? []);
    entry.parts = [];
    entry.partsVersion = 0;
    return { ack: entry.version, isChanged: true };
  }

  /** Conferences of which nothing has come yet, and the peer is to be asked now. */
  pollAsks(nowMs: number): readonly ConferenceId[] {
    let asks: ConferenceId[] | undefined;
    for (const [conferenceId, entry] of this.#entries) {
      if (entry.version !== 0 || entry.askDueMs > nowMs) continue;
      entry.askDueMs = nowMs + entry.askMs;
      entry.askMs = Math.min(ASK_MS_MAX, entry.askMs * 2);
      asks ??= [];
      asks.push(conferenceId);
    }
    return asks ?? NONE;
  }

  /** The peer is a new process: it has said nothing yet. Returns the conferences whose wants thereby became empty. */
  restart(nowMs: number): readonly ConferenceId[] {
    const emptied: ConferenceId[] = [];
    for (const [conferenceId, entry] of [...this.#entries]) {
      if (entry.wants.length > 0) emptied.push(conferenceId);
      this.#entries.delete(conferenceId);
      this.addConference(nowMs, conferenceId);
    }
    return emptied;
  }
}

const IGNORED = { ack: 0, isChanged: false } as const;
const NONE: readonly ConferenceId[] = [];

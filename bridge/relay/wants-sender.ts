import type { ConferenceId } from '../../protocol/ids.ts';
import { WANTS_MAX, type Want, type WantsAck } from '../../protocol/octo/wants.ts';

const RETRY_MS_MIN = 50;
const RETRY_MS_MAX = 1000;
/** How long "nothing any more" is repeated for a conference that has left the link. */
const FAREWELL_MS = 2000;

interface Entry {
  version: number;
  wants: readonly Want[];
  isAcked: boolean;
  dueMs: number;
  retryMs: number;
  /** When to stop and forget; Infinity while the link carries the conference. */
  endMs: number;
}

export interface OutgoingWants {
  readonly conferenceId: ConferenceId;
  readonly version: number;
  readonly wants: readonly Want[];
}

/**
 * What we want from the peer, per conference: the whole state under a growing version, repeated until the newest is acknowledged.
 * Versions grow over all conferences of a link, so that a conference that leaves and returns never reuses one.
 */
export class WantsSender {
  readonly #entries = new Map<ConferenceId, Entry>();
  #version = 0;

  /** The link carries this conference from now on: even "nothing" is told, so that the peer knows where it stands. */
  addConference(conferenceId: ConferenceId): void {
    const entry = this.#entries.get(conferenceId);
    if (entry === undefined) this.#entries.set(conferenceId, this.#renew([]));
    else entry.endMs = Number.POSITIVE_INFINITY;
  }

  /** Nothing is wanted any more: told for two seconds, then forgotten. */
  removeConference(nowMs: number, conferenceId: ConferenceId): void {
    if (!this.#entries.has(conferenceId)) return;
    const entry = this.#renew([]);
    entry.endMs = nowMs + FAREWELL_MS;
    this.#entries.set(conferenceId, entry);
  }

  /** Replaces the state of a conference. The same again, an unknown conference, and more than WANTS_MAX entries (false) change nothing. */
  set(conferenceId: ConferenceId, wants: readonly Want[]): boolean {
    if (wants.length > WANTS_MAX) return false;
    const entry = this.#entries.get(conferenceId);
    if (entry === undefined || entry.endMs !== Number.POSITIVE_INFINITY) return false;
    const kept = wants.filter(want => want.layerMask !== 0);
    if (!isSame(entry.wants, kept)) this.#entries.set(conferenceId, this.#renew(kept));
    return true;
  }

  /** An acknowledgement of anything but the newest version asks for the newest. */
  handleAck(conferenceId: ConferenceId, ack: WantsAck): void {
    const entry = this.#entries.get(conferenceId);
    if (entry === undefined) return;
    if (ack.version !== entry.version) {
      if (entry.isAcked) entry.dueMs = 0;
      entry.isAcked = false;
      return;
    }
    entry.isAcked = true;
    if (entry.endMs !== Number.POSITIVE_INFINITY) this.#entries.delete(conferenceId);
  }

  /** The peer knows nothing of us (any more): everything is due. */
  restart(): void {
    for (const entry of this.#entries.values()) {
      entry.isAcked = false;
      entry.dueMs = 0;
      entry.retryMs = 0;
    }
  }

  /** Conferences whose state is to be sent now. */
  poll(nowMs: number, rttMs: number): readonly OutgoingWants[] {
    let due: OutgoingWants[] | undefined;
    for (const [conferenceId, entry] of this.#entries) {
      if (nowMs >= entry.endMs) {
        this.#entries.delete(conferenceId);
        continue;
      }
      if (entry.isAcked || entry.dueMs > nowMs) continue;
      const first = Math.max(RETRY_MS_MIN, 1.5 * rttMs + 20);
      entry.retryMs = Math.min(RETRY_MS_MAX, entry.retryMs === 0 ? first : entry.retryMs * 1.5);
      entry.dueMs = nowMs + entry.retryMs;
      due ??= [];
      due.push({ conferenceId, version: entry.version, wants: entry.wants });
    }
    return due ?? NOTHING;
  }

  #renew(wants: readonly Want[]): Entry {
    this.#version++;
    return {
      version: this.#version,
      wants,
      isAcked: false,
      dueMs: 0,
      retryMs: 0,
      endMs: Number.POSITIVE_INFINITY,
    };
  }
}

const NOTHING: readonly OutgoingWants[] = [];

function isSame(left: readonly Want[], right: readonly Want[]): boolean {
  if (left.length !== right.length) return false;
  return left.every((want, index) => {
    const other = right[index];
    return (
      want.endpointId === other.endpointId && want.sourceId === other.sourceId && want.layerMask === other.layerMask
    );
  });
}

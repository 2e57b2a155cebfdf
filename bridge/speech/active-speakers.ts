/** The list of speakers with their levels, as LiveKit's clients expect it: who is heard, how loud, loudest first. README.md has the figures. */
import type { EndpointId } from '../../protocol/ids.ts';
import { TrackLevel } from './track-level.ts';

/** Lists come this far apart at least. */
export const UPDATE_INTERVAL_MS = 300;
/** Audio sources listened to at once; what a further one says is left out until another has gone or fallen silent. */
export const TRACKS_MAX = 1024;
/** Levels are told in eighths, so that small changes are none. */
const LEVEL_STEPS = 8;
const SOURCES_PER_ENDPOINT = 256;

export interface ActiveSpeaker {
  readonly endpointId: EndpointId;
  /** Linear in amplitude, above 0 up to 1, in steps of 1/8. */
  readonly level: number;
  readonly active: boolean;
}

/** The active speakers of one conference. */
export class ActiveSpeakers {
  /** The last list that `poll` returned. */
  current: readonly ActiveSpeaker[] = [];
  /** By endpointId * 256 + sourceId: one endpoint may send several. */
  readonly #tracks = new Map<number, TrackLevel>();
  #updateAtMs = Number.NEGATIVE_INFINITY;

  /** One audio packet: RFC 6464 level (0 is loudest) and RTP timestamp at 48 kHz. Packets older than the newest are passed over. */
  handleLevel(nowMs: number, endpointId: EndpointId, sourceId: number, level: number, timestamp: number): void {
    const key = endpointId * SOURCES_PER_ENDPOINT + sourceId;
    let track = this.#tracks.get(key);
    if (track === undefined) {
      if (this.#tracks.size === TRACKS_MAX) return;
      track = new TrackLevel();
      this.#tracks.set(key, track);
    }
    track.handleLevel(nowMs, level & 0x7f, timestamp);
  }

  /** When `poll` may next have a new list. */
  get dueMs(): number {
    return this.#updateAtMs;
  }

  removeEndpoint(endpointId: EndpointId): void {
    for (const key of this.#tracks.keys()) if (endpointOf(key) === endpointId) this.#tracks.delete(key);
  }

  /**
   * The new list when it has changed, at most every 300 ms; undefined otherwise. All active speakers, the dominant one first,
   * then by level. An endpoint that is no longer in it has fallen silent.
   */
  poll(nowMs: number, dominant: EndpointId | undefined): readonly ActiveSpeaker[] | undefined {
    if (nowMs < this.#updateAtMs) return undefined;
    this.#updateAtMs = nowMs + UPDATE_INTERVAL_MS;
    const speakers = this.#list(nowMs, dominant);
    if (isSameList(speakers, this.current)) return undefined;
    this.current = speakers;
    return speakers;
  }

  #list(nowMs: number, dominant: EndpointId | undefined): ActiveSpeaker[] {
    const loudest = new Map<EndpointId, number>();
    for (const [key, track] of this.#tracks) {
      if (track.isStale(nowMs)) {
        this.#tracks.delete(key);
        continue;
      }
      if (!track.isActive) continue;
      const endpointId = endpointOf(key);
      const level = Math.min(1, Math.ceil(track.level * LEVEL_STEPS) / LEVEL_STEPS);
      loudest.set(endpointId, Math.max(level, loudest.get(endpointId) ?? 0));
    }
    const speakers: ActiveSpeaker[] = [];
    for (const [endpointId, level] of loudest) speakers.push({ endpointId, level, active: true });
    const isFirst = (speaker: ActiveSpeaker) => Number(speaker.endpointId === dominant);
    return speakers.sort((a, b) => isFirst(b) - isFirst(a) || b.level - a.level || a.endpointId - b.endpointId);
  }
}

function endpointOf(key: number): EndpointId {
  return Math.floor(key / SOURCES_PER_ENDPOINT) as EndpointId;
}

function isSameList(a: readonly ActiveSpeaker[], b: readonly ActiveSpeaker[]): boolean {
  return (
    a.length === b.length &&
    a.every((speaker, index) => speaker.endpointId === b[index].endpointId && speaker.level === b[index].level)
  );
}

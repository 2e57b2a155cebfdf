/**
 * Rooms and participants of each API key on this focus. Rooms are counted by the notices of the room's life, participants from when they
 * are in until the notice that they left; joins and creations under way count as well, so that many at once do not get past a limit.
 */
import type { Notice } from '../conference/notice.ts';

export interface Usage {
  readonly rooms: number;
  readonly participants: number;
}

interface Counts {
  rooms: number;
  participants: number;
}

interface Opening {
  readonly apiKey: string;
  holders: number;
  /** The room is there: what was counted for its opening now counts for itself. */
  isDone: boolean;
}

export class KeyUsage {
  readonly #counts = new Map<string, Counts>();
  /** API key by SID of a room or participant. */
  readonly #owners = new Map<string, string>();
  /** API key by name of a room that is being opened, and how many are at it. */
  readonly #opening = new Map<string, Opening>();

  of(apiKey: string): Usage {
    return this.#counts.get(apiKey) ?? { rooms: 0, participants: 0 };
  }

  /** Keys with anything, for metrics and tests. */
  get keys(): number {
    return this.#counts.size;
  }

  isOpening(room: string): boolean {
    return this.#opening.has(room);
  }

  /** A room of that name may be opened from now on until {@link opened}: for the key that came first. */
  opening(apiKey: string, room: string): void {
    const entry = this.#opening.get(room);
    if (entry !== undefined) entry.holders++;
    else {
      this.#opening.set(room, { apiKey, holders: 1, isDone: false });
      this.#add(apiKey, 'rooms', 1);
    }
  }

  opened(room: string): void {
    const entry = this.#opening.get(room);
    if (entry === undefined || --entry.holders > 0) return;
    this.#opening.delete(room);
    if (!entry.isDone) this.#add(entry.apiKey, 'rooms', -1);
  }

  /** A participant is on its way in until {@link entered}. */
  entering(apiKey: string): void {
    this.#add(apiKey, 'participants', 1);
  }

  /** Ends {@link entering}; `participantSid` is counted until it leaves, undefined: it did not get in. */
  entered(apiKey: string, participantSid: string | undefined): void {
    if (participantSid === undefined) this.#add(apiKey, 'participants', -1);
    else this.#owners.set(participantSid, apiKey);
  }

  /** A participant has resumed: counted until it leaves, if it was not. Another focus may have counted it before: its home of then, or the one it came by. */
  returned(apiKey: string, participantSid: string): void {
    if (this.#owners.has(participantSid)) return;
    this.#owners.set(participantSid, apiKey);
    this.#add(apiKey, 'participants', 1);
  }

  handleNotice(notice: Notice): void {
    switch (notice.event) {
      case 'room_started': {
        const entry = this.#opening.get(notice.room.name);
        if (entry === undefined) return;
        this.#owners.set(notice.room.sid, entry.apiKey);
        if (entry.isDone) this.#add(entry.apiKey, 'rooms', 1);
        entry.isDone = true;
        break;
      }
      case 'room_finished':
        this.#release(notice.room.sid, 'rooms');
        break;
      case 'participant_left':
      case 'participant_connection_aborted':
        this.#release(notice.participant.sid, 'participants');
        break;
      default:
    }
  }

  /** A room that another focus serves from now on, with whoever is in it. */
  forget(roomSid: string, participantSids: Iterable<string>): void {
    this.#release(roomSid, 'rooms');
    for (const sid of participantSids) this.#release(sid, 'participants');
  }

  #release(sid: string, kind: keyof Counts): void {
    const apiKey = this.#owners.get(sid);
    if (apiKey === undefined) return;
    this.#owners.delete(sid);
    this.#add(apiKey, kind, -1);
  }

  #add(apiKey: string, kind: keyof Counts, change: 1 | -1): void {
    const counts = this.#counts.get(apiKey) ?? { rooms: 0, participants: 0 };
    counts[kind] += change;
    if (counts.rooms + counts.participants === 0) this.#counts.delete(apiKey);
    else this.#counts.set(apiKey, counts);
  }
}

/** The rooms that this focus serves, by name and by conference. */
import type { ConferenceId } from '../../protocol/ids.ts';
import type { Room } from './room.ts';
import { isExpired } from './timeouts.ts';

export class RoomDirectory {
  readonly #byName = new Map<string, Room>();
  readonly #byConference = new Map<ConferenceId, Room>();
  /** Joins on their way into a room of that name: it must not close under them. */
  readonly #joining = new Map<string, number>();

  /** Ordered by name. */
  all(): Room[] {
    return [...this.#byName.values()].sort((a, b) => (a.identity.name < b.identity.name ? -1 : 1));
  }

  get size(): number {
    return this.#byName.size;
  }

  withName(name: string): Room | undefined {
    return this.#byName.get(name);
  }

  withConference(conferenceId: ConferenceId): Room | undefined {
    return this.#byConference.get(conferenceId);
  }

  add(room: Room): void {
    this.#byName.set(room.identity.name, room);
    this.#byConference.set(room.identity.conferenceId, room);
  }

  remove(room: Room): void {
    if (this.#byName.get(room.identity.name) === room) this.#byName.delete(room.identity.name);
    this.#byConference.delete(room.identity.conferenceId);
  }

  /** Keeps the room of that name open while `work` is on its way into it. */
  async holding<T>(name: string, work: () => Promise<T>): Promise<T> {
    this.#joining.set(name, (this.#joining.get(name) ?? 0) + 1);
    try {
      return await work();
    } finally {
      const others = (this.#joining.get(name) ?? 1) - 1;
      if (others === 0) this.#joining.delete(name);
      else this.#joining.set(name, others);
    }
  }

  /** Joins that are on their way. */
  get joining(): number {
    return this.#joining.size;
  }

  expired(nowMs: number): Room[] {
    return this.all().filter(room => !this.#joining.has(room.identity.name) && isExpired(room, nowMs));
  }
}

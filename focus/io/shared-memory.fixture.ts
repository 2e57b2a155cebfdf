/** One memory store for several focuses of a test, each by its own name: what Redis is to those of a network. */

import { createMemoryStore } from '../store/memory-store.ts';
import type { ConferenceRecord, FocusRecord, Store } from '../store/store.ts';

export class SharedMemory {
  readonly #store = createMemoryStore(Date.now, Math.random);
  readonly #focuses = new Map<string, FocusRecord>();
  /** Focuses that the store is away for. */
  readonly away = new Set<string>();
  /** Focuses that have rooms already, and are not in the others' view of focuses yet. */
  readonly unseen = new Set<string>();
  /** Calls of each method, by all focuses together. */
  readonly calls = new Map<string, number>();

  readonly #refused = new Map<string, number>();
  readonly #delays = new Map<string, Promise<void>>();

  /** A focus has the answers to calls of a method only when what this returns is called; what it asks for is done at once. */
  delayAnswers(focusId: string, method: keyof Store): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    const key = `${focusId} ${method}`;
    this.#delays.set(key, promise);
    return () => {
      this.#delays.delete(key);
      resolve();
    };
  }

  /** Calls of a method by a focus that the store was away for. */
  refused(focusId: string, method: string): number {
    return this.#refused.get(`${focusId} ${method}`) ?? 0;
  }

  /** As the focus of that name sees it. */
  of(focusId: string): Store {
    const own: Partial<Store> = {
      putFocus: async record => {
        this.#focuses.set(focusId, record);
      },
      focuses: async () =>
        [...this.#focuses.values()]
          .filter(one => one.focusId === focusId || !this.unseen.has(one.focusId))
          .sort((a, b) => (a.focusId < b.focusId ? -1 : 1)),
      saveRoom: async (conferenceId, fields) => {
        const conference = (await this.#store.conferences()).find(one => one.conferenceId === conferenceId);
        return conference?.owner === focusId && this.#store.saveRoom(conferenceId, fields);
      },
      releaseOwner: async owner => {
        this.#focuses.delete(owner);
        await this.#store.releaseOwner(owner);
      },
      onOrphans: () => {},
      onLost: () => {},
    };
    return new Proxy(
      { ...this.#store, ...own },
      {
        get: (store, name) => {
          const method = store[name as keyof Store] as (...args: unknown[]) => unknown;
          return (...args: unknown[]) => {
            this.calls.set(String(name), (this.calls.get(String(name)) ?? 0) + 1);
            const isAway = this.away.has(focusId) && name !== 'focuses' && name !== 'adopt';
            if (isAway) this.#refused.set(`${focusId} ${String(name)}`, this.refused(focusId, String(name)) + 1);
            if (isAway) return Promise.reject(new Error('the store is away'));
            const answer = method(...args);
            const delay = this.#delays.get(`${focusId} ${String(name)}`);
            return delay === undefined ? answer : delay.then(() => answer);
          };
        },
      },
    );
  }

  /** Its lease is over. */
  forget(focusId: string): void {
    this.#focuses.delete(focusId);
  }

  /** Another focus takes the conference over, whether or not its owner is gone. */
  async steal(room: string, by: string): Promise<void> {
    const conference = await this.#store.conference(room);
    if (conference !== undefined) await this.#store.takeConference(room, conference.conferenceId, conference.owner, by);
  }

  async owner(room: string): Promise<string | undefined> {
    return (await this.#store.conference(room))?.owner;
  }

  async participants(room: string): Promise<string[]> {
    const conference: ConferenceRecord | undefined = await this.#store.conference(room);
    if (conference === undefined) return [];
    return (await this.#store.participants(conference.conferenceId)).map(({ identity }) => identity);
  }
}

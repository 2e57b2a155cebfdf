/** Where rooms live that this focus relays to: as long as it does, nobody has to ask the store. */

interface Home {
  readonly focusId: string;
  sessions: number;
}

export class KnownHomes {
  readonly #homes = new Map<string, Home>();

  find(room: string): string | undefined {
    return this.#homes.get(room)?.focusId;
  }

  /** One more session is relayed there. Call what it returns once, when that has ended. */
  hold(room: string, focusId: string): () => void {
    const known = this.#homes.get(room);
    const home = known?.focusId === focusId ? known : { focusId, sessions: 0 };
    this.#homes.set(room, home);
    home.sessions++;
    return () => {
      home.sessions--;
      if (home.sessions === 0) this.forget(room, focusId);
    };
  }

  /** The room does not live there any more, as far as is known. */
  forget(room: string, focusId: string): void {
    if (this.#homes.get(room)?.focusId === focusId) this.#homes.delete(room);
  }

  /** Rooms that are relayed to. */
  get size(): number {
    return this.#homes.size;
  }
}

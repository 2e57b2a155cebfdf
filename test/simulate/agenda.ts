/** What happens in which second: a list for each, without an object or a closure for each of its millions of entries. */
import type { Meeting } from './demand.ts';

export interface AgendaActions {
  /** A person joins its meeting. */
  readonly join: (meeting: Meeting, index: number) => Promise<void>;
  /** The meeting is looked at. */
  readonly look: (meeting: Meeting) => void;
  readonly end: (meeting: Meeting) => Promise<void>;
}

/** In place of a person's index. */
const LOOK = -1;
const END = -2;

/** Entries of a second are carried out in the order they were made. */
export class Agenda {
  /** By second: a meeting and what is to happen, in turns. */
  readonly #seconds = new Map<number, (Meeting | number)[]>();

  join(second: number, meeting: Meeting, index: number): void {
    this.#add(second, meeting, index);
  }

  look(second: number, meeting: Meeting): void {
    this.#add(second, meeting, LOOK);
  }

  end(second: number, meeting: Meeting): void {
    this.#add(second, meeting, END);
  }

  /** All of a second, which is then over. */
  async carryOut(second: number, { join, look, end }: AgendaActions): Promise<void> {
    const entries = this.#seconds.get(second);
    if (entries === undefined) return;
    this.#seconds.delete(second);
    for (let at = 0; at < entries.length; at += 2) {
      const meeting = entries[at] as Meeting;
      const what = entries[at + 1] as number;
      if (what === LOOK) look(meeting);
      else if (what === END) await end(meeting);
      else await join(meeting, what);
    }
  }

  #add(second: number, meeting: Meeting, what: number): void {
    const entries = this.#seconds.get(second);
    if (entries === undefined) this.#seconds.set(second, [meeting, what]);
    else entries.push(meeting, what);
  }
}

/**
 * Participants whom other focuses assigned for this one. Of each it hears twice, in either order: by the store, with the next beat, and by the focus that has
 * the client, which hands it over. Whoever is never handed over lost that focus on the way, and is released; whoever the store never tells of is
 * not in it any more, and is put back.
 */
import type { ConferenceId } from '../../../protocol/ids.ts';
import { ADOPTION_MS, type ParticipantRecord } from '../store.ts';

interface Waiting {
  readonly participant: ParticipantRecord;
  readonly dueMs: number;
}

/** Each map is bounded by the joins of {@link ADOPTION_MS}. */
export class Arrivals {
  /** By SID: told by the store, not yet handed over. */
  readonly #told = new Map<string, Waiting>();
  /** By SID: handed over, not yet told by the store. */
  readonly #adopted = new Map<string, Waiting>();

  /** The store tells. */
  told(nowMs: number, participant: ParticipantRecord): void {
    if (this.#adopted.delete(participant.sid) || this.#told.has(participant.sid)) return;
    this.#told.set(participant.sid, { participant, dueMs: nowMs + ADOPTION_MS });
  }

  /** The other focus hands over. */
  adopted(nowMs: number, participant: ParticipantRecord): void {
    if (!this.#told.delete(participant.sid)) {
      this.#adopted.set(participant.sid, { participant, dueMs: nowMs + ADOPTION_MS });
    }
  }

  /** Both have spoken. */
  settled(sid: string): void {
    this.#told.delete(sid);
    this.#adopted.delete(sid);
  }

  /** How many are told of in a conference and not handed over: they have places in it. */
  expected(conferenceId: ConferenceId): number {
    return this.#told
      .values()
      .filter(({ participant }) => participant.conferenceId === conferenceId)
      .toArray().length;
  }

  /** Who is waited for no longer; each is answered once. */
  overdue(nowMs: number): { readonly abandoned: ParticipantRecord[]; readonly untold: ParticipantRecord[] } {
    return { abandoned: takeDue(this.#told, nowMs), untold: takeDue(this.#adopted, nowMs) };
  }

  dropAll(): void {
    this.#told.clear();
    this.#adopted.clear();
  }
}

function takeDue(waiting: Map<string, Waiting>, nowMs: number): ParticipantRecord[] {
  const due = [];
  for (const [sid, { participant, dueMs }] of waiting) {
    // In the order of their coming.
    if (nowMs < dueMs) break;
    waiting.delete(sid);
    due.push(participant);
  }
  return due;
}

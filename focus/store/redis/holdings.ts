/**
 * What this focus has in the store: its participants, and the conferences they are in or that it owns. Kept so that it can renew what is its own,
 * and put it back after the store was emptied, fell back to an older state or took the focus for dead.
 */
import type { ConferenceId, EndpointId } from '../../../protocol/ids.ts';
import type { ConferenceRecord, ParticipantRecord } from '../store.ts';

export interface HeldConference {
  readonly record: ConferenceRecord;
  readonly endpointIdMax: number;
  /** Participants of this focus, by identity. */
  readonly participants: ReadonlyMap<string, ParticipantRecord>;
}

interface Held extends HeldConference {
  record: ConferenceRecord;
  endpointIdMax: number;
  readonly participants: Map<string, ParticipantRecord>;
}

/**
 * Changes that other focuses may have made unseen between this focus's last look at a conference and the store's loss of it: versions and endpoint
 * IDs start again so far beyond, since neither may be given out twice.
 */
const UNSEEN_MAX = 1_000;

export class Holdings {
  readonly #owner: string;
  readonly #held = new Map<ConferenceId, Held>();

  constructor(owner: string) {
    this.#owner = owner;
  }

  /** A conference as the store has it now: kept when it is this focus's, or known already. */
  noteConference(record: ConferenceRecord): void {
    const held = this.#held.get(record.conferenceId);
    if (held === undefined) {
      if (record.owner === this.#owner) {
        this.#held.set(record.conferenceId, { record, endpointIdMax: 0, participants: new Map() });
      }
      return;
    }
    if (record.version >= held.record.version) held.record = record;
    this.#dropIfNothing(held);
  }

  noteAssigned(record: ConferenceRecord, participant: ParticipantRecord): void {
    const { conferenceId, endpointId, identity, owner } = participant;
    const held = this.#held.get(conferenceId) ?? { record, endpointIdMax: 0, participants: new Map() };
    if (owner === this.#owner) {
      this.#held.set(conferenceId, held);
      held.participants.set(identity, participant);
    } else {
      held.participants.delete(identity);
    }
    held.endpointIdMax = Math.max(held.endpointIdMax, endpointId);
    this.noteConference(record);
  }

  /** Takes out a participant of this focus; answers whether that leaves nobody of this focus in the conference. */
  dropParticipant(conferenceId: ConferenceId, endpointId: EndpointId, sid: string): boolean {
    const held = this.#held.get(conferenceId);
    if (held === undefined) return false;
    const found = held.participants.values().find(one => one.endpointId === endpointId && one.sid === sid);
    if (found !== undefined) held.participants.delete(found.identity);
    const isLast = found !== undefined && held.participants.size === 0;
    this.#dropIfNothing(held);
    return isLast;
  }

  dropConference(conferenceId: ConferenceId): void {
    this.#held.delete(conferenceId);
  }

  dropAll(): void {
    this.#held.clear();
  }

  participant(conferenceId: ConferenceId, identity: string): ParticipantRecord | undefined {
    return this.#held.get(conferenceId)?.participants.get(identity);
  }

  conference(conferenceId: ConferenceId): HeldConference | undefined {
    return this.#held.get(conferenceId);
  }

  conferenceIds(): ConferenceId[] {
    return [...this.#held.keys()];
  }

  #dropIfNothing({ record, participants }: Held): void {
    if (participants.size === 0 && record.owner !== this.#owner) this.#held.delete(record.conferenceId);
  }
}

/** The version and the next endpoint ID to put a conference back with. */
export function resumeNumbers({ record, endpointIdMax }: HeldConference): { version: number; nextEndpoint: number } {
  return { version: record.version + UNSEEN_MAX, nextEndpoint: endpointIdMax + 1 + UNSEEN_MAX };
}

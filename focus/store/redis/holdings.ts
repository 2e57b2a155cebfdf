/**
 * What this focus is the home of: its conferences, whoever is in them, and their snapshots. Kept so that it can renew what is its own, put it back after
 * the store was emptied, fell back to an older state or took the focus for dead, and go on without the store while that is away.
 */
import type { ConferenceId, EndpointId } from '../../../protocol/ids.ts';
import type { ConferenceRecord, MoveRequest, ParticipantRecord } from '../store.ts';
import type { CountedConference } from './replies.ts';

export interface HeldConference {
  /** The newest that is known; `version` is beyond the store's after a change that the store does not have. */
  readonly record: ConferenceRecord;
  readonly term: number;
  /** By identity, in the order they were placed. */
  readonly participants: ReadonlyMap<string, ParticipantRecord>;
  /** As it was last written or read. */
  readonly snapshot: ReadonlyMap<string, Uint8Array>;
  /** How often it was written, by the store's count. */
  readonly saves: number;
  /** Grows with each change that the store does not have yet. */
  readonly changes: number;
}

interface Held extends HeldConference {
  record: ConferenceRecord;
  term: number;
  /** The store gives out no endpoint ID below it any more. */
  storeNext: number;
  /** The last that was given out here. */
  localLast: number;
  /** The highest of those who have left. */
  lastLeft: number;
  readonly participants: Map<string, ParticipantRecord>;
  readonly snapshot: Map<string, Uint8Array>;
  saves: number;
  changes: number;
  /** `changes` as they were when the store had all. */
  changesStored: number;
}

/** The term of a conference that was just opened. */
const FIRST_TERM = 1;

/** What becomes of somebody who is handed over; `older`: a newer self of that identity is there, and stays. */
export type Adopted = 'new' | 'known' | 'older' | 'not-held';

/**
 * Changes that other focuses may have made unseen between this focus's last look at a conference and the store's loss of it: versions and endpoint
 * IDs start again so far beyond, since neither may be given out twice.
 */
const UNSEEN_MAX = 1_000;

export class Holdings {
  readonly #owner: string;
  readonly #onLost: (record: ConferenceRecord) => void;
  readonly #held = new Map<ConferenceId, Held>();
  readonly #byRoom = new Map<string, ConferenceId>();

  /** `onLost` is told of a conference that is another's by now, after it was dropped. */
  constructor(owner: string, onLost: (record: ConferenceRecord) => void) {
    this.#owner = owner;
    this.#onLost = onLost;
  }

  /** A conference that this process has opened. One that an earlier process of this name has left is not held until it is taken over. */
  open({ record, term }: CountedConference): void {
    if (record.owner === this.#owner && !this.#held.has(record.conferenceId)) this.#hold(record, term);
  }

  /** A conference as the store has it now; of one that is held, with a version that no earlier answer had. */
  noteConference({ record, term }: CountedConference): ConferenceRecord {
    const held = this.#held.get(record.conferenceId);
    if (record.owner !== this.#owner) {
      // An earlier term is a store that fell back: what is held here is put right there.
      if (held !== undefined && term > held.term) this.lose(record.conferenceId);
      return record;
    }
    if (held === undefined) return record;
    held.term = Math.max(held.term, term);
    if (record.version > held.record.version) held.record = record;
    else if (isAhead(held)) held.record = { ...record, version: held.record.version + 1 };
    else return record;
    return held.record;
  }

  /**
   * Somebody whom the store has placed. Answers the conference as `noteConference` does. Others' answers may have been faster: a newer self of that identity,
   * handed over meanwhile, stays.
   */
  noteAssigned(counted: CountedConference, participant: ParticipantRecord): ConferenceRecord {
    const record = this.noteConference(counted);
    const held = this.#held.get(record.conferenceId);
    if (held !== undefined) this.#enter(held, participant);
    return record;
  }

  /** Somebody whom another focus assigned, as a rule. Nothing happens when the conference is not this focus's. */
  noteAdopted(conference: ConferenceRecord, participant: ParticipantRecord): Adopted {
    const { conferenceId, version } = conference;
    const held = this.#held.get(conferenceId) ?? this.#holdEarly(conference);
    if (held === undefined) return 'not-held';
    if (held.participants.get(participant.identity)?.sid === participant.sid) return 'known';
    if (version > held.record.version) held.record = { ...held.record, version };
    return this.#enter(held, participant) ? 'new' : 'older';
  }

  /** Who follows through another focus may be here before the answer is to the join that opened the conference for this one. */
  #holdEarly(record: ConferenceRecord): Held | undefined {
    const before = this.inRoom(record.room);
    const isStale = before !== undefined && before.record.createdAtMs >= record.createdAtMs;
    return record.owner === this.#owner && !isStale ? this.#hold(record, FIRST_TERM) : undefined;
  }

  /**
   * Puts a participant in unless a newer self of the identity is there, and answers whether it did. The store hears of joins in one order, this focus in another:
   * the order of endpoint IDs is the store's, and decides. It says nothing of who was placed here without the store, until the store has them: of
   * such the last to come is the newest, and the store, which may be on the way of being told otherwise, is told again. So it is of whoever comes so late that
   * a newer self may have been here and left: then the store has neither.
   */
  #enter(held: Held, participant: ParticipantRecord): boolean {
    const { conferenceId, identity, endpointId } = participant;
    const before = held.participants.get(identity);
    const isLocal = (id: EndpointId) => id >= held.storeNext && id <= held.localLast;
    const isLower = before !== undefined && endpointId < before.endpointId;
    if (isLower && !isLocal(before.endpointId)) return false;
    const isUntold = before === undefined ? endpointId < held.lastLeft : isLower || isLocal(endpointId);
    putLast(held.participants, participant);
    held.storeNext = Math.max(held.storeNext, endpointId + 1);
    if (isUntold) this.change(conferenceId);
    return true;
  }

  /** A conference that this focus has taken over, as the store answered. */
  noteTaken(
    { record, term }: CountedConference,
    participants: readonly ParticipantRecord[],
    numbers: { readonly next: number; readonly saves: number },
  ): void {
    this.dropConference(record.conferenceId);
    const held = this.#hold(record, term);
    for (const participant of participants) held.participants.set(participant.identity, participant);
    held.storeNext = numbers.next;
    held.saves = numbers.saves;
  }

  noteMoved(counted: CountedConference, participant: ParticipantRecord): ConferenceRecord {
    const record = this.noteConference(counted);
    const held = this.#held.get(record.conferenceId);
    if (held?.participants.get(participant.identity)?.sid === participant.sid) {
      held.participants.set(participant.identity, participant);
    }
    return record;
  }

  /** A part of the snapshot that is on its way to the store. */
  noteSaving(conferenceId: ConferenceId, fields: ReadonlyMap<string, Uint8Array | null>): void {
    const held = this.#held.get(conferenceId);
    if (held === undefined) return;
    for (const [field, value] of fields) {
      if (value === null) held.snapshot.delete(field);
      else held.snapshot.set(field, Uint8Array.from(value));
    }
  }

  /** The store counts so many writes of the snapshot, and has all of them. */
  noteSaved(conferenceId: ConferenceId, saves: number): void {
    const held = this.#held.get(conferenceId);
    if (held !== undefined) held.saves = saves;
  }

  /** The snapshot as the store has it: what is known here already is as new. */
  noteLoaded(conferenceId: ConferenceId, fields: ReadonlyMap<string, Uint8Array>): void {
    if (this.#held.get(conferenceId)?.snapshot.size === 0) this.noteSaving(conferenceId, fields);
  }

  /** Takes out a participant; answers whether it was there. */
  dropParticipant(conferenceId: ConferenceId, endpointId: EndpointId, sid: string): boolean {
    const found = this.find({ conferenceId, endpointId, sid });
    if (found === undefined) return false;
    const held = this.#held.get(conferenceId)!;
    held.participants.delete(found.identity);
    held.lastLeft = Math.max(held.lastLeft, endpointId);
    return true;
  }

  dropConference(conferenceId: ConferenceId): void {
    const held = this.#held.get(conferenceId);
    if (held === undefined) return;
    this.#held.delete(conferenceId);
    const { room } = held.record;
    if (this.#byRoom.get(room) === conferenceId) this.#byRoom.delete(room);
  }

  /** It is another's by now, or was closed by another. */
  lose(conferenceId: ConferenceId): void {
    const held = this.#held.get(conferenceId);
    if (held === undefined) return;
    this.dropConference(conferenceId);
    this.#onLost(held.record);
  }

  dropAll(): void {
    this.#held.clear();
    this.#byRoom.clear();
  }

  participant(conferenceId: ConferenceId, identity: string): ParticipantRecord | undefined {
    return this.#held.get(conferenceId)?.participants.get(identity);
  }

  find({ conferenceId, endpointId, sid }: MoveRequest): ParticipantRecord | undefined {
    const participants = this.#held.get(conferenceId)?.participants.values();
    return participants?.find(one => one.endpointId === endpointId && one.sid === sid);
  }

  conference(conferenceId: ConferenceId): HeldConference | undefined {
    return this.#held.get(conferenceId);
  }

  inRoom(room: string): HeldConference | undefined {
    const conferenceId = this.#byRoom.get(room);
    return conferenceId === undefined ? undefined : this.#held.get(conferenceId);
  }

  records(): ConferenceRecord[] {
    return [...this.#held.values()].map(({ record }) => record);
  }

  conferenceIds(): ConferenceId[] {
    return [...this.#held.keys()];
  }

  /** Conferences with changes that the store does not have. */
  ahead(): ConferenceId[] {
    return [...this.#held.values()].filter(isAhead).map(({ record }) => record.conferenceId);
  }

  /** A change that the store does not have: it is to be put right there. The version grows beyond any that the store may have given out. */
  change(conferenceId: ConferenceId): ConferenceRecord | undefined {
    const held = this.#held.get(conferenceId);
    if (held === undefined) return undefined;
    const growth = isAhead(held) ? 1 : UNSEEN_MAX;
    held.changes++;
    held.record = { ...held.record, version: held.record.version + growth };
    return held.record;
  }

  /** Puts a participant in without the store, whom `placed` makes for an endpoint ID that is never given out again. */
  place(
    conferenceId: ConferenceId,
    placed: (endpointId: EndpointId) => ParticipantRecord,
  ): ConferenceRecord | undefined {
    const held = this.#held.get(conferenceId);
    if (held === undefined) return undefined;
    held.localLast = Math.max(held.localLast + 1, held.storeNext + UNSEEN_MAX);
    putLast(held.participants, placed(held.localLast as EndpointId));
    return this.change(conferenceId);
  }

  /** Moves a participant without the store; it must be there. */
  moveTo(participant: ParticipantRecord): ConferenceRecord | undefined {
    this.#held.get(participant.conferenceId)?.participants.set(participant.identity, participant);
    return this.change(participant.conferenceId);
  }

  /** The store has all of what was there when it was asked: `changes` as they were, and the next endpoint ID that it was given. */
  restored(conferenceId: ConferenceId, changes: number, next: number): void {
    const held = this.#held.get(conferenceId);
    if (held === undefined) return;
    held.changesStored = Math.max(held.changesStored, changes);
    held.storeNext = Math.max(held.storeNext, next);
  }

  #hold(record: ConferenceRecord, term: number): Held {
    const numbers = { storeNext: 1, localLast: 0, lastLeft: 0, saves: 0, changes: 0, changesStored: 0 };
    const held: Held = { record, term, participants: new Map(), snapshot: new Map(), ...numbers };
    const before = this.#byRoom.get(record.room);
    this.#held.set(record.conferenceId, held);
    this.#byRoom.set(record.room, record.conferenceId);
    // The room was closed and opened anew, which this focus had not heard of.
    if (before !== undefined) this.lose(before);
    return held;
  }

  /** The version and the next endpoint ID to put a conference back with. */
  resumeNumbers(conferenceId: ConferenceId): { readonly version: number; readonly next: number } {
    const { record, storeNext, localLast } = this.#held.get(conferenceId)!;
    return { version: record.version + UNSEEN_MAX, next: Math.max(storeNext, localLast + 1) + UNSEEN_MAX };
  }
}

function isAhead({ changes, changesStored }: Held): boolean {
  return changes > changesStored;
}

function putLast(participants: Map<string, ParticipantRecord>, participant: ParticipantRecord): void {
  participants.delete(participant.identity);
  participants.set(participant.identity, participant);
}

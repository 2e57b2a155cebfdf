/** A room as fields of bytes, from which another focus can go on with it; see README.md for what is in them. */
import { type EndpointId, formatId } from '../../../protocol/ids.ts';
import type { Participant } from '../participant.ts';
import type { Room } from '../room.ts';
import { ParticipantWriter, type RoomView } from './participant-field.ts';
import { writeRoom } from './room-field.ts';
import { Trace, traceParticipant, traceRoom } from './trace.ts';

/** The room's own facts; each participant's field is named by its endpoint ID. */
export const ROOM_FIELD = 'room';

interface Known {
  readonly participant: Participant;
  readonly trace: Trace;
}

/** Take it after the room's outputs were carried out: what they say is not in it. */
export class RoomSnapshots {
  readonly #room: Room;
  readonly #view: RoomView;
  readonly #writer = new ParticipantWriter();
  readonly #roomTrace = new Trace();
  readonly #known = new Map<EndpointId, Known>();
  readonly #tooLong = new Set<string>();

  constructor(room: Room) {
    this.#room = room;
    this.#view = {
      isPublished: (trackSid, publisher) => room.publishers.get(trackSid) === publisher,
      isTouched: participant => room.changed.has(participant),
    };
  }

  /** Names of fields that are too long to be kept: whoever they are about has to start anew elsewhere. */
  get tooLong(): ReadonlySet<string> {
    return this.#tooLong;
  }

  /** Fields that changed since the last call; null: gone. Cheap when nothing changed. */
  changes(): ReadonlyMap<string, Uint8Array | null> {
    const fields = new Map<string, Uint8Array | null>();
    traceRoom(this.#roomTrace, this.#room);
    if (!this.#roomTrace.finish()) this.#put(fields, ROOM_FIELD, writeRoom(this.#room));
    for (const participant of this.#room.participants.values()) {
      if (this.#isChanged(participant)) {
        this.#put(fields, formatId(participant.endpointId), this.#writer.write(participant, this.#view));
      }
    }
    if (this.#known.size > this.#room.participants.size) this.#dropGone(fields);
    return fields;
  }

  /** The whole, as a first call or after the store lost it. What changed until now is in it, and not in the next {@link changes}. */
  all(): ReadonlyMap<string, Uint8Array> {
    this.changes();
    const fields = new Map<string, Uint8Array | null>();
    this.#put(fields, ROOM_FIELD, writeRoom(this.#room));
    for (const participant of this.#room.participants.values()) {
      this.#put(fields, formatId(participant.endpointId), this.#writer.write(participant, this.#view));
    }
    return new Map([...fields].flatMap(([name, bytes]) => (bytes === null ? [] : [[name, bytes] as const])));
  }

  #isChanged(participant: Participant): boolean {
    const { endpointId } = participant;
    let known = this.#known.get(endpointId);
    if (known?.participant !== participant) {
      known = { participant, trace: new Trace() };
      this.#known.set(endpointId, known);
    }
    traceParticipant(known.trace, participant, this.#view);
    return !known.trace.finish();
  }

  #dropGone(fields: Map<string, null | Uint8Array>): void {
    for (const [endpointId, { participant }] of this.#known) {
      if (this.#room.withSid(participant.sid) === participant) continue;
      this.#known.delete(endpointId);
      this.#tooLong.delete(formatId(endpointId));
      fields.set(formatId(endpointId), null);
    }
  }

  #put(fields: Map<string, Uint8Array | null>, name: string, bytes: Uint8Array | null): void {
    if (bytes === null) this.#tooLong.add(name);
    else this.#tooLong.delete(name);
    fields.set(name, bytes);
  }
}

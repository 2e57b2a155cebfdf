/** The field of the room's own facts. Who it is comes from the store's record of the conference. */
import { type Static, Type } from 'typebox';
import type { Room } from '../room.ts';
import { compile, type Read, readField, unreadable, writeField } from './field.ts';

const Count = Type.Integer({ minimum: 0 });

const RoomSchema = Type.Object({
  conferenceId: Type.Integer({ minimum: 1, maximum: 0xffffffff }),
  properties: Type.Object({
    emptyTimeoutSeconds: Type.Number({ minimum: 0 }),
    departureTimeoutSeconds: Type.Number({ minimum: 0 }),
    participantsMax: Count,
    metadata: Type.String(),
    /** Parts of a placement policy; what is none is passed over. */
    placement: Type.Optional(Type.Unknown()),
  }),
  emptySinceMs: Type.Number(),
  hasBeenJoined: Type.Boolean(),
  isInfoChanged: Type.Boolean(),
});
export type RoomFields = Static<typeof RoomSchema>;

const VALIDATOR = compile(RoomSchema);

/** Null: it is too long to be kept. */
export function writeRoom({
  identity,
  properties,
  emptySinceMs,
  hasBeenJoined,
  isInfoChanged,
}: Room): Uint8Array | null {
  const { emptyTimeoutSeconds, departureTimeoutSeconds, participantsMax, metadata, placement } = properties;
  const fields: RoomFields = {
    conferenceId: identity.conferenceId,
    properties: { emptyTimeoutSeconds, departureTimeoutSeconds, participantsMax, metadata, placement },
    emptySinceMs,
    hasBeenJoined,
    isInfoChanged,
  };
  return writeField(JSON.stringify(fields));
}

/** Never throws. */
export function readRoom(bytes: Uint8Array, conferenceId: number): Read<RoomFields> {
  const read = readField(bytes, VALIDATOR);
  if (read.ok && read.value.conferenceId !== conferenceId) return unreadable('it is of another conference');
  return read;
}

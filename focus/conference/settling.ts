import { requestSections } from './negotiating.ts';
import type { Room } from './room.ts';
import type { RoomOutput } from './room-output.ts';

/** The end of every input: asks for the sections that became necessary, and hands out all that is to be done. */
export function settle(room: Room): RoomOutput[] {
  for (const participant of room.changed) requestSections(room, participant);
  return room.drain();
}

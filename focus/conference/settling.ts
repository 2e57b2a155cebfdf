import { requestSections } from './negotiating.ts';
import { offerTracks } from './offering.ts';
import type { Room } from './room.ts';
import type { RoomOutput } from './room-output.ts';

/** The end of every input: offers or asks for the sections that became necessary, and hands out all that is to be done. */
export function settle(room: Room): RoomOutput[] {
  for (const participant of room.changed) {
    if (participant.receiving === null) requestSections(room, participant);
    else offerTracks(room, participant, participant.receiving);
  }
  return room.drain();
}

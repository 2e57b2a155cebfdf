/** Makes the Room of a conference that is taken over, from its snapshot. */
import type { Logger } from 'pino';
import type { Random } from '../conference/random.ts';
import { Room } from '../conference/room.ts';
import { restoreRoom } from '../conference/snapshot/restore-room.ts';
import type { ConferenceHost } from './conference-host.ts';
import type { RestoreRoom } from './takeovers.ts';

/** Without a snapshot that can be read the room is empty: its clients are told to start anew, and come back into the same conference. */
export function createRestorer(
  host: Pick<ConferenceHost, 'settings' | 'properties' | 'nowMs'>,
  random: Random,
  log: Logger,
): RestoreRoom {
  return (conference, fields) => {
    const { conferenceId, room: name, roomSid: sid, createdAtMs } = conference;
    const identity = { name, sid, conferenceId, createdAtMs };
    const restored = restoreRoom(fields, identity, host.settings, random, host.nowMs());
    if (!restored.ok) {
      log.warn({ room: name, reason: restored.reason }, 'a room is taken over without its snapshot');
      return new Room(identity, { ...host.properties }, host.settings, random, host.nowMs());
    }
    if (restored.unreadable.length > 0) {
      log.warn({ room: name, endpoints: restored.unreadable }, 'participants that cannot be read have to start anew');
    }
    return restored.room;
  };
}

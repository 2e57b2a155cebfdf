/** What happened, for whoever is outside: LiveKit's webhook events. Snapshots, since they are read after the state has moved on. */
import type { ParticipantInfo, Room as RoomInfo, TrackInfo } from '@livekit/protocol';
import type { Participant } from './participant.ts';
import type { Room } from './room.ts';
import type { Track } from './track.ts';

export type Notice =
  | { readonly event: 'room_started' | 'room_finished'; readonly room: RoomInfo }
  | {
      /** `joined`: its media is up. `connection_aborted`: it left without that. */
      readonly event: 'participant_joined' | 'participant_left' | 'participant_connection_aborted';
      readonly room: RoomInfo;
      readonly participant: ParticipantInfo;
    }
  | {
      readonly event: 'track_published' | 'track_unpublished';
      readonly room: RoomInfo;
      readonly participant: ParticipantInfo;
      readonly track: TrackInfo;
    };

/** Call it after the change: the snapshots tell of the room as it is then. */
export function noteParticipant(
  room: Room,
  event: 'participant_joined' | 'participant_left' | 'participant_connection_aborted',
  participant: Participant,
): void {
  room.output({ kind: 'notice', notice: { event, room: room.info(), participant: participant.info() } });
}

/** One notice for each of `tracks`. */
export function noteTracks(
  room: Room,
  event: 'track_published' | 'track_unpublished',
  publisher: Participant,
  tracks: readonly Track[],
): void {
  for (const { info } of tracks) {
    const notice = { event, room: room.info(), participant: publisher.info(), track: info.clone() };
    room.output({ kind: 'notice', notice });
  }
}

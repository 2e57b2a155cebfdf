/** Makes this focus the one that serves a restored room. */
import { countTracks } from '../publishing.ts';
import type { Room } from '../room.ts';

/**
 * Everybody's socket is gone with the other focus: they are given the usual time to resume, also those of whose media that focus had not heard yet. Bridges are sent what they are
 * to have once more, because the last of it may never have left the other focus. Outputs tell metrics of whoever is there now.
 */
export function takeOver(room: Room, nowMs: number): void {
  for (const participant of room.participants.values()) {
    const { sid: participantSid, identity, endpointId, bridgeId, region, receiving } = participant;
    participant.signalLostAtMs ??= nowMs;
    participant.document = null;
    if (receiving !== null) receiving.document = null;
    room.touch(participant);
    room.output({ kind: 'joined', participantSid, identity, endpointId, bridgeId, region });
    countTracks(
      room,
      participant.publications.published().filter(track => room.publishers.has(track.sid)),
      1,
    );
  }
  assumeSpeakers(room);
  if (room.participants.size > 0) room.output({ kind: 'conference', document: room.document() });
}

/** Who spoke last is not known: who publishes audio may have, and its end is told with the bridge's next word. */
function assumeSpeakers(room: Room): void {
  const speakers = new Set<string>();
  for (const { sid, permissions, publications } of room.participants.values()) {
    const hasAudio = publications.published().some(({ kind }) => kind === 'audio');
    if (hasAudio && !permissions.hidden) speakers.add(sid);
  }
  for (const { bridgeId } of room.participants.values()) room.speakers.set(bridgeId, speakers);
}

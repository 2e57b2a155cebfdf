/** Makes this focus the one that serves a restored room. */
import { restartIce } from '../offering.ts';
import type { Participant } from '../participant.ts';
import { countTracks } from '../publishing.ts';
import type { Room } from '../room.ts';

/** More ICE restarts than happen between the last snapshot and a takeover. */
const GENERATIONS_AHEAD = 1000;

/**
 * Everybody's socket is gone with the other focus: they are given the usual time to resume, also those of whose media that focus had not heard yet. Bridges are sent what they are
 * to have once more, because the last of it may never have left the other focus. Outputs tell metrics of whoever is there now.
 */
export function takeOver(room: Room, nowMs: number): void {
  for (const participant of room.participants.values()) {
    const { sid: participantSid, identity, endpointId, bridgeId, region } = participant;
    // A shadow has neither a socket that could be back nor ICE: it goes on as its original does (forwarding.ts).
    if (participant.forwards === null) {
      participant.signalLostAtMs ??= nowMs;
      forgetBridgeState(room, participant);
    }
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

/**
 * Its bridge may be ahead of the snapshot, by documents and by ICE restarts, and passes over what it takes for an older generation. So a new one begins that is newer for certain: media
 * goes on over the one in force until the client, which restarts ICE when it resumes, uses another.
 */
function forgetBridgeState(room: Room, participant: Participant): void {
  const { receiving } = participant;
  participant.document = null;
  if (participant.answeredGeneration >= 0) participant.answeredGeneration += GENERATIONS_AHEAD;
  participant.iceGeneration += GENERATIONS_AHEAD;
  if (receiving === null) return;
  receiving.document = null;
  receiving.iceGeneration += GENERATIONS_AHEAD;
  if (receiving.offeredGeneration >= 0) receiving.offeredGeneration += GENERATIONS_AHEAD;
  if (receiving.answeredGeneration >= 0) receiving.answeredGeneration += GENERATIONS_AHEAD;
  restartIce(room, participant, receiving);
}

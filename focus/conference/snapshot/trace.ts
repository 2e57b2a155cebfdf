/**
 * Notices that something is not what it was without writing it: a list of all that can change, compared with the list of the time before. Values that are never changed in place
 * (offers, answers, permissions) count as one each; what is changed in place is walked through.
 */
import type { TrackInfo } from '@livekit/protocol';
import type { BridgeMove } from '../bridge-move.ts';
import type { Participant } from '../participant.ts';
import type { ReceivingSide } from '../receiving-side.ts';
import type { Room } from '../room.ts';
import type { Track } from '../track.ts';
import type { RoomView } from './participant-field.ts';

export class Trace {
  #values: unknown[] = [];
  #at = 0;
  #isSame = true;

  /** The next of the values, always in the same order. */
  note(value: unknown): void {
    if (this.#values[this.#at] !== value) {
      this.#values[this.#at] = value;
      this.#isSame = false;
    }
    this.#at++;
  }

  /** Ends a round. True when it was the same as the one before; the first never is. */
  finish(): boolean {
    const isSame = this.#isSame && this.#at === this.#values.length;
    this.#values.length = this.#at;
    this.#at = 0;
    this.#isSame = true;
    return isSame;
  }
}

export function traceRoom(trace: Trace, { properties, emptySinceMs, hasBeenJoined, isInfoChanged }: Room): void {
  trace.note(properties.emptyTimeoutSeconds);
  trace.note(properties.departureTimeoutSeconds);
  trace.note(properties.participantsMax);
  trace.note(properties.metadata);
  trace.note(properties.placement);
  trace.note(emptySinceMs);
  trace.note(hasBeenJoined);
  trace.note(isInfoChanged);
}

export function traceParticipant(trace: Trace, participant: Participant, room: RoomView): void {
  const { publications, subscriptions, receiving, answer } = participant;
  trace.note(participant.bridgeId);
  trace.note(participant.bridgeRegion);
  trace.note(participant.name);
  trace.note(participant.metadata);
  trace.note(participant.attributes);
  trace.note(participant.permissions);
  trace.note(participant.state);
  trace.note(participant.disconnectReason);
  trace.note(participant.subscriberRules);
  trace.note(participant.version);
  trace.note(participant.offer);
  trace.note(participant.iceGeneration);
  trace.note(participant.answeredGeneration);
  trace.note(participant.openChannels);
  trace.note(participant.sections);
  trace.note(answer);
  trace.note(answer?.revision);
  trace.note(participant.requested);
  trace.note(participant.revision);
  trace.note(participant.signalLostAtMs);
  for (const info of participant.missedLeaves.values()) trace.note(info);
  trace.note(participant.mediaGoneAtMs);
  trace.note(participant.delivered);
  trace.note(participant.nextTokenAtMs);
  trace.note(room.isTouched(participant));
  trace.note(publications.nextSourceId);
  for (const track of publications.all) traceTrack(trace, track, room.isPublished(track.sid, participant));
  trace.note(subscriptions.autoSubscribe);
  trace.note(subscriptions.changes);
  for (const trackSid of subscriptions.denied) trace.note(trackSid);
  if (receiving !== null) traceReceiving(trace, receiving);
  if (participant.move !== null) traceMove(trace, participant.move);
}

function traceTrack(trace: Trace, track: Track, isPublished: boolean): void {
  trace.note(track.sid);
  trace.note(track.section);
  trace.note(track.streams);
  trace.note(track.isQueued);
  trace.note(track.wasSubscribed);
  trace.note(track.neededLayers);
  trace.note(isPublished);
  traceInfo(trace, track.info);
}

function traceMove(trace: Trace, move: BridgeMove): void {
  trace.note(move);
  trace.note(move.phase);
  trace.note(move.waitsSinceMs);
  trace.note(move.isAwaited);
  for (const endpointId of move.awaited) trace.note(endpointId);
}

function traceReceiving(trace: Trace, side: ReceivingSide): void {
  trace.note(side.isNeeded);
  trace.note(side.revision);
  trace.note(side.iceGeneration);
  trace.note(side.generationRevision);
  trace.note(side.transport);
  trace.note(side.offeredGeneration);
  trace.note(side.offerId);
  trace.note(side.unanswered);
  trace.note(side.unanswered?.sinceMs);
  trace.note(side.answer);
  trace.note(side.answeredGeneration);
  for (const endpointId of side.connected) trace.note(endpointId);
  for (const { track } of side.places) trace.note(track);
}

/** Changed in place wherever a track's facts change: muted, size, codec. Its lists are replaced as a whole, but for what it says of each codec. */
export function traceInfo(trace: Trace, info: TrackInfo): void {
  noteFields(trace, info);
  for (const codec of info.codecs) noteFields(trace, codec);
}

/** Without a list of them for each: this is most of what noticing costs. */
function noteFields(trace: Trace, message: object): void {
  for (const name in message) trace.note(message[name as keyof typeof message]);
}

/**
 * Offers of ours, for the connection on which a client with two of them receives. One is under way at most: what changes meanwhile is in the next. The bridge is told
 * to send a track when the client has answered that it takes it.
 */
import { SessionDescription } from '@livekit/protocol';
import type { Transport } from '../../protocol/control/spec.ts';
import type { EndpointId } from '../../protocol/ids.ts';
import { readAnswer } from '../sdp/read-answer.ts';
import { writeOffer } from '../sdp/write-offer.ts';
import { handleAnswered } from './bridge-move.ts';
import { handlePrepared } from './hand-over.ts';
import { handleTransport, sectionTrack, tellSubscribed } from './negotiating.ts';
import type { Participant } from './participant.ts';
import type { ReceivingSide } from './receiving-side.ts';
import type { Room } from './room.ts';

/** A client that has not answered for so long does not any more. */
const ANSWER_TIMEOUT_MS = 15_000;

/** The bridge has taken the document of `revision` of one of the participant's endpoints; `transport` is its side of that one. */
export function handleTaken(
  room: Room,
  participant: Participant,
  endpointId: EndpointId,
  revision: number,
  transport: Transport,
): void {
  const { receiving } = participant;
  handlePrepared(room, participant, endpointId);
  if (endpointId !== receiving?.endpointId) return handleTransport(room, participant, revision, transport);
  if (receiving.generationRevision === 0 || revision < receiving.generationRevision) return;
  receiving.transport = transport;
  offerTracks(room, participant, receiving);
}

/** Offers what the participant is to receive, unless that is what it was offered last. Cheap when nothing is to be done. */
export function offerTracks(room: Room, participant: Participant, receiving: ReceivingSide): void {
  const { active } = participant.subscriptions;
  if (active.size > 0) receiving.isNeeded = true;
  if (!receiving.isNeeded || receiving.unanswered !== null || participant.signalLostAtMs !== null) return;
  if (participant.move?.phase === 'told') return;
  const { transport } = receiving;
  if (transport === null || receiving.isOffered(active)) return;
  const before = receiving.layout;
  receiving.place(active, trackSid => room.track(trackSid)?.track.kind);
  // A track that finds no place now is not a reason to offer the same again, and without data the first section comes with the first track.
  if (receiving.layout === before && receiving.offeredGeneration === receiving.iceGeneration) return;
  if (receiving.dataMid === null && receiving.places.length === 0) return;
  receiving.offerId++;
  receiving.offeredGeneration = receiving.iceGeneration;
  receiving.unanswered = { sinceMs: null };
  const value = new SessionDescription({
    type: 'offer',
    id: receiving.offerId,
    sdp: writeOffer({
      sessionId: receiving.sessionId,
      sessionVersion: receiving.offerId,
      transport,
      dataMid: receiving.dataMid,
      sections: receiving.places.map(({ mid, kind, track }) => {
        const found = track === null ? undefined : sectionTrack(room, participant, track.sid);
        return { mid, kind, track: found?.send ?? null, isStereo: found?.opus.stereo ?? false };
      }),
    }),
    midToTrackId: Object.fromEntries(
      receiving.places.flatMap(({ mid, track }) => (track === null ? [] : [[mid, track.sid]])),
    ),
  });
  room.send(participant, { case: 'offer', value });
}

/** LiveKit's Rust and older clients leave the id out. Nothing for an answer that no offer waits for. Throws SdpError when it cannot be read. */
export function handleAnswer(room: Room, participant: Participant, description: SessionDescription): void {
  const { receiving, subscriptions } = participant;
  if (receiving === null || receiving.unanswered === null) return;
  if (description.id !== 0 && description.id !== receiving.offerId) return;
  const answer = readAnswer(description.sdp);
  const isRestart = receiving.answer !== null && receiving.answeredGeneration !== receiving.offeredGeneration;
  // Without an id, a late answer to an offer before the restart is known by its credentials: in a new generation both sides have new ones.
  if (isRestart && receiving.answer?.ice.ufrag === answer.ice.ufrag) return;
  receiving.answer = answer;
  receiving.answeredGeneration = receiving.offeredGeneration;
  receiving.unanswered = null;
  participant.sections = receiving.accepted(subscriptions.active);
  room.touch(participant);
  if (participant.offer === null) handleAnswered(room, participant);
  tellSubscribed(room, participant.sections.keys());
}

/** The client is back, maybe from another address: it is offered a new ICE generation. Media goes on over the old one until the client uses the new. */
export function restartIce(room: Room, participant: Participant, receiving: ReceivingSide): void {
  receiving.unanswered = null;
  if (!receiving.isNeeded) return;
  receiving.iceGeneration++;
  receiving.generationRevision = 0;
  receiving.transport = null;
  room.touch(participant);
}

/** True when the client owes an answer for too long. Call it with every tick: it counts from the first that saw the offer. */
export function isAnswerOverdue({ receiving, signalLostAtMs }: Participant, nowMs: number): boolean {
  if (signalLostAtMs !== null || receiving === null || receiving.unanswered === null) return false;
  receiving.unanswered.sinceMs ??= nowMs;
  return nowMs - receiving.unanswered.sinceMs >= ANSWER_TIMEOUT_MS;
}

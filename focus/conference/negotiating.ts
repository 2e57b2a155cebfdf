/**
 * Offers of the client and our answers: all there is of a client with one PeerConnection, and what a client with two of them publishes on (`offering.ts` has the other). An answer is written when the bridge has taken the document that the offer led to, so
 * that it knows the client's sources before their packets come. When tracks lack sections, the client is asked to offer more.
 */
import { MediaSectionsRequirement, SessionDescription, TrackSubscribed } from '@livekit/protocol';
import type { Transport } from '../../protocol/control/spec.ts';
import type { SectionTrack } from '../sdp/media-line.ts';
import { publishes } from '../sdp/offer.ts';
import { readOffer } from '../sdp/read-offer.ts';
import { assignSections, type WantedTrack } from '../sdp/sections.ts';
import { type SectionPlan, writeAnswer } from '../sdp/write-answer.ts';
import { handleAnswered, isOutdated } from './bridge-move.ts';
import type { Participant } from './participant.ts';
import { publish, unpublish } from './publishing.ts';
import type { Room } from './room.ts';

/** Throws SdpError when the offer cannot be read. */
export function handleOffer(room: Room, participant: Participant, description: SessionDescription): void {
  const offer = readOffer(description.sdp);
  if (isOutdated(participant, offer)) return;
  if (participant.offer !== null && participant.offer.ice.ufrag !== offer.ice.ufrag) {
    participant.iceGeneration++;
  }
  participant.offer = offer;
  participant.requested = null;
  const { ended, released } = participant.publications.handleOffer(offer);
  unpublish(room, participant, ended, released);
  if (participant.receiving === null) {
    participant.sections = assignSections(offer, participant.sections, wantedTracks(room, participant)).assigned;
  }
  participant.answer = { offerId: description.id, revision: 0 };
  room.touch(participant);
}

/** The bridge has taken the endpoint's document of `revision`, and this is its side of the transport. */
export function handleTransport(room: Room, participant: Participant, revision: number, transport: Transport): void {
  const { offer, answer } = participant;
  if (offer === null || answer === null || answer.revision === 0 || revision < answer.revision) return;
  participant.answer = null;
  const plans = participant.receiving === null ? sectionPlans(room, participant) : publishingPlans(participant);
  const sdp = writeAnswer(offer, transport, plans);
  const midToTrackId: Record<string, string> = {};
  const delivered = new Map<string, number>();
  for (const [mid, { send }] of plans) {
    if (send === null) continue;
    midToTrackId[mid] = send.trackId;
    delivered.set(send.trackId, send.ssrc);
  }
  participant.delivered = delivered;
  const value = new SessionDescription({ type: 'answer', sdp, id: answer.offerId, midToTrackId });
  participant.answeredGeneration = participant.iceGeneration;
  room.send(participant, { case: 'answer', value });
  handleAnswered(room, participant);
  tellSubscribed(room, delivered.keys());
  publishNegotiated(room, participant);
  if (participant.receiving === null) requestSections(room, participant);
}

function publishNegotiated(room: Room, participant: Participant): void {
  const news = participant.publications.published().filter(track => !room.publishers.has(track.sid));
  publish(room, participant, news);
}

/** Asks for an offer when the tracks a participant receives are not those that its sections carry. Cheap when nothing is to be done. */
export function requestSections(room: Room, participant: Participant): void {
  const { offer, answer, sections, requested, move } = participant;
  if (offer === null || answer !== null || (move !== null && move.phase !== 'answered')) return;
  if (isDelivered(participant)) return;
  const { missing } = assignSections(offer, sections, wantedTracks(room, participant));
  const numAudios = Math.max(0, missing.audio - (requested?.audio ?? 0));
  const numVideos = Math.max(0, missing.video - (requested?.video ?? 0));
  if (requested !== null && numAudios + numVideos === 0) return;
  participant.requested = {
    audio: (requested?.audio ?? 0) + numAudios,
    video: (requested?.video ?? 0) + numVideos,
  };
  const value = new MediaSectionsRequirement({ numAudios, numVideos });
  room.send(participant, { case: 'mediaSectionsRequirement', value });
}

/** What the latest offer sends has a name now: the same offer is asked for once more, except of a client with two PeerConnections, whose sections were accepted unnamed. */
export function requestOffer(room: Room, participant: Participant): void {
  if (participant.receiving !== null) {
    if (participant.offer !== null) participant.publications.handleOffer(participant.offer);
    room.touch(participant);
    if (participant.answer === null) publishNegotiated(room, participant);
    return;
  }
  if (participant.answer !== null || participant.requested !== null) return;
  participant.requested = { audio: 0, video: 0 };
  room.send(participant, { case: 'mediaSectionsRequirement', value: new MediaSectionsRequirement() });
}

/** True when the client has been given exactly the tracks it is subscribed to, as they are. */
function isDelivered({ subscriptions, delivered }: Participant): boolean {
  if (subscriptions.active.size !== delivered.size) return false;
  for (const { trackSid, ssrc } of subscriptions.active.values()) if (delivered.get(trackSid) !== ssrc) return false;
  return true;
}

function wantedTracks(room: Room, participant: Participant): WantedTrack<string>[] {
  const wanted: WantedTrack<string>[] = [];
  for (const key of participant.subscriptions.active.keys()) {
    const found = room.track(key);
    if (found !== undefined) wanted.push({ key, kind: found.track.kind });
  }
  return wanted;
}

function sectionPlans(room: Room, participant: Participant): Map<string, SectionPlan> {
  const plans = publishedPlans(participant);
  for (const trackSid of participant.subscriptions.active.keys()) {
    const mid = participant.sections.get(trackSid);
    const found = sectionTrack(room, participant, trackSid);
    if (mid === undefined || found === undefined) continue;
    plans.set(mid, { opus: found.opus, ...plans.get(mid), receive: plans.has(mid), send: found.send });
  }
  return plans;
}

/**
 * Older clients may announce a track after they have offered it, and do not know how to be asked for the same offer again. So whatever a publisher offers to send is accepted; until
 * it is announced, its bridge drops it.
 */
function publishingPlans(participant: Participant): Map<string, SectionPlan> {
  const plans = publishedPlans(participant);
  if (!participant.permissions.canPublish) return plans;
  for (const section of participant.offer?.sections ?? []) {
    if (publishes(section) && !plans.has(section.mid)) plans.set(section.mid, { receive: true, send: null });
  }
  return plans;
}

function publishedPlans(participant: Participant): Map<string, SectionPlan> {
  const plans = new Map<string, SectionPlan>();
  for (const { section, codecs, info } of participant.publications.published()) {
    if (section === null) continue;
    const opus = { stereo: info.stereo, dtx: !info.disableDtx };
    plans.set(section.mid, { receive: true, send: null, codecPreference: codecs, opus });
  }
  return plans;
}

/** A subscribed track as a section says it; undefined when it is not, or is no more. */
export function sectionTrack(
  room: Room,
  { subscriptions }: Participant,
  trackSid: string,
): { readonly send: SectionTrack; readonly opus: { readonly stereo: boolean; readonly dtx: boolean } } | undefined {
  const subscription = subscriptions.active.get(trackSid);
  const found = room.track(trackSid);
  if (subscription === undefined || found === undefined) return undefined;
  const { ssrc, rtxSsrc } = subscription;
  const { stereo, disableDtx } = found.track.info;
  const send = { ssrc, rtxSsrc, streamId: `${found.publisher.sid}|${trackSid}`, trackId: trackSid };
  return { send, opus: { stereo, dtx: !disableDtx } };
}

/** A publisher is told of the first subscriber of each of its tracks. */
export function tellSubscribed(room: Room, delivered: Iterable<string>): void {
  for (const trackSid of delivered) {
    const found = room.track(trackSid);
    if (found === undefined || found.track.wasSubscribed) continue;
    found.track.wasSubscribed = true;
    room.send(found.publisher, { case: 'trackSubscribed', value: new TrackSubscribed({ trackSid }) });
  }
}

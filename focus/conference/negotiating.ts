/**
 * Offers and answers. The client always offers. An answer is written when the bridge has taken the document that the offer led to, so
 * that it knows the client's sources before their packets come. When tracks lack sections, the client is asked to offer more.
 */
import { MediaSectionsRequirement, SessionDescription, TrackSubscribed } from '@livekit/protocol';
import type { Transport } from '../../protocol/control/spec.ts';
import { readOffer } from '../sdp/read-offer.ts';
import { assignSections, type WantedTrack } from '../sdp/sections.ts';
import { type SectionPlan, writeAnswer } from '../sdp/write-answer.ts';
import type { Participant } from './participant.ts';
import { publish, unpublish } from './publishing.ts';
import type { Room } from './room.ts';

/** Throws SdpError when the offer cannot be read. */
export function handleOffer(room: Room, participant: Participant, description: SessionDescription): void {
  const offer = readOffer(description.sdp);
  if (participant.offer !== null && participant.offer.ice.ufrag !== offer.ice.ufrag) {
    participant.iceGeneration++;
  }
  participant.offer = offer;
  participant.requested = null;
  const { ended, released } = participant.publications.handleOffer(offer);
  unpublish(room, participant, ended, released);
  participant.sections = assignSections(offer, participant.sections, wantedTracks(room, participant)).assigned;
  participant.answer = { offerId: description.id, revision: 0 };
  room.touch(participant);
}

/** The bridge has taken the endpoint's document of `revision`, and this is its side of the transport. */
export function handleTransport(room: Room, participant: Participant, revision: number, transport: Transport): void {
  const { offer, answer } = participant;
  if (offer === null || answer === null || answer.revision === 0 || revision < answer.revision) return;
  participant.answer = null;
  const plans = sectionPlans(room, participant);
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
  room.send(participant, { case: 'answer', value });
  tellSubscribed(room, delivered.keys());
  const news = participant.publications.published().filter(track => !room.publishers.has(track.sid));
  publish(room, participant, news);
  requestSections(room, participant);
}

/** Asks for an offer when the tracks a participant receives are not those that its sections carry. Cheap when nothing is to be done. */
export function requestSections(room: Room, participant: Participant): void {
  const { offer, answer, sections, requested } = participant;
  if (offer === null || answer !== null) return;
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

/** Asks for the same offer once more: what it sends has a name now. */
export function requestOffer(room: Room, participant: Participant): void {
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
  const plans = new Map<string, SectionPlan>();
  for (const { section, codecs, info } of participant.publications.published()) {
    if (section === null) continue;
    const opus = { stereo: info.stereo, dtx: !info.disableDtx };
    plans.set(section.mid, { receive: true, send: null, codecPreference: codecs, opus });
  }
  for (const { trackSid, ssrc, rtxSsrc } of participant.subscriptions.active.values()) {
    const mid = participant.sections.get(trackSid);
    const found = room.track(trackSid);
    if (mid === undefined || found === undefined) continue;
    const send = { ssrc, rtxSsrc, streamId: `${found.publisher.sid}|${trackSid}`, trackId: trackSid };
    const { stereo, disableDtx } = found.track.info;
    plans.set(mid, { opus: { stereo, dtx: !disableDtx }, ...plans.get(mid), receive: plans.has(mid), send });
  }
  return plans;
}

/** A publisher is told of the first subscriber of each of its tracks. */
function tellSubscribed(room: Room, delivered: Iterable<string>): void {
  for (const trackSid of delivered) {
    const found = room.track(trackSid);
    if (found === undefined || found.track.wasSubscribed) continue;
    found.track.wasSubscribed = true;
    room.send(found.publisher, { case: 'trackSubscribed', value: new TrackSubscribed({ trackSid }) });
  }
}

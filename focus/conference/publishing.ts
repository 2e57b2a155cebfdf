/** What a participant sends: announcing, muting, ending tracks. */
import {
  type AddTrackRequest,
  type AudioTrackFeature,
  MuteTrackRequest,
  RequestResponse_Reason,
  TrackPublishedResponse,
  TrackUnpublishedResponse,
} from '@livekit/protocol';
import { announce, announceToAll } from './announcing.ts';
import { tellNeededLayersOf } from './dynacast.ts';
import { noteTracks } from './notice.ts';
import type { Participant } from './participant.ts';
import { mayPublish } from './permissions.ts';
import { refuse } from './refusing.ts';
import type { Room } from './room.ts';
import { forgetTrack, reconcileTrack } from './subscribing.ts';
import { setCodec, type Track } from './track.ts';

/** LiveKit's AddTrackRequest. True when the client's latest offer already sends what it announces only now: it has to be answered anew. */
export function addTrack(room: Room, publisher: Participant, request: AddTrackRequest): boolean {
  const about = { case: 'addTrack' as const, value: request };
  if (!mayPublish(publisher.permissions, request.source)) {
    refuse(room, publisher, {
      reason: RequestResponse_Reason.NOT_ALLOWED,
      message: 'may not publish this source',
      about,
    });
    return false;
  }
  const added = publisher.publications.add(request, room.random);
  if (added.kind === 'refused') {
    refuse(room, publisher, { reason: added.reason, message: added.message, about });
    return false;
  }
  if (added.kind === 'queued') {
    refuse(room, publisher, {
      reason: RequestResponse_Reason.QUEUED,
      message: 'the track of this cid goes first',
      about,
    });
    return false;
  }
  tellPublished(room, publisher, added.track);
  return publisher.offer !== null && publisher.publications.isOffered(added.track, publisher.offer);
}

/** Tracks are carried by sections now: others get to know them and are subscribed. */
export function publish(room: Room, publisher: Participant, tracks: readonly Track[]): void {
  if (tracks.length === 0) return;
  for (const track of tracks) room.publishers.set(track.sid, publisher);
  room.isInfoChanged = true;
  countTracks(room, tracks, 1);
  announce(room, publisher);
  for (const track of tracks) reconcileTrack(room, publisher, track);
  noteTracks(room, 'track_published', publisher, tracks);
}

/** Tracks that `publications` has let go of already. */
export function unpublish(
  room: Room,
  publisher: Participant,
  ended: readonly Track[],
  released: readonly Track[],
): void {
  for (const track of released) tellPublished(room, publisher, track);
  const known = ended.filter(track => room.publishers.delete(track.sid));
  if (known.length === 0) return;
  room.isInfoChanged = true;
  countTracks(room, known, -1);
  announce(room, publisher);
  for (const track of known) forgetTrack(room, track.sid);
  noteTracks(room, 'track_unpublished', publisher, known);
}

/** Ends what the publisher may no longer send. */
export function enforcePermissions(room: Room, publisher: Participant): void {
  for (const track of [...publisher.publications.all]) {
    if (mayPublish(publisher.permissions, track.info.source)) continue;
    const released = publisher.publications.remove(track);
    unpublish(room, publisher, [track], released);
    const value = new TrackUnpublishedResponse({ trackSid: track.sid });
    room.send(publisher, { case: 'trackUnpublished', value });
    room.touch(publisher);
  }
}

/** The publisher's own mute. */
export function mute(room: Room, publisher: Participant, request: MuteTrackRequest): void {
  const track = publisher.publications.find(request.sid);
  if (track !== undefined) setMuted(room, publisher, track, request.muted);
  else {
    const about = { case: 'mute' as const, value: request };
    refuse(room, publisher, { reason: RequestResponse_Reason.NOT_FOUND, message: 'no such track', about });
  }
}

/** A mute by the server API: the publisher's client is told to do it too. */
export function muteByServer(room: Room, publisher: Participant, track: Track, muted: boolean): void {
  room.send(publisher, { case: 'mute', value: new MuteTrackRequest({ sid: track.sid, muted }) });
  setMuted(room, publisher, track, muted);
}

/** The client's capture has changed its features or size. */
export function updateTrack(
  room: Room,
  publisher: Participant,
  trackSid: string,
  change: { readonly features?: AudioTrackFeature[]; readonly width?: number; readonly height?: number },
): boolean {
  const track = publisher.publications.find(trackSid);
  if (track === undefined) return false;
  if (change.features !== undefined) track.info.audioFeatures = [...new Set(change.features)];
  if (change.width !== undefined) track.info.width = change.width;
  if (change.height !== undefined) track.info.height = change.height;
  if (track.section !== null) announceToAll(room, publisher);
  return true;
}

/** The bridge has seen the first packet of a source. */
export function handleSource(room: Room, publisher: Participant, sourceId: number, codec: string): void {
  const track = publisher.publications.withSource(sourceId);
  if (track !== undefined && setCodec(track, codec)) announce(room, publisher);
}

export function countTracks(room: Room, tracks: readonly Track[], sign: 1 | -1): void {
  const audio = tracks.filter(({ kind }) => kind === 'audio').length;
  if (tracks.length > 0) room.output({ kind: 'tracks', audio: sign * audio, video: sign * (tracks.length - audio) });
}

function setMuted(room: Room, publisher: Participant, track: Track, muted: boolean): void {
  if (track.info.muted === muted) return;
  track.info.muted = muted;
  if (track.section === null) return;
  announceToAll(room, publisher);
  if (!muted) tellNeededLayersOf(room, publisher, track);
  room.touch(publisher);
}

function tellPublished(room: Room, publisher: Participant, track: Track): void {
  const value = new TrackPublishedResponse({ cid: track.cid, track: track.info.clone() });
  room.send(publisher, { case: 'trackPublished', value });
}

/** Who receives which track: wishes, permissions and settings of all, brought together. */
import {
  SubscriptionError,
  type SubscriptionPermission,
  SubscriptionPermissionUpdate,
  SubscriptionResponse,
  type TrackPermission,
  type UpdateSubscription,
  type UpdateTrackSettings,
} from '@livekit/protocol';
import { settingsOf } from './layer-choice.ts';
import type { Participant } from './participant.ts';
import type { Room } from './room.ts';
import type { Track } from './track.ts';

/** Rows of one SubscriptionPermission; a longer one is refused as a whole. */
const PERMISSION_ROWS_MAX = 10_000;

/** Starts and stops what follows from the wishes of `subscriber` and the state of `track`. */
export function reconcile(room: Room, subscriber: Participant, publisher: Participant, track: Track): void {
  if (subscriber === publisher) return;
  const { subscriptions } = subscriber;
  const isWanted =
    // Not before its publisher has the answer: it may still go as if it had never been.
    room.publishers.has(track.sid) &&
    !publisher.permissions.hidden &&
    subscriber.permissions.canSubscribe &&
    subscriptions.wants(track.sid);
  const isAllowed = lets(publisher, subscriber, track);
  if (isWanted) tellPermission(room, subscriber, publisher, track, isAllowed);
  const isActive = subscriptions.active.has(track.sid);
  if (isWanted && isAllowed && !isActive) {
    subscriptions.start(track.sid, track.kind, subscriber.clientSsrcs(), room.random);
    room.touch(subscriber);
  } else if (isActive && !(isWanted && isAllowed)) {
    subscriptions.stop(track.sid);
    room.touch(subscriber);
  }
}

export function reconcileSubscriber(room: Room, subscriber: Participant): void {
  for (const publisher of room.participants.values()) {
    for (const track of publisher.publications.published()) reconcile(room, subscriber, publisher, track);
  }
}

export function reconcileTrack(room: Room, publisher: Participant, track: Track): void {
  for (const subscriber of room.participants.values()) reconcile(room, subscriber, publisher, track);
}

/** The track is no more: nobody is subscribed to it or remembers wishes about it. */
export function forgetTrack(room: Room, trackSid: string): void {
  for (const subscriber of room.participants.values()) {
    if (subscriber.subscriptions.active.has(trackSid)) room.touch(subscriber);
    subscriber.subscriptions.forget(trackSid);
  }
}

/** LiveKit's UpdateSubscription; a wish for a track that is not there is answered with SE_TRACK_NOTFOUND. */
export function updateSubscriptions(
  room: Room,
  subscriber: Participant,
  request: Pick<UpdateSubscription, 'trackSids' | 'participantTracks' | 'subscribe'>,
): void {
  const sids = new Set([...request.trackSids, ...request.participantTracks.flatMap(({ trackSids }) => trackSids)]);
  for (const trackSid of sids) {
    const found = room.track(trackSid);
    if (found !== undefined) {
      subscriber.subscriptions.choose(trackSid, request.subscribe);
      reconcile(room, subscriber, found.publisher, found.track);
    } else if (request.subscribe) {
      const err = SubscriptionError.SE_TRACK_NOTFOUND;
      room.send(subscriber, { case: 'subscriptionResponse', value: new SubscriptionResponse({ trackSid, err }) });
    }
  }
}

/** LiveKit's UpdateTrackSettings. Unknown tracks are passed over: they may have just ended. */
export function updateTrackSettings(room: Room, subscriber: Participant, request: UpdateTrackSettings): void {
  for (const trackSid of request.trackSids) {
    const found = room.track(trackSid);
    if (found === undefined) continue;
    const isChanged = subscriber.subscriptions.set(trackSid, settingsOf(request, found.track.info));
    if (isChanged && subscriber.subscriptions.active.has(trackSid)) room.touch(subscriber);
  }
}

/** A publisher says who may subscribe to its tracks. Each such message replaces what it said before. */
export function updateSubscriptionPermission(
  room: Room,
  publisher: Participant,
  request: SubscriptionPermission,
): void {
  if (request.trackPermissions.length > PERMISSION_ROWS_MAX) return;
  publisher.subscriberRules = request.allParticipants ? null : rulesByIdentity(room, request.trackPermissions);
  for (const track of publisher.publications.published()) reconcileTrack(room, publisher, track);
}

function rulesByIdentity(room: Room, rows: readonly TrackPermission[]): Map<string, TrackPermission> {
  const rules = new Map<string, TrackPermission>();
  for (const row of rows) {
    const identity =
      row.participantIdentity === '' ? room.withSid(row.participantSid)?.identity : row.participantIdentity;
    if (identity !== undefined) rules.set(identity, row);
  }
  return rules;
}

/** Recorders see everything: nobody can ask them for a permission of their own. */
function lets(publisher: Participant, subscriber: Participant, track: Track): boolean {
  if (publisher.subscriberRules === null || subscriber.permissions.recorder) return true;
  const rule = publisher.subscriberRules.get(subscriber.identity);
  return rule !== undefined && (rule.allTracks || rule.trackSids.includes(track.sid));
}

function tellPermission(
  room: Room,
  subscriber: Participant,
  publisher: Participant,
  track: Track,
  isAllowed: boolean,
): void {
  const { denied } = subscriber.subscriptions;
  if (denied.has(track.sid) !== isAllowed) return;
  if (isAllowed) denied.delete(track.sid);
  else denied.add(track.sid);
  room.send(subscriber, {
    case: 'subscriptionPermissionUpdate',
    value: new SubscriptionPermissionUpdate({
      participantSid: publisher.sid,
      trackSid: track.sid,
      allowed: isAllowed,
    }),
  });
}

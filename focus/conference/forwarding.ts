/**
 * A participant in a second room (LiveKit's ForwardParticipant): there it is a _shadow_, a participant without a client, that shows and sends what the original does in its own room, and whose media its
 * bridge takes from the original's endpoint (EndpointSpec `forwards`). It ends when the original leaves, or is removed from the second room.
 */
import { DisconnectReason, ParticipantInfo_Kind, TrackPermission } from '@livekit/protocol';
import type { EndpointId } from '../../protocol/ids.ts';
import { announceToAll, tellQuality } from './announcing.ts';
import { activate, join, leave } from './joining.ts';
import type { Participant, SubscriberRules } from './participant.ts';
import type { Permissions } from './permissions.ts';
import { changePermissions } from './profile.ts';
import { publish, unpublish } from './publishing.ts';
import { newSid } from './random.ts';
import type { Room } from './room.ts';
import type { Refusal } from './rooms.ts';
import { reconcileTrack } from './subscribing.ts';
import type { Track } from './track.ts';

/** `moved`: it has ended too, because the bridge was lost or the original is on another one now, from where it can begin again. */
export type Followed = 'unchanged' | 'changed' | 'ended' | 'moved';

/** The shadow's place in the second room, which the store has given. */
export interface ShadowPlace {
  readonly sid: string;
  readonly endpointId: EndpointId;
}

/** Why a participant cannot be forwarded to `destination` now; undefined when it can. `to`: that room, if it is open. */
export function forwardProblem(
  from: Room,
  original: Participant,
  destination: string,
  to: Room | undefined,
): Refusal | undefined {
  if (destination === from.identity.name) return 'same-room';
  if (original.forwards !== null) return 'participant-forwarded';
  if (to === undefined) return undefined;
  if (to.participants.has(original.identity)) return 'identity-taken';
  const { participantsMax } = to.properties;
  return participantsMax > 0 && to.participants.size >= participantsMax ? 'room-full' : undefined;
}

export class Forwarding {
  readonly from: Room;
  readonly original: Participant;
  readonly to: Room;
  readonly shadow: Participant;
  /** By SID of the original track. */
  readonly #tracks = new Map<string, Track>();
  /** As they were copied last; undefined: it is not known. */
  #permissions: Permissions | undefined;
  #rules: SubscriberRules | undefined;

  private constructor(from: Room, original: Participant, to: Room, shadow: Participant) {
    this.from = from;
    this.original = original;
    this.to = to;
    this.shadow = shadow;
    // It has no client to be given a token.
    shadow.nextTokenAtMs = Number.POSITIVE_INFINITY;
  }

  /** Joins a shadow to `to`, with what the original has now. */
  static begin(from: Room, original: Participant, to: Room, nowMs: number, place: ShadowPlace): Forwarding {
    const { sid, endpointId } = place;
    const shadow = join(to, nowMs, {
      sid,
      endpointId,
      identity: original.identity,
      bridgeId: original.bridgeId,
      region: original.region,
      bridgeRegion: original.bridgeRegion,
      name: original.name,
      metadata: original.metadata,
      attributes: original.attributes,
      kind: ParticipantInfo_Kind[original.info().kind].toLowerCase(),
      permissions: permissionsOfShadow(original.permissions),
      client: original.client,
      autoSubscribe: false,
      forwards: {
        room: from.identity.name,
        conferenceId: from.identity.conferenceId,
        endpointId: original.endpointId,
      },
    });
    const forwarding = new Forwarding(from, original, to, shadow);
    forwarding.follow(nowMs);
    return forwarding;
  }

  /** Goes on with a shadow whose room, or whose original's room, another focus has served before: brings it up to date. */
  static resume(from: Room, original: Participant, to: Room, shadow: Participant): Forwarding {
    const forwarding = new Forwarding(from, original, to, shadow);
    const copies = new Map(shadow.publications.published().map(copy => [copy.sourceId, copy]));
    for (const track of original.publications.published()) {
      const copy = copies.get(track.sourceId);
      if (copy === undefined || copy.kind !== track.kind) continue;
      copies.delete(track.sourceId);
      forwarding.#tracks.set(track.sid, copy);
    }
    // What ended in between: under SIDs that no track of the original has.
    for (const copy of copies.values()) forwarding.#tracks.set(copy.sid, copy);
    return forwarding;
  }

  /** Makes the shadow what the original is. Call it after every change of either room; cheap when there was none. */
  follow(nowMs: number): Followed {
    const { from, original, to, shadow } = this;
    if (shadow.state === 'disconnected') {
      const isBridgeLost = shadow.disconnectReason === DisconnectReason.MIGRATION;
      return isBridgeLost && original.state !== 'disconnected' ? 'moved' : 'ended';
    }
    if (original.state === 'disconnected') {
      const cause = `it has left ${from.identity.name}, from where it was forwarded`;
      leave(to, nowMs, shadow, { reason: original.disconnectReason, action: null, cause });
      return 'ended';
    }
    if (shadow.bridgeId !== original.bridgeId) {
      leave(to, nowMs, shadow, { reason: DisconnectReason.MIGRATION, action: null, cause: 'it is on another bridge' });
      return 'moved';
    }
    const changes = [this.#followProfile(), this.#followTracks(), this.#followState(), this.#followQuality()];
    return changes.includes(true) ? 'changed' : 'unchanged';
  }

  #followProfile(): boolean {
    const { original, to, shadow } = this;
    const { name, metadata, attributes, permissions } = original;
    const isSame = shadow.name === name && shadow.metadata === metadata && shadow.attributes === attributes;
    if (isSame && this.#permissions === permissions) return false;
    Object.assign(shadow, { name, metadata, attributes });
    if (!isSame) announceToAll(to, shadow);
    this.#permissions = permissions;
    changePermissions(to, shadow, permissionsOfShadow(permissions));
    shadow.nextTokenAtMs = Number.POSITIVE_INFINITY;
    return true;
  }

  #followTracks(): boolean {
    const { from, original, to, shadow } = this;
    const published = original.publications.published().filter(track => from.publishers.has(track.sid));
    const ended = this.#endAllBut(new Set(published.map(({ sid }) => sid)));
    const begun: Track[] = [];
    let isChanged = false;
    for (const track of published) {
      const copy = this.#tracks.get(track.sid);
      if (copy === undefined) begun.push(this.#begin(track));
      else if (bringUpToDate(copy, track)) isChanged = true;
    }
    // Before anybody is subscribed to a track that the original does not let everybody see.
    const isRuled = this.#followRules(begun.length + ended.length > 0);
    unpublish(to, shadow, ended, []);
    publish(to, shadow, begun);
    if (isChanged) announceToAll(to, shadow);
    if (!isChanged && begun.length + ended.length === 0) return isRuled;
    to.touch(shadow);
    return true;
  }

  #begin(track: Track): Track {
    const { to, shadow } = this;
    // Its own SID in the second room; the prefix says what kind of track it is.
    const sid = newSid(track.sid.slice(0, track.sid.indexOf('_') + 3), to.random);
    const copy: Track = { ...track, sid, info: track.info.clone(), wasSubscribed: true, neededLayers: null };
    copy.info.sid = sid;
    this.#tracks.set(track.sid, copy);
    shadow.publications.adopt(copy);
    return copy;
  }

  #endAllBut(published: ReadonlySet<string>): Track[] {
    const ended: Track[] = [];
    for (const [sid, copy] of this.#tracks) {
      if (published.has(sid)) continue;
      this.#tracks.delete(sid);
      this.shadow.publications.remove(copy);
      ended.push(copy);
    }
    return ended;
  }

  /** Whom the original lets subscribe, by identity: its word counts in the second room as well. */
  #followRules(hasOtherTracks: boolean): boolean {
    const { original, to, shadow } = this;
    const rules = original.subscriberRules;
    if (rules === this.#rules && (rules === null || !hasOtherTracks)) return false;
    this.#rules = rules;
    shadow.subscriberRules = rules === null ? null : new Map(Array.from(rules, ([who, row]) => [who, this.#row(row)]));
    for (const track of shadow.publications.published()) {
      if (to.publishers.has(track.sid)) reconcileTrack(to, shadow, track);
    }
    return true;
  }

  #row(row: TrackPermission): TrackPermission {
    const trackSids = row.trackSids.flatMap(sid => this.#tracks.get(sid)?.sid ?? []);
    return new TrackPermission({ ...row, trackSids });
  }

  #followState(): boolean {
    if (this.original.state !== 'active' || this.shadow.state === 'active') return false;
    activate(this.to, this.shadow);
    return true;
  }

  /** The bridge measures clients; how well the original is connected is how well the shadow is. */
  #followQuality(): boolean {
    const { from, original, to, shadow } = this;
    const measured = from.measurements.endpoint(original.endpointId);
    if (measured === undefined || measured === to.measurements.endpoint(shadow.endpointId)) return false;
    if (!to.measurements.set(shadow.endpointId, measured)) return false;
    for (const participant of to.participants.values()) tellQuality(to, participant, [shadow]);
    return true;
  }
}

/** It sends what the original may send, and nothing else: there is nobody behind it. */
function permissionsOfShadow(permissions: Permissions): Permissions {
  return {
    ...permissions,
    canSubscribe: false,
    canPublishData: false,
    canUpdateOwnMetadata: false,
    canSubscribeMetrics: false,
  };
}

/** True when the copy was not what the track is. */
function bringUpToDate(copy: Track, track: Track): boolean {
  const info = track.info.clone();
  info.sid = copy.sid;
  if (copy.section === track.section && info.equals(copy.info)) return false;
  copy.section = track.section;
  Object.assign(copy.info, info);
  return true;
}

/** The way back from fields to a room. */
import { type EndpointId, formatId, parseId } from '../../../protocol/ids.ts';
import { checkOverride } from '../../placement/policy.ts';
import { endpointDocument, receivingDocument } from '../endpoint-spec.ts';
import type { Participant } from '../participant.ts';
import type { Random } from '../random.ts';
import { Room, type RoomSettings } from '../room.ts';
import type { RoomIdentity } from '../room-output.ts';
import { type RestoredParticipant, readParticipant } from './participant-field.ts';
import { readRoom } from './room-field.ts';
import { ROOM_FIELD } from './room-snapshots.ts';

export type Restored =
  /** `unreadable`: names of fields whose participant has to start anew: nothing of it is in the room. */
  | { readonly ok: true; readonly room: Room; readonly unreadable: string[] }
  | { readonly ok: false; readonly reason: string };

/**
 * The room as it was when the fields were taken: sockets that were there count as there. {@link takeOver} makes of it one that this focus serves. Fields of other names are
 * passed over. Never throws.
 */
export function restoreRoom(
  fields: ReadonlyMap<string, Uint8Array>,
  identity: RoomIdentity,
  settings: RoomSettings,
  random: Random,
  nowMs: number,
): Restored {
  const roomBytes = fields.get(ROOM_FIELD);
  if (roomBytes === undefined) return { ok: false, reason: 'the room is not in it' };
  const own = readRoom(roomBytes, identity.conferenceId);
  if (!own.ok) return { ok: false, reason: `the room's field cannot be read: ${own.reason}` };
  const { emptySinceMs, hasBeenJoined, isInfoChanged } = own.value;
  // A newer version's policy may be one that this one does not have: then nothing was said.
  const checked = checkOverride(own.value.properties.placement);
  const properties = { ...own.value.properties, placement: checked.ok ? checked.override : null };
  const room = new Room(identity, properties, settings, random, Math.min(emptySinceMs, nowMs));
  room.hasBeenJoined = hasBeenJoined;
  room.isInfoChanged = isInfoChanged;

  const unreadable: string[] = [];
  const restored: RestoredParticipant[] = [];
  for (const [name, bytes] of fields) {
    const endpointId = parseId<EndpointId>(name);
    if (endpointId === undefined) continue;
    const read = readParticipant(bytes, settings.pendingTracksMax, nowMs);
    if (read.ok && read.value.participant.endpointId === endpointId) restored.push(read.value);
    else unreadable.push(name);
  }
  restored.sort(byJoining);
  const trackSids = new Set<string>();
  for (const each of restored) {
    if (isAnother(room, each.participant, trackSids)) place(room, each, trackSids);
    else unreadable.push(formatId(each.participant.endpointId));
  }
  for (const participant of room.participants.values()) forgetMissing(room, participant, trackSids);
  for (const participant of room.participants.values()) recallDocuments(room, participant);
  return { ok: true, room, unreadable };
}

/** Endpoint IDs count up, so they tell who came first of those who came at once. */
function byJoining({ participant: a }: RestoredParticipant, { participant: b }: RestoredParticipant): number {
  return a.joinedAtMs - b.joinedAtMs || a.endpointId - b.endpointId;
}

/** True when nobody has anything of it yet that only one can have. `trackSids` are those of all so far. */
function isAnother(room: Room, participant: Participant, trackSids: ReadonlySet<string>): boolean {
  if (room.participants.has(participant.identity) || room.withSid(participant.sid) !== undefined) return false;
  return ![...participant.publications.all].some(({ sid }) => trackSids.has(sid));
}

function place(room: Room, { participant, published, isTouched }: RestoredParticipant, trackSids: Set<string>): void {
  room.restore(participant);
  for (const { sid } of participant.publications.all) trackSids.add(sid);
  for (const trackSid of published) room.publishers.set(trackSid, participant);
  if (isTouched) room.touch(participant);
}

/** What is left of tracks whose publisher is not among the restored. */
function forgetMissing(room: Room, subscriber: Participant, trackSids: ReadonlySet<string>): void {
  const { subscriptions } = subscriber;
  const { explicit, settings, active, denied } = subscriptions.state();
  const known = [...explicit, ...settings].map(([trackSid]) => trackSid);
  for (const trackSid of [...known, ...active.map(each => each.trackSid), ...denied]) {
    if (trackSids.has(trackSid)) continue;
    if (subscriptions.active.has(trackSid)) room.touch(subscriber);
    subscriptions.forget(trackSid);
  }
}

/** Documents follow from all the rest, so they are not kept. Of a participant that is touched it is not known which one its bridge has. */
function recallDocuments(room: Room, participant: Participant): void {
  const { receiving } = participant;
  if (receiving === null || room.changed.has(participant)) return;
  const remote = (trackSid: string) => room.track(trackSid);
  if (participant.revision > 0) participant.document = endpointDocument(participant, remote);
  if (receiving.revision > 0) receiving.document = receivingDocument(participant, receiving, remote);
}

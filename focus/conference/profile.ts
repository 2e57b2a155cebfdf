/** Name, metadata, attributes and permissions of a participant, and the metadata of the room. */
import { RequestResponse_Reason, type UpdateParticipantMetadata } from '@livekit/protocol';
import { announceRoom, announceToAll } from './announcing.ts';
import { type Participant, RESERVED_ATTRIBUTE_PREFIX } from './participant.ts';
import { type Permissions, samePermissions } from './permissions.ts';
import { enforcePermissions } from './publishing.ts';
import { refuse } from './refusing.ts';
import type { Room, RoomSettings } from './room.ts';
import type { Refusal } from './rooms.ts';
import { reconcileSubscriber } from './subscribing.ts';

export interface ProfileChange {
  /** Empty: as it is. */
  readonly name: string;
  /** Empty: as it is. */
  readonly metadata: string;
  /** Added to what there is; an empty value removes. */
  readonly attributes: Readonly<Record<string, string>>;
}

/** LiveKit's UpdateParticipantMetadata: a participant about itself. */
export function updateOwnProfile(room: Room, participant: Participant, request: UpdateParticipantMetadata): void {
  const about = { case: 'updateMetadata' as const, value: request };
  const { requestId } = request;
  if (!participant.permissions.canUpdateOwnMetadata) {
    const message = 'does not have permission to update own metadata';
    refuse(room, participant, { reason: RequestResponse_Reason.NOT_ALLOWED, message, requestId, about });
    return;
  }
  const refusal = profileProblem(room.settings, request, participant.attributes);
  if (refusal !== undefined) {
    const message = OWN_PROFILE_MESSAGES[refusal];
    refuse(room, participant, { reason: RequestResponse_Reason.LIMIT_EXCEEDED, message, requestId, about });
    return;
  }
  changeProfile(room, participant, request);
  refuse(room, participant, { reason: RequestResponse_Reason.OK, requestId, about });
}

/** What is wrong with a change, if anything is. `attributes` are those there already: together they stay within the limit. */
export function profileProblem(
  settings: RoomSettings,
  change: ProfileChange,
  attributes: Readonly<Record<string, string>> = {},
): ProfileProblem | undefined {
  if ([...change.name].length > settings.nameCharactersMax) return 'name-too-long';
  if (Buffer.byteLength(change.metadata) > settings.metadataBytesMax) return 'metadata-too-large';
  const bytes = attributesBytes(mergeAttributes(attributes, change.attributes));
  return bytes > settings.attributesBytesMax ? 'attributes-too-large' : undefined;
}
export type ProfileProblem = Extract<Refusal, 'name-too-long' | 'metadata-too-large' | 'attributes-too-large'>;

/** A checked change. */
export function changeProfile(room: Room, participant: Participant, change: ProfileChange): void {
  if (change.name !== '') participant.name = change.name;
  if (change.metadata !== '') participant.metadata = change.metadata;
  participant.attributes = mergeAttributes(participant.attributes, change.attributes);
  announceToAll(room, participant);
  participant.nextTokenAtMs = 0;
}

/** New permissions take effect at once: tracks that are not allowed any more end. */
export function changePermissions(room: Room, participant: Participant, permissions: Permissions): void {
  if (samePermissions(participant.permissions, permissions)) return;
  participant.permissions = permissions;
  enforcePermissions(room, participant);
  reconcileSubscriber(room, participant);
  room.touch(participant);
  announceToAll(room, participant);
  participant.nextTokenAtMs = 0;
}

export function changeRoomMetadata(room: Room, metadata: string): void {
  room.properties.metadata = metadata;
  announceRoom(room);
}

/** `a` with the changes of `b`. Attributes that the focus itself sets are not for others to change. */
export function mergeAttributes(
  a: Readonly<Record<string, string>>,
  b: Readonly<Record<string, string>>,
): Record<string, string> {
  const merged = new Map(Object.entries(a));
  for (const [name, value] of Object.entries(b)) {
    if (name.startsWith(RESERVED_ATTRIBUTE_PREFIX)) continue;
    if (value === '') merged.delete(name);
    else merged.set(name, value);
  }
  return Object.fromEntries(merged);
}

const OWN_PROFILE_MESSAGES: Readonly<Record<ProfileProblem, string>> = {
  'name-too-long': 'exceeds name length limit',
  'metadata-too-large': 'exceeds metadata size limit',
  'attributes-too-large': 'exceeds attributes size limit',
};

function attributesBytes(attributes: Readonly<Record<string, string>>): number {
  let bytes = 0;
  for (const [name, value] of Object.entries(attributes)) bytes += Buffer.byteLength(name) + Buffer.byteLength(value);
  return bytes;
}

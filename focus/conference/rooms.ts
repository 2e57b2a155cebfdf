/**
 * What the server API (LiveKit's RoomService, the admin API) may ask of rooms. Grants are checked by the caller; limits of
 * names and metadata are checked here, for every way in.
 */
import type {
  CreateRoomRequest,
  ParticipantInfo,
  Room as RoomInfo,
  SendDataRequest,
  TrackInfo,
  UpdateParticipantRequest,
  UpdateSubscriptionsRequest,
} from '@livekit/protocol';

/** Why an operation was not done. Expected outcomes: none of them throws. */
export type Refusal =
  | 'room-not-found'
  | 'participant-not-found'
  | 'track-not-found'
  | 'room-name-missing'
  | 'room-name-too-long'
  | 'name-too-long'
  | 'metadata-too-large'
  | 'placement-invalid'
  | 'attributes-too-large'
  | 'remote-unmute-disabled'
  | 'message-too-large'
  | 'destination-missing'
  | 'same-room'
  | 'participant-away'
  | 'room-full';

/** LiveKit's sentence for each refusal. */
export const REFUSAL_MESSAGES: Readonly<Record<Refusal, string>> = {
  'room-not-found': 'requested room does not exist',
  'participant-not-found': 'participant does not exist',
  'track-not-found': 'track is not found',
  'room-name-missing': 'no room name',
  'room-name-too-long': 'room name length exceeds limits',
  'name-too-long': 'participant name length exceeds limits',
  'metadata-too-large': 'metadata size exceeds limits',
  'placement-invalid': 'placement in the metadata of the room is not valid',
  'attributes-too-large': 'attributes size exceeds limits',
  'remote-unmute-disabled': 'remote unmute not enabled',
  'message-too-large': 'data message exceeds limits',
  'destination-missing': 'no destination room',
  'same-room': 'the participant is in the destination room already',
  'participant-away': 'the participant has no signalling connection at the moment',
  'room-full': 'room has exceeded its max participants',
};

export type Answer<T> =
  | { readonly ok: true; readonly value: T }
  | {
      readonly ok: false;
      readonly refusal: Refusal;
      readonly message: string;
      /** What exactly is wrong, where the sentence is not enough. */
      readonly detail?: string;
    };

/** A room as the admin API lists it. */
export interface RoomSummary {
  readonly name: string;
  readonly sid: string;
  /** 8 hex digits, as bridges know it; null before anybody joined. */
  readonly conferenceId: string | null;
  readonly createdAtMs: number;
  readonly participants: readonly {
    readonly identity: string;
    readonly sid: string;
    readonly endpointId: string;
    readonly region: string;
    readonly bridge: string;
    readonly state: 'joining' | 'joined' | 'active';
  }[];
}

/** The same operations on the rooms of all focuses, wherever each lives: those that are quick here take a call elsewhere. */
export type NetworkRooms = {
  readonly [M in keyof Rooms]: (
    ...args: Parameters<Rooms[M]>
  ) => ReturnType<Rooms[M]> | Promise<Awaited<ReturnType<Rooms[M]>>>;
};

/** All rooms that this focus serves. Methods reject only when the store cannot be reached. */
export interface Rooms {
  /** Creates a room, or answers the existing one of that name unchanged. */
  createRoom(request: CreateRoomRequest): Promise<Answer<RoomInfo>>;
  /** All rooms, or those of `names` that exist; ordered by name. */
  listRooms(names: readonly string[]): RoomInfo[];
  /** Everybody leaves with ROOM_DELETED. */
  deleteRoom(room: string): Promise<Answer<null>>;
  /** In the order they joined, hidden ones included. */
  listParticipants(room: string): Answer<ParticipantInfo[]>;
  getParticipant(room: string, identity: string): Answer<ParticipantInfo>;
  /** The participant leaves with PARTICIPANT_REMOVED. Its tokens from before `revokedBeforeSeconds` (since the epoch, 0: none) are refused from then on. */
  removeParticipant(room: string, identity: string, revokedBeforeSeconds: number): Answer<null>;
  /** The participant's client leaves for another room by a full reconnect. That room is opened by it where `room.auto_create` allows. */
  moveParticipant(room: string, identity: string, destinationRoom: string): Promise<Answer<null>>;
  /** Tells the publisher to mute (or, where `room.enable_remote_unmute` allows it, to unmute), and everybody that it did. */
  mutePublishedTrack(room: string, identity: string, trackSid: string, muted: boolean): Answer<TrackInfo>;
  /** Empty name, metadata and attributes leave what there is; an empty attribute value removes that attribute. */
  updateParticipant(request: UpdateParticipantRequest): Answer<ParticipantInfo>;
  updateSubscriptions(request: UpdateSubscriptionsRequest): Answer<null>;
  /** Resolves when the message is on its way to each bridge of the room. */
  sendData(request: SendDataRequest): Promise<Answer<null>>;
  updateRoomMetadata(room: string, metadata: string): Answer<RoomInfo>;
  /** For the admin API, ordered by name. */
  summaries(): RoomSummary[];
}

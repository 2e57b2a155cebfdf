/** Operations on rooms by the server API: what LiveKit's RoomService does, on the rooms of this focus. */
import {
  type CreateRoomRequest,
  DataPacket,
  DataPacket_Kind,
  DisconnectReason,
  LeaveRequest_Action,
  type SendDataRequest,
  type UpdateParticipantRequest,
  UserPacket,
} from '@livekit/protocol';
import { formatId } from '../../protocol/ids.ts';
import { readOverride } from '../placement/policy.ts';
import { forwardProblem } from './forwarding.ts';
import { leave } from './joining.ts';
import { move, moveProblem } from './moving.ts';
import type { Participant, ParticipantState } from './participant.ts';
import { fromPermission } from './permissions.ts';
import { changePermissions, changeProfile, changeRoomMetadata, profileProblem } from './profile.ts';
import { muteByServer } from './publishing.ts';
import type { Room, RoomProperties, RoomSettings } from './room.ts';
import { roomPolicy } from './room-placement.ts';
import { type Answer, REFUSAL_MESSAGES, type Refusal, type RoomSummary, type Rooms } from './rooms.ts';
import { updateSubscriptions } from './subscribing.ts';

/** What carries the operations out. */
export interface RoomHost {
  readonly settings: RoomSettings;
  readonly roomNameCharactersMax: number;
  /** The first to join creates the room. */
  readonly isAutoCreated: boolean;
  /** For rooms that say nothing else. */
  readonly properties: Readonly<RoomProperties>;
  rooms(): Room[];
  room(name: string): Room | undefined;
  /** The room of that name; a new one with `properties` when there is none. */
  openRoom(name: string, properties: RoomProperties): Promise<Room>;
  closeRoom(room: Room, reason: DisconnectReason): Promise<void>;
  /** Does what the room's outputs say. */
  apply(room: Room): void;
  /** Hands a message to each bridge of the room, for its own endpoints. `packet` is a DataPacket's bytes. */
  sendMessage(room: Room, kind: 'reliable' | 'lossy', packet: Uint8Array, destinations: string[]): Promise<void>;
  /** A token with which the participant's client may join `room`; undefined when its session is gone. */
  tokenFor(participant: Participant, room: string): Promise<string | undefined>;
  /** Tokens of that identity for that room from before then are not accepted any more. */
  /** Makes a participant seen and heard in the room of that name as well; answers the SID it has there. */
  forward(
    room: Room,
    participant: Participant,
    destination: string,
  ): Promise<{ readonly participantSid: string } | { readonly refusal: Refusal }>;
  revokeTokens(room: string, identity: string, beforeSeconds: number): void;
  nowMs(): number;
}

/** LiveKit's limit for one message over a data channel, in bytes. */
const MESSAGE_BYTES_MAX = 64_000;

export function createRooms(host: RoomHost): Rooms {
  const { settings } = host;

  function inRoom<T>(name: string, operate: (room: Room) => Answer<T>): Answer<T> {
    const room = host.room(name);
    if (room === undefined) return refuse('room-not-found');
    const answer = operate(room);
    host.apply(room);
    return answer;
  }

  function withParticipant<T>(
    name: string,
    identity: string,
    operate: (room: Room, participant: Participant) => Answer<T>,
  ): Answer<T> {
    return inRoom(name, room => {
      const participant = room.participants.get(identity);
      return participant === undefined ? refuse('participant-not-found') : operate(room, participant);
    });
  }

  /** What is done to a participant itself is done where its client is. */
  function withClient<T>(
    name: string,
    identity: string,
    operate: (room: Room, participant: Participant) => Answer<T>,
  ): Answer<T> {
    return withParticipant(name, identity, (room, participant) =>
      participant.forwards === null ? operate(room, participant) : refuse('participant-forwarded'),
    );
  }

  /** Why nobody can be brought to a room of that name; undefined when somebody can. */
  function destinationProblem(destination: string): Refusal | undefined {
    if (destination === '') return 'destination-missing';
    if ([...destination].length > host.roomNameCharactersMax) return 'room-name-too-long';
    return host.room(destination) === undefined && !host.isAutoCreated ? 'room-not-found' : undefined;
  }

  return {
    async createRoom(request) {
      const { name, metadata } = request;
      if (name === '') return refuse('room-name-missing');
      if ([...name].length > host.roomNameCharactersMax) return refuse('room-name-too-long');
      if (Buffer.byteLength(metadata) > settings.metadataBytesMax) return refuse('metadata-too-large');
      const placement = readOverride(metadata);
      if (!placement.ok) return { ...refuse('placement-invalid'), detail: placement.problem };
      const room = await host.openRoom(name, propertiesOf(request, host.properties));
      return done(room.info());
    },
    listRooms: names =>
      host
        .rooms()
        .filter(room => names.length === 0 || names.includes(room.identity.name))
        .map(room => room.info()),
    async deleteRoom(name) {
      const room = host.room(name);
      if (room === undefined) return refuse('room-not-found');
      await host.closeRoom(room, DisconnectReason.ROOM_DELETED);
      return done(null);
    },
    listParticipants: name => inRoom(name, room => done([...room.participants.values()].map(each => each.info()))),
    getParticipant: (name, identity) =>
      withParticipant(name, identity, (_room, participant) => done(participant.info())),
    removeParticipant: (name, identity, revokedBeforeSeconds) =>
      withParticipant(name, identity, (room, participant) => {
        if (revokedBeforeSeconds > 0) host.revokeTokens(name, identity, revokedBeforeSeconds);
        leave(room, host.nowMs(), participant, {
          reason: DisconnectReason.PARTICIPANT_REMOVED,
          action: LeaveRequest_Action.DISCONNECT,
          cause: 'removed by the server API',
        });
        return done(null);
      }),
    async moveParticipant(name, identity, destination) {
      const checked = withParticipant(name, identity, (room, participant) => {
        const to = host.room(destination);
        const problem = destinationProblem(destination) ?? moveProblem(room, participant, destination, to);
        return problem === undefined ? done(participant) : refuse(problem);
      });
      if (!checked.ok) return checked;
      const token = await host.tokenFor(checked.value, destination);
      // It may have left while the token was being signed.
      return withParticipant(name, identity, (room, participant) => {
        if (token === undefined || participant !== checked.value) return refuse('participant-not-found');
        move(room, host.nowMs(), participant, destination, token);
        return done(null);
      });
    },
    async forwardParticipant(name, identity, destination) {
      const checked = withParticipant(name, identity, (room, participant) => {
        const to = host.room(destination);
        const problem = destinationProblem(destination) ?? forwardProblem(room, participant, destination, to);
        return problem === undefined ? done({ room, participant }) : refuse(problem);
      });
      if (!checked.ok) return checked;
      const forwarded = await host.forward(checked.value.room, checked.value.participant, destination);
      return 'refusal' in forwarded ? refuse(forwarded.refusal) : done(forwarded.participantSid);
    },
    mutePublishedTrack: (name, identity, trackSid, muted) =>
      withClient(name, identity, (room, participant) => {
        if (!muted && !settings.isRemoteUnmuteAllowed) return refuse('remote-unmute-disabled');
        const track = participant.publications.find(trackSid);
        if (track === undefined) return refuse('track-not-found');
        muteByServer(room, participant, track, muted);
        return done(track.info.clone());
      }),
    updateParticipant: request =>
      withClient(request.room, request.identity, (room, participant) => {
        const problem = profileProblem(settings, request, participant.attributes);
        if (problem !== undefined) return refuse(problem);
        if (hasProfile(request)) changeProfile(room, participant, request);
        if (request.permission !== undefined) {
          changePermissions(room, participant, fromPermission(request.permission));
        }
        return done(participant.info());
      }),
    updateSubscriptions: request =>
      withClient(request.room, request.identity, (room, participant) => {
        updateSubscriptions(room, participant, request);
        return done(null);
      }),
    async sendData(request) {
      const room = host.room(request.room);
      if (room === undefined) return refuse('room-not-found');
      if (request.data.byteLength > MESSAGE_BYTES_MAX) return refuse('message-too-large');
      const destinations = destinationsOf(room, request);
      const isForNobody = destinations.length === 0 && hasDestinations(request);
      const kind = request.kind === DataPacket_Kind.LOSSY ? 'lossy' : 'reliable';
      if (!isForNobody) await host.sendMessage(room, kind, packetOf(request, destinations).toBinary(), destinations);
      return done(null);
    },
    updateRoomMetadata: (name, metadata) =>
      inRoom(name, room => {
        if (Buffer.byteLength(metadata) > settings.metadataBytesMax) return refuse('metadata-too-large');
        const placement = readOverride(metadata);
        if (!placement.ok) return { ...refuse('placement-invalid'), detail: placement.problem };
        changeRoomMetadata(room, metadata);
        return done(room.info());
      }),
    policy: name => inRoom(name, room => done(roomPolicy(room.properties))),
    setPolicy: (name, placement) =>
      inRoom(name, room => {
        room.properties.placement = placement;
        return done(roomPolicy(room.properties));
      }),
    summaries: () => host.rooms().map(summary),
  };
}

function done<T>(value: T): Answer<T> {
  return { ok: true, value };
}

function refuse(refusal: Refusal): Answer<never> {
  return { ok: false, refusal, message: REFUSAL_MESSAGES[refusal] };
}

function propertiesOf(request: CreateRoomRequest, defaults: Readonly<RoomProperties>): RoomProperties {
  return {
    emptyTimeoutSeconds: request.emptyTimeout > 0 ? request.emptyTimeout : defaults.emptyTimeoutSeconds,
    departureTimeoutSeconds: request.departureTimeout > 0 ? request.departureTimeout : defaults.departureTimeoutSeconds,
    participantsMax: request.maxParticipants > 0 ? request.maxParticipants : defaults.participantsMax,
    metadata: request.metadata,
    placement: defaults.placement,
  };
}

function hasProfile({ name, metadata, attributes }: UpdateParticipantRequest): boolean {
  return name !== '' || metadata !== '' || Object.keys(attributes).length > 0;
}

function hasDestinations({ destinationIdentities, destinationSids }: SendDataRequest): boolean {
  return destinationIdentities.length + destinationSids.length > 0;
}

/** Bridges know identities only. */
function destinationsOf(room: Room, request: SendDataRequest): string[] {
  const bySid = request.destinationSids.flatMap(sid => room.withSid(sid)?.identity ?? []);
  return [...new Set([...request.destinationIdentities, ...bySid])];
}

function packetOf({ data, kind, topic, nonce }: SendDataRequest, destinationIdentities: string[]): DataPacket {
  const user = new UserPacket({ payload: data, destinationIdentities, topic, nonce });
  return new DataPacket({ kind, destinationIdentities, value: { case: 'user', value: user } });
}

function summary(room: Room): RoomSummary {
  const { name, sid, conferenceId, createdAtMs } = room.identity;
  return {
    name,
    sid,
    conferenceId: formatId(conferenceId),
    createdAtMs,
    participants: [...room.participants.values()].map(participant => ({
      identity: participant.identity,
      sid: participant.sid,
      endpointId: formatId(participant.endpointId),
      region: participant.region,
      bridge: participant.bridgeId,
      state: stateOf(participant.state),
      ...(participant.forwards === null ? {} : { forwardedFrom: participant.forwards.room }),
    })),
  };
}

function stateOf(state: ParticipantState): 'joining' | 'joined' | 'active' {
  return state === 'active' || state === 'joining' ? state : 'joined';
}

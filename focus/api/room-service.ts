/** LiveKit's RoomService (protobufs/livekit_room.proto): each method's messages, the grant it needs, and the room operation it is. */
import {
  CreateRoomRequest,
  DeleteRoomRequest,
  DeleteRoomResponse,
  ForwardParticipantRequest,
  ForwardParticipantResponse,
  ListParticipantsRequest,
  ListParticipantsResponse,
  ListRoomsRequest,
  ListRoomsResponse,
  MoveParticipantRequest,
  MoveParticipantResponse,
  MuteRoomTrackRequest,
  MuteRoomTrackResponse,
  PerformRpcRequest,
  RemoveParticipantResponse,
  RoomParticipantIdentity,
  SendDataRequest,
  SendDataResponse,
  UpdateParticipantRequest,
  UpdateRoomMetadataRequest,
  UpdateSubscriptionsRequest,
  UpdateSubscriptionsResponse,
} from '@livekit/protocol';
import type { Answer, NetworkRooms } from '../conference/rooms.ts';
import { FocusError } from '../errors.ts';
import type { Limits } from '../limits/limits.ts';
import type { AccessToken, VideoGrant } from './access-token.ts';

/** What the wire layer needs of a generated message. */
export interface WireMessage {
  toBinary(): Uint8Array;
  toJsonString(options: { readonly useProtoFieldName: boolean; readonly emitDefaultValues: boolean }): string;
}

interface MessageType<T> {
  fromBinary(bytes: Uint8Array): T;
  fromJsonString(text: string, options: { readonly ignoreUnknownFields: boolean }): T;
}

/** One method, its request type closed over: bytes in, message out. Throws FocusError for every refusal. */
export interface RpcMethod {
  /** Decodes, checks the grant, does it. */
  call(context: RpcContext, body: RpcBody): Promise<WireMessage>;
}

/** On what a call works, and who calls. */
export interface RpcContext {
  readonly rooms: NetworkRooms;
  readonly limits: Pick<Limits, 'holdRoom' | 'holdPlace'>;
  readonly token: AccessToken;
  /** Whether this focus is the home of that room: it hears of whoever leaves it. */
  readonly isHome: (room: string) => boolean;
}

export type RpcBody =
  | { readonly kind: 'json'; readonly text: string }
  | { readonly kind: 'protobuf'; readonly bytes: Uint8Array };

type Allows<T> = (grant: VideoGrant, request: T) => boolean;

const mayCreate: Allows<unknown> = grant => grant.roomCreate;
const mayList: Allows<unknown> = grant => grant.roomList;
const isAdmin: Allows<{ readonly room: string }> = (grant, { room }) => grant.roomAdmin && grant.room === room;

const isAdminOfBoth: Allows<{ readonly room: string; readonly destinationRoom: string }> = (grant, request) =>
  isAdmin(grant, request) && grant.destinationRoom === request.destinationRoom;

/** By method name, as it stands in the path `/twirp/livekit.RoomService/<Method>`. */
export const ROOM_SERVICE: Readonly<Record<string, RpcMethod>> = {
  CreateRoom: method(CreateRoomRequest, mayCreate, async (rooms, request, { limits, token }) => {
    const isOpen = (await rooms.listRooms([request.name])).length > 0;
    const held = isOpen ? undefined : limits.holdRoom(token.apiKey, request.name);
    try {
      return unwrap(await rooms.createRoom(request));
    } finally {
      held?.release();
    }
  }),
  ListRooms: method(
    ListRoomsRequest,
    mayList,
    async (rooms, { names }) => new ListRoomsResponse({ rooms: await rooms.listRooms(names) }),
  ),
  DeleteRoom: method(DeleteRoomRequest, mayCreate, async (rooms, { room }) => {
    unwrap(await rooms.deleteRoom(room));
    return new DeleteRoomResponse();
  }),
  ListParticipants: method(
    ListParticipantsRequest,
    isAdmin,
    async (rooms, { room }) =>
      new ListParticipantsResponse({ participants: unwrap(await rooms.listParticipants(room)) }),
  ),
  GetParticipant: method(RoomParticipantIdentity, isAdmin, async (rooms, { room, identity }) =>
    unwrap(await rooms.getParticipant(room, identity)),
  ),
  RemoveParticipant: method(RoomParticipantIdentity, isAdmin, async (rooms, { room, identity, revokeTokenTs }) => {
    unwrap(await rooms.removeParticipant(room, identity, Number(revokeTokenTs)));
    return new RemoveParticipantResponse();
  }),
  MutePublishedTrack: method(MuteRoomTrackRequest, isAdmin, async (rooms, { room, identity, trackSid, muted }) => {
    const track = unwrap(await rooms.mutePublishedTrack(room, identity, trackSid, muted));
    return new MuteRoomTrackResponse({ track });
  }),
  UpdateParticipant: method(UpdateParticipantRequest, isAdmin, async (rooms, request) =>
    unwrap(await rooms.updateParticipant(request)),
  ),
  UpdateSubscriptions: method(UpdateSubscriptionsRequest, isAdmin, async (rooms, request) => {
    unwrap(await rooms.updateSubscriptions(request));
    return new UpdateSubscriptionsResponse();
  }),
  SendData: method(SendDataRequest, isAdmin, async (rooms, request) => {
    if (request.nonce.length !== 0 && request.nonce.length !== NONCE_BYTES) throw new FocusError('invalid-nonce');
    unwrap(await rooms.sendData(request));
    return new SendDataResponse();
  }),
  UpdateRoomMetadata: method(UpdateRoomMetadataRequest, isAdmin, async (rooms, { room, metadata }) =>
    unwrap(await rooms.updateRoomMetadata(room, metadata)),
  ),
  MoveParticipant: method(MoveParticipantRequest, isAdminOfBoth, async (rooms, { room, identity, destinationRoom }) => {
    unwrap(await rooms.moveParticipant(room, identity, destinationRoom));
    return new MoveParticipantResponse();
  }),
  ForwardParticipant: method(ForwardParticipantRequest, isAdminOfBoth, async (rooms, request, context) => {
    const { limits, token, isHome } = context;
    const { room, identity, destinationRoom } = request;
    const isOpen = (await rooms.listRooms([destinationRoom])).length > 0;
    const held = limits.holdPlace(token.apiKey, destinationRoom, isOpen);
    let participantSid: string | undefined;
    try {
      participantSid = unwrap(await rooms.forwardParticipant(room, identity, destinationRoom));
    } finally {
      // At another home its end would not be heard of here: there it counts for nobody.
      held.release(isHome(destinationRoom) ? participantSid : undefined);
    }
    return new ForwardParticipantResponse();
  }),
  PerformRpc: unsupported(PerformRpcRequest, isAdmin, 'send the request as a participant, from a LiveKit SDK'),
};

/** A UUID: with it the receivers drop a repeated message. */
const NONCE_BYTES = 16;

function method<T>(
  type: MessageType<T>,
  allows: Allows<T>,
  run: (rooms: NetworkRooms, request: T, context: RpcContext) => WireMessage | Promise<WireMessage>,
): RpcMethod {
  return {
    async call(context, body) {
      const request = decode(type, body);
      const grant = context.token.video;
      if (grant === null || !allows(grant, request)) throw new FocusError('permission-denied');
      return run(context.rooms, request, context);
    },
  };
}

/** Refused with the reason, but to those who would be allowed to call it only. */
function unsupported<T>(type: MessageType<T>, allows: Allows<T>, why: string): RpcMethod {
  return method(type, allows, () => {
    throw new FocusError('not-supported', why);
  });
}

function decode<T>(type: MessageType<T>, body: RpcBody): T {
  try {
    return body.kind === 'json'
      ? type.fromJsonString(body.text, { ignoreUnknownFields: true })
      : type.fromBinary(body.bytes);
  } catch {
    throw new FocusError('malformed-body');
  }
}

function unwrap<T>(answer: Answer<T>): T {
  if (!answer.ok) throw new FocusError(answer.refusal, answer.detail);
  return answer.value;
}

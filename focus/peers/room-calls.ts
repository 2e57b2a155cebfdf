/** The server API's operations on one room, as they are carried to the focus that the room lives at. */
import {
  CreateRoomRequest,
  ParticipantInfo,
  Room as RoomInfo,
  SendDataRequest,
  TrackInfo,
  UpdateParticipantRequest,
  UpdateSubscriptionsRequest,
} from '@livekit/protocol';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import { DecodeError } from '../../protocol/errors.ts';
import { type Answer, REFUSAL_MESSAGES, type Refusal, type Rooms } from '../conference/rooms.ts';

/** The operations that are about one room; the others (lists) are about all. */
export type RoomMethod = Exclude<keyof Rooms, 'listRooms' | 'summaries'>;

interface WireMessage {
  toBinary(): Uint8Array;
}

interface MessageType<T extends WireMessage = WireMessage> {
  fromBinary(bytes: Uint8Array): T;
}

interface Shape {
  /** Of the only argument, where it is a message; null: arguments are plain, the room's name first. */
  readonly request: MessageType | null;
  readonly value: MessageType | readonly [MessageType] | 'policy' | 'text' | null;
}

const SHAPES: Readonly<Record<RoomMethod, Shape>> = {
  createRoom: { request: CreateRoomRequest, value: RoomInfo },
  deleteRoom: { request: null, value: null },
  listParticipants: { request: null, value: [ParticipantInfo] },
  getParticipant: { request: null, value: ParticipantInfo },
  removeParticipant: { request: null, value: null },
  moveParticipant: { request: null, value: null },
  forwardParticipant: { request: null, value: 'text' },
  mutePublishedTrack: { request: null, value: TrackInfo },
  updateParticipant: { request: UpdateParticipantRequest, value: ParticipantInfo },
  updateSubscriptions: { request: UpdateSubscriptionsRequest, value: null },
  sendData: { request: SendDataRequest, value: null },
  updateRoomMetadata: { request: null, value: RoomInfo },
  policy: { request: null, value: 'policy' },
  setPolicy: { request: null, value: 'policy' },
};

export const ROOM_METHODS = Object.keys(SHAPES) as RoomMethod[];

export function isRoomMethod(method: string): method is RoomMethod {
  return Object.hasOwn(SHAPES, method);
}

/** The name of the room that a call is about. */
export function roomOfCall(method: RoomMethod, args: readonly unknown[]): string {
  if (method === 'createRoom') return (args[0] as CreateRoomRequest).name;
  return SHAPES[method].request === null ? (args[0] as string) : (args[0] as { readonly room: string }).room;
}

export function writeArguments(method: RoomMethod, args: readonly unknown[]): unknown {
  return SHAPES[method].request === null ? args : [base64(args[0] as WireMessage)];
}

const PlacementSchema = Type.Union([
  Type.Object(
    {
      kind: Type.Optional(Type.String()),
      sort_by: Type.Optional(Type.String()),
      algorithm: Type.Optional(Type.String()),
    },
    { minProperties: 1 },
  ),
  Type.Null(),
]);
const PolicySchema = Type.Object({ byMetadata: PlacementSchema, byApi: PlacementSchema });
const SetPolicySchema = Type.Tuple([Type.String(), PlacementSchema]);
const PlainSchema = Type.Array(Type.Union([Type.String(), Type.Number(), Type.Boolean()]), {
  minItems: 1,
  maxItems: 8,
});
const MessageSchema = Type.Tuple([Type.String()]);
const RefusedSchema = Type.Object({
  ok: Type.Literal(false),
  refusal: Type.String(),
  detail: Type.Optional(Type.String()),
});
const DoneSchema = Type.Object({ ok: Type.Literal(true), value: Type.Unknown() });

/** Throws DecodeError for what {@link writeArguments} does not write. */
export function readArguments(method: RoomMethod, body: unknown): unknown[] {
  const { request } = SHAPES[method];
  if (request === null) {
    if (method === 'setPolicy') {
      if (!Value.Check(SetPolicySchema, body)) throw new DecodeError('room-call-arguments');
      return body;
    }
    if (!Value.Check(PlainSchema, body) || typeof body[0] !== 'string') throw new DecodeError('room-call-arguments');
    return body;
  }
  if (!Value.Check(MessageSchema, body)) throw new DecodeError('room-call-arguments');
  return [messageOf(request, body[0])];
}

export function writeRoomAnswer(method: RoomMethod, answer: Answer<unknown>): unknown {
  if (!answer.ok) return { ok: false, refusal: answer.refusal, detail: answer.detail };
  const { value } = SHAPES[method];
  if (value === null) return { ok: true, value: null };
  if (value === 'policy' || value === 'text') return { ok: true, value: answer.value };
  const isList = Array.isArray(value);
  return {
    ok: true,
    value: isList ? (answer.value as WireMessage[]).map(base64) : base64(answer.value as WireMessage),
  };
}

/** Throws DecodeError for what {@link writeRoomAnswer} does not write. */
export function readRoomAnswer(method: RoomMethod, body: unknown): Answer<unknown> {
  const plain = withoutNulls(body);
  if (Value.Check(RefusedSchema, plain)) {
    if (!Object.hasOwn(REFUSAL_MESSAGES, plain.refusal)) throw new DecodeError('room-call-answer');
    const refusal = plain.refusal as Refusal;
    const detail = plain.detail === undefined ? {} : { detail: plain.detail };
    return { ok: false, refusal, message: REFUSAL_MESSAGES[refusal], ...detail };
  }
  if (!Value.Check(DoneSchema, body)) throw new DecodeError('room-call-answer');
  const { value: type } = SHAPES[method];
  if (type === null) return { ok: true, value: null };
  if (type === 'policy') {
    if (!Value.Check(PolicySchema, body.value)) throw new DecodeError('room-call-answer');
    return { ok: true, value: body.value };
  }
  if (type === 'text') {
    if (typeof body.value !== 'string') throw new DecodeError('room-call-answer');
    return { ok: true, value: body.value };
  }
  if (!isListType(type)) return { ok: true, value: messageOf(type, body.value) };
  if (!Array.isArray(body.value)) throw new DecodeError('room-call-answer');
  return { ok: true, value: body.value.map(one => messageOf(type[0], one)) };
}

/** Lists of messages, for calls that are about no single room. */
export const writeInfos = (infos: readonly RoomInfo[]): string[] => infos.map(base64);

/** Throws DecodeError for what {@link writeInfos} does not write. */
export function readInfos(body: unknown): RoomInfo[] {
  if (!Array.isArray(body)) throw new DecodeError('room-call-answer');
  return body.map(one => messageOf(RoomInfo, one) as RoomInfo);
}

function isListType(type: Exclude<Shape['value'], 'policy' | 'text' | null>): type is readonly [MessageType] {
  return Array.isArray(type);
}

function base64(message: WireMessage): string {
  return Buffer.from(message.toBinary()).toString('base64');
}

function messageOf(type: MessageType, text: unknown): WireMessage {
  if (typeof text !== 'string') throw new DecodeError('room-call-message');
  try {
    return type.fromBinary(Buffer.from(text, 'base64'));
  } catch {
    throw new DecodeError('room-call-message');
  }
}

/** What was undefined when it was written comes back as null. */
function withoutNulls(body: unknown): unknown {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return body;
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null));
}

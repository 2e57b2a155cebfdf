/** `/v1/rooms/:room/placement`: how the participants of one room are placed, and an operator's word on it. */
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import type { RoomPolicy } from '../conference/room-placement.ts';
import type { Answer, NetworkRooms } from '../conference/rooms.ts';
import type { FocusConfig } from '../config.ts';
import { FocusError } from '../errors.ts';
import { checkOverride, type Policy, type PolicySource } from '../placement/policy.ts';
import { type AdminAccess, adminScope, includesRoom, roomWriteAccess } from './admin-access.ts';

export interface RoomPlacementOptions extends AdminAccess {
  readonly config: Pick<FocusConfig, 'control' | 'placement'>;
  readonly rooms: Pick<NetworkRooms, 'policy' | 'setPolicy'>;
  readonly nowMs: () => number;
}

const PartSchema = Type.Union([
  Type.Object({
    kind: Type.Optional(Type.String()),
    sort_by: Type.Optional(Type.String()),
    algorithm: Type.Optional(Type.String()),
  }),
  Type.Null(),
]);

const AnswerSchema = Type.Object({
  room: Type.String(),
  policy: Type.Object(
    { kind: Type.String(), sort_by: Type.String(), algorithm: Type.String() },
    { description: 'what counts for the next join' },
  ),
  policyFrom: Type.String({ description: 'configuration, override by metadata, or override by API' }),
  byMetadata: PartSchema,
  byApi: PartSchema,
});

const route = (summary: string) => ({
  schema: { tags: ['admin'], security: [{ bearer: [] }], summary, response: { 200: AnswerSchema } },
});

type RoomRoute = { Params: { room: string } };

/** Adds GET, PUT and DELETE of `/v1/rooms/:room/placement`. */
export function registerRoomPlacementRoutes(app: FastifyInstance, options: RoomPlacementOptions): void {
  const { config, rooms, nowMs } = options;
  const path = '/v1/rooms/:room/placement';

  app.get<RoomRoute>(path, route('How the participants of a room are placed'), async request => {
    const { room } = request.params;
    // Who may not see the room is not told whether there is one.
    if (!includesRoom(await adminScope(options, request, nowMs()), room)) throw new FocusError('permission-denied');
    return describe(room, accepted(await rooms.policy(room)), config.placement);
  });

  const putRoute = route(
    "An operator's word on how they are placed: before the room's metadata, for joins from now on",
  );
  app.put<RoomRoute>(path, putRoute, async request => {
    const { room } = request.params;
    await roomWriteAccess(options, request, room, nowMs());
    const checked = checkOverride(request.body);
    if (!checked.ok) throw new FocusError('placement-invalid', checked.problem);
    if (checked.override?.kind === 'http' && config.placement.http.url === '') {
      throw new FocusError('placement-invalid', 'kind is "http"; allowed: with placement.http.url configured');
    }
    return describe(room, accepted(await rooms.setPolicy(room, checked.override)), config.placement);
  });

  app.delete<RoomRoute>(path, route("Takes the operator's word back"), async request => {
    const { room } = request.params;
    await roomWriteAccess(options, request, room, nowMs());
    return describe(room, accepted(await rooms.setPolicy(room, null)), config.placement);
  });
}

function describe(room: string, { byMetadata, byApi }: RoomPolicy, configured: Policy) {
  const { kind, sort_by, algorithm } = { ...configured, ...byMetadata, ...byApi };
  const overridden = byMetadata === null ? 'configuration' : 'override by metadata';
  const policyFrom: PolicySource = byApi === null ? overridden : 'override by API';
  return { room, policy: { kind, sort_by, algorithm }, policyFrom, byMetadata, byApi };
}

function accepted<T>(answer: Answer<T>): T {
  if (answer.ok) return answer.value;
  throw new FocusError(answer.refusal, answer.detail);
}

/** A participant's way to another bridge as part of a field. */
import { type Static, Type } from 'typebox';
import { EndpointSpecSchema } from '../../../protocol/control/spec.ts';
import type { BridgeId, EndpointId } from '../../../protocol/ids.ts';
import type { BridgeMove } from '../bridge-move.ts';

export const BridgeName = Type.String({ pattern: '^[A-Za-z0-9._-]{1,64}$' });
const OpenChannelsSchema = Type.Object(EndpointSpecSchema.properties.openChannels.properties);

export const MoveSchema = Type.Object({
  cause: Type.Union([
    Type.Literal('bridge-lost'),
    Type.Literal('drain'),
    Type.Literal('redistribution'),
    Type.Literal('operator'),
  ]),
  from: BridgeName,
  startedAtMs: Type.Number(),
  old: Type.Union([BridgeName, Type.Null()]),
  phase: Type.Union([Type.Literal('told'), Type.Literal('resumed'), Type.Literal('answered')]),
  waitsSinceMs: Type.Union([Type.Number(), Type.Null()]),
  isAwaited: Type.Boolean(),
  awaited: Type.Array(Type.Integer({ minimum: 1, maximum: 0xffffffff }), { maxItems: 2 }),
});

/** Data channels that it has brought along. */
export const ChannelsSchema = Type.Object({
  publisher: OpenChannelsSchema,
  subscriber: OpenChannelsSchema,
  received: Type.Array(EndpointSpecSchema.properties.received.items),
});

export function moveState({ awaited, ...move }: BridgeMove): Static<typeof MoveSchema> {
  const { cause, from, startedAtMs, old, phase, waitsSinceMs, isAwaited } = move;
  return { cause, from, startedAtMs, old, phase, waitsSinceMs, isAwaited, awaited: [...awaited] };
}

export function moveOf({ awaited, ...move }: Static<typeof MoveSchema>): BridgeMove {
  const { cause, startedAtMs, phase, waitsSinceMs, isAwaited } = move;
  return {
    cause,
    from: move.from as BridgeId,
    startedAtMs,
    old: move.old as BridgeId | null,
    phase,
    waitsSinceMs,
    isAwaited,
    // After a takeover every client resumes by itself.
    isHandedOver: isAwaited,
    toldBridges: new Set(),
    awaited: new Set(awaited as EndpointId[]),
  };
}

/** A participant's way from one bridge to another as a part of its field. */
import { type Static, Type } from 'typebox';
import type { BridgeId, EndpointId } from '../../../protocol/ids.ts';
import type { BridgeMove, BroughtChannels } from '../bridge-move.ts';
import { MOVE_CAUSES } from '../endpoint-mover.ts';

const Bridge = Type.String({ pattern: '^[A-Za-z0-9._-]{1,64}$' });
const StreamId = Type.Optional(Type.Integer({ minimum: 0, maximum: 65_534 }));
const Channels = Type.Object({ reliable: StreamId, lossy: StreamId });

export const MoveSchema = Type.Object({
  cause: Type.Enum(MOVE_CAUSES),
  from: Bridge,
  startedAtMs: Type.Number(),
  old: Type.Union([Bridge, Type.Null()]),
  phase: Type.Union([Type.Literal('told'), Type.Literal('resumed'), Type.Literal('answered')]),
  isAwaited: Type.Boolean(),
  awaited: Type.Array(Type.Integer({ minimum: 1, maximum: 0xffffffff }), { maxItems: 2 }),
});

export const ChannelsSchema = Type.Object({
  publisher: Channels,
  subscriber: Channels,
  received: Type.Array(
    Type.Object({ sid: Type.String(), sequence: Type.Integer({ minimum: 0, maximum: 0xffffffff }) }),
    { maxItems: 10_000 },
  ),
});

export function moveState(move: BridgeMove): Static<typeof MoveSchema> {
  const { cause, from, startedAtMs, old, phase, isAwaited, awaited } = move;
  return { cause, from, startedAtMs, old, phase, isAwaited, awaited: [...awaited] };
}

/** Its time to come up begins anew: it was not in reach meanwhile. */
export function moveOf(state: Static<typeof MoveSchema>, nowMs: number): BridgeMove {
  return {
    ...state,
    from: state.from as BridgeId,
    old: state.old as BridgeId | null,
    startedAtMs: Math.min(state.startedAtMs, nowMs),
    waitsSinceMs: null,
    awaited: new Set(state.awaited as EndpointId[]),
  };
}

export function channelsState({ publisher, subscriber, received }: BroughtChannels): Static<typeof ChannelsSchema> {
  return { publisher, subscriber, received: [...received] };
}

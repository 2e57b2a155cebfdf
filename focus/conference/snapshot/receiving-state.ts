/** The receiving side of a participant with two PeerConnections as part of a field. */
import { type Static, Type } from 'typebox';
import { TransportSchema } from '../../../protocol/control/spec.ts';
import type { EndpointId } from '../../../protocol/ids.ts';
import type { Answer } from '../../sdp/read-answer.ts';
import { PLACES_MAX, type ReceivingSide, type ReceivingSideState, receivingEndpointId } from '../receiving-side.ts';

const Count = Type.Integer({ minimum: 0 });
const Generation = Type.Integer({ minimum: -1 });

/** Its answer, which changes seldom, is beside it. */
export const ReceivingSchema = Type.Object({
  isPrimary: Type.Boolean(),
  sessionId: Type.String({ pattern: '^[0-9]+$' }),
  isNeeded: Type.Boolean(),
  revision: Count,
  iceGeneration: Count,
  generationRevision: Count,
  transport: Type.Union([TransportSchema, Type.Null()]),
  offeredGeneration: Generation,
  offerId: Count,
  unanswered: Type.Union([Type.Object({ sinceMs: Type.Union([Type.Number(), Type.Null()]) }), Type.Null()]),
  answeredGeneration: Generation,
  /** In order; their mids count from 1. */
  places: Type.Array(
    Type.Object({
      kind: Type.Union([Type.Literal('audio'), Type.Literal('video')]),
      track: Type.Optional(
        Type.Object({ sid: Type.String(), ssrc: Type.Integer({ minimum: 1, maximum: 0xffffffff }) }),
      ),
    }),
    { maxItems: PLACES_MAX },
  ),
  /** Of the two endpoints, whose media has been up. */
  connected: Type.Object({ publishing: Type.Boolean(), receiving: Type.Boolean() }),
});

export function receivingState(side: ReceivingSide, participantId: EndpointId): Static<typeof ReceivingSchema> {
  return {
    isPrimary: side.isPrimary,
    sessionId: side.sessionId,
    isNeeded: side.isNeeded,
    revision: side.revision,
    iceGeneration: side.iceGeneration,
    generationRevision: side.generationRevision,
    transport: side.transport,
    offeredGeneration: side.offeredGeneration,
    offerId: side.offerId,
    unanswered: side.unanswered,
    answeredGeneration: side.answeredGeneration,
    places: side.places.map(({ kind, track }) => (track === null ? { kind } : { kind, track })),
    connected: { publishing: side.connected.has(participantId), receiving: side.connected.has(side.endpointId) },
  };
}

export function receivingOf(
  { places, connected, ...rest }: Static<typeof ReceivingSchema>,
  participantId: EndpointId,
  answer: Answer | null,
): ReceivingSideState {
  const up: EndpointId[] = [];
  if (connected.publishing) up.push(participantId);
  if (connected.receiving) up.push(receivingEndpointId(participantId));
  return {
    ...rest,
    answer,
    places: places.map(({ kind, track }, index) => ({ mid: String(index + 1), kind, track: track ?? null })),
    connected: up,
  };
}

/** Moving a participant to another bridge by hand; its session goes on. */
import type { FastifyInstance } from 'fastify';
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import type { BridgeId } from '../../protocol/ids.ts';
import type { MoveOutcome } from '../conference/endpoint-mover.ts';
import { FocusError } from '../errors.ts';
import { type AdminAccess, operatorAccess } from './admin-access.ts';

export interface MoveOrder {
  /** SID or identity. */
  readonly participant: string;
  /** Undefined: in whichever room there is one of that name, if it is one room only. */
  readonly room: string | undefined;
  /** Null: wherever placement puts it. */
  readonly to: BridgeId | null;
}

export type MoveAnswer =
  | { readonly kind: 'ordered'; readonly room: string; readonly identity: string; readonly outcome: MoveOutcome }
  | { readonly kind: 'not-found' }
  /** An identity that is in several rooms. */
  | { readonly kind: 'ambiguous'; readonly rooms: readonly string[] };

export interface MoveOptions extends AdminAccess {
  /** Resolves when the move is over, one way or the other. */
  readonly moveParticipant: (order: MoveOrder) => Promise<MoveAnswer>;
  readonly nowMs: () => number;
}

const OrderSchema = Type.Object(
  {
    bridgeId: Type.Optional(
      Type.String({ pattern: '^[A-Za-z0-9._-]{1,64}$', description: 'absent: placement chooses' }),
    ),
    room: Type.Optional(Type.String({ description: 'needed for an identity that is in several rooms' })),
  },
  { additionalProperties: false },
);
const AnswerSchema = Type.Object({
  room: Type.String(),
  identity: Type.String(),
  outcome: Type.String({
    description:
      'moved, or why not: gone, no-bridge, same-bridge, moved-just-now (less than 2 s ago), signal-away, timed-out, left, forwarded',
  }),
  from: Type.Optional(Type.String()),
  to: Type.Optional(Type.String()),
  tookMs: Type.Optional(Type.Number({ description: 'until its media was up on the other bridge' })),
});

/** Adds `POST /v1/participants/:participant/move`. */
export function registerMoveRoutes(app: FastifyInstance, options: MoveOptions): void {
  const schema = {
    tags: ['admin'],
    security: [{ bearer: [] }],
    summary: 'Move a participant (SID or identity) to another bridge; it stays in its room, with its tracks',
    body: OrderSchema,
    response: { 200: AnswerSchema },
  };
  app.post<{ Params: { participant: string } }>(
    '/v1/participants/:participant/move',
    {
      schema,
      // Ajv as fastify sets it up would drop a field that it does not know: a misspelt bridge would leave the choice to placement.
      validatorCompiler: () => () => true,
      preValidation: async request => operatorAccess(options, request, options.nowMs()),
    },
    async request => {
      const { room, bridgeId } = readOrder(request.body);
      const to = (bridgeId as BridgeId | undefined) ?? null;
      const answer = await options.moveParticipant({ participant: request.params.participant, room, to });
      if (answer.kind === 'not-found') throw new FocusError('participant-not-found');
      if (answer.kind === 'ambiguous') {
        throw new FocusError('invalid-request', `it is in several rooms, say in which: ${answer.rooms.join(', ')}`);
      }
      const { kind, outcome, ...who } = answer;
      if (outcome.kind === 'not-moved') return { ...who, outcome: outcome.reason };
      const { from, to: there, tookMs } = outcome;
      return { ...who, outcome: 'moved', from, to: there, tookMs };
    },
  );
}

/** Throws `invalid-request`. */
function readOrder(body: unknown): Static<typeof OrderSchema> {
  if (Value.Check(OrderSchema, body)) return body;
  const allowed = Object.keys(OrderSchema.properties);
  const unknown = Object.keys(body ?? {}).find(key => !allowed.includes(key));
  if (unknown !== undefined) {
    throw new FocusError('invalid-request', `unknown field "${unknown}": allowed are ${allowed.join(', ')}`);
  }
  const first = Value.Errors(OrderSchema, body)[0];
  throw new FocusError('invalid-request', `${first?.instancePath ?? ''} ${first?.message ?? ''}`.trim());
}

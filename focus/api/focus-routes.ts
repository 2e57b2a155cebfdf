/** What all focuses know together: who is there, which rooms, why a participant is where it is. Whoever does not answer is named. */
import type { FastifyInstance } from 'fastify';
import { type Static, Type } from 'typebox';
import type { RoomSummary } from '../conference/rooms.ts';
import { FocusError } from '../errors.ts';
import type { PlacementExplanation } from '../placement/placement.ts';
import type { FocusRecord } from '../store/store.ts';
import { type AdminAccess, adminScope, operatorAccess } from './admin-access.ts';

/** A focus as the store has it and as it describes itself; null: it did not answer. */
export interface FocusStatus extends FocusRecord {
  /** That it is the home of. */
  readonly rooms: number | null;
  /** In those rooms, resumable ones included. */
  readonly sessions: number | null;
  /** Of its clients, those in rooms of other homes. */
  readonly relayedOut: number | null;
  /** Rooms that those are in. */
  readonly relayedRooms: number | null;
  /** Null while it is not draining. */
  readonly drain: {
    readonly startedAtMs: number;
    readonly deadlineMs: number;
    readonly roomsAtStart: number;
    readonly roomsMoved: number;
  } | null;
  /** From the focus that was asked; null for itself, and where no link is open. */
  readonly rttMs: number | null;
}

/** All focuses, seen from one of them. Methods reject when the store cannot be reached. `silent` are focuses that did not answer. */
export interface FocusNetwork {
  focuses(): Promise<{ readonly focuses: readonly FocusStatus[]; readonly silent: readonly string[] }>;
  /** The newest of each focus, newest first. */
  placements(): Promise<{ readonly placements: readonly PlacementExplanation[]; readonly silent: readonly string[] }>;
  /** Ordered by name. */
  summaries(): Promise<{ readonly rooms: readonly RoomSummary[]; readonly silent: readonly string[] }>;
  /** Begins or undoes the drain of a focus, which goes on after the answer. False: there is no such focus. Rejects with FocusError when it does not answer. */
  setState(focusId: string, state: FocusRecord['state'], forMs: number | undefined): Promise<boolean>;
  /** This one. */
  isDraining(): boolean;
  /** Whether this one is the home of that room. */
  isHome(room: string): boolean;
  /** Of a participant SID or identity; that SID's first, then the newest. */
  explain(
    participant: string,
  ): Promise<{ readonly found: readonly PlacementExplanation[]; readonly silent: readonly string[] }>;
}

export interface FocusRoutesOptions extends AdminAccess {
  readonly network: FocusNetwork;
  readonly nowMs: () => number;
}

const Nullable = (description: string) => Type.Union([Type.Integer(), Type.Null()], { description });

const FocusSchema = Type.Object({
  focusId: Type.String(),
  region: Type.String(),
  version: Type.String(),
  url: Type.String({ description: 'where other focuses reach it' }),
  state: Type.Union([Type.Literal('running'), Type.Literal('draining')]),
  bootId: Type.String(),
  startedAtMs: Type.Number(),
  rooms: Nullable('rooms that it is the home of; null here and below: it did not answer'),
  sessions: Nullable('participants in those rooms'),
  relayedOut: Nullable('of its clients, those in rooms of other homes'),
  relayedRooms: Nullable('the rooms that those are in'),
  drain: Type.Union([
    Type.Null(),
    Type.Object({
      startedAtMs: Type.Number(),
      deadlineMs: Type.Number(),
      roomsAtStart: Type.Integer(),
      roomsMoved: Type.Integer({ description: 'to other focuses' }),
    }),
  ]),
  rttMs: Type.Union([Type.Number(), Type.Null()], { description: 'round trip from the focus that was asked' }),
});

const StateSchema = Type.Object(
  {
    state: Type.Union([Type.Literal('running'), Type.Literal('draining')]),
    forMs: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 86_400_000,
        description: 'the drain ends by then; peers.drain_timeout_ms by default',
      }),
    ),
  },
  { additionalProperties: false },
);

/** Adds `GET /v1/focuses` and `PUT /v1/focuses/:focusId/state`. */
export function registerFocusRoutes(app: FastifyInstance, options: FocusRoutesOptions): void {
  const schema = {
    tags: ['admin'],
    security: [{ bearer: [] }],
    summary: 'Focuses of this network, as the store knows them and as they describe themselves',
    response: {
      200: Type.Object({
        focuses: Type.Array(FocusSchema),
        silent: Type.Array(Type.String(), { description: 'focuses that did not answer' }),
      }),
    },
  };
  app.get('/v1/focuses', { schema }, async request => {
    const scope = await adminScope(options, request, options.nowMs());
    if (scope.kind !== 'all') throw new FocusError('permission-denied');
    return options.network.focuses();
  });

  const stateSchema = {
    tags: ['admin'],
    security: [{ bearer: [] }],
    summary:
      'Empty a focus (draining: rooms and clients go to others, none are taken), or undo that (running); what has moved stays',
    body: StateSchema,
    response: { 200: Type.Object({ focusId: Type.String(), state: StateSchema.properties.state }) },
  };
  app.put<{ Params: { focusId: string }; Body: Static<typeof StateSchema> }>(
    '/v1/focuses/:focusId/state',
    { schema: stateSchema, preValidation: async request => operatorAccess(options, request, options.nowMs()) },
    async request => {
      const { focusId } = request.params;
      const { state, forMs } = request.body;
      if (!(await options.network.setState(focusId, state, forMs))) throw new FocusError('focus-not-found', focusId);
      return { focusId, state };
    },
  );
}

/** What load redistribution has decided, and why. */
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { FocusError } from '../errors.ts';
import type { RedistributionView } from '../io/bridge-redistribution.ts';
import { type AdminAccess, adminScope } from './admin-access.ts';

export interface RedistributionOptions extends AdminAccess {
  readonly redistribution: () => RedistributionView;
  readonly nowMs: () => number;
}

const AnswerSchema = Type.Object({
  isEnabled: Type.Boolean({ description: 'redistribution.enabled' }),
  states: Type.Array(
    Type.Object({
      bridgeId: Type.String(),
      state: Type.String({ description: 'over: the mark, not for long enough yet; relieving; resting' }),
      sinceMs: Type.Number(),
      nextMs: Type.Number({ description: 'ms since the epoch: when something is decided next' }),
    }),
  ),
  decisions: Type.Array(
    Type.Object({
      atMs: Type.Number(),
      bridgeId: Type.String(),
      stress: Type.Number(),
      what: Type.String({ description: 'moved, share-too-small, nobody-here, no-target or relieved' }),
      budget: Type.Number({ description: 'endpoints that were the part of this focus' }),
      orders: Type.Array(Type.Object({ sid: Type.String(), to: Type.String() })),
      rejected: Type.Record(Type.String(), Type.String(), { description: 'bridges that take nobody, and why' }),
    }),
    { description: 'the last 100, newest first' },
  ),
});

/** Adds `GET /v1/redistribution`. */
export function registerRedistributionRoutes(app: FastifyInstance, options: RedistributionOptions): void {
  const schema = {
    tags: ['admin'],
    security: [{ bearer: [] }],
    summary: 'Load redistribution by this focus: which bridges have too much, and what was done about it',
    response: { 200: AnswerSchema },
  };
  app.get('/v1/redistribution', { schema }, async request => {
    const scope = await adminScope(options, request, options.nowMs());
    if (scope.kind !== 'all') throw new FocusError('permission-denied');
    return options.redistribution();
  });
}

/** Where bridges register: `PUT /v1/bridges/:bridgeId` with a service token, every 2 s (protocol/control/README.md). */
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import { BridgeReportSchema } from '../../protocol/control/events.ts';
import { verifyServiceToken } from '../../protocol/control/service-token.ts';
import { FocusError } from '../errors.ts';
import type { BridgeWatch } from '../io/bridge-watch.ts';

export interface BridgeRoutesOptions {
  readonly controlSecret: string;
  readonly bridges: Pick<BridgeWatch, 'report'>;
}

/** A report is under 2 kB. */
const BODY_BYTES_MAX = 16_384;

/** Adds the route. Who reports is checked before what: without a service token the body is not even looked at. */
export function registerBridgeRoutes(app: FastifyInstance, { controlSecret, bridges }: BridgeRoutesOptions): void {
  app.put<{ Params: { bridgeId: string } }>(
    '/v1/bridges/:bridgeId',
    {
      bodyLimit: BODY_BYTES_MAX,
      schema: {
        tags: ['control'],
        security: [{ bearer: [] }],
        summary: "A bridge's report of itself",
        body: BridgeReportSchema,
        response: { 204: Type.Null() },
      },
      // Ajv as fastify sets it up would turn "1" into 1; here a report is right or it is refused.
      validatorCompiler: () => () => true,
      onRequest: async request => {
        const sender = await verifyServiceToken(controlSecret, request.headers.authorization);
        if (sender === undefined) throw new FocusError('invalid-service-token');
      },
    },
    async (request, reply) => {
      const report: unknown = request.body;
      if (!Value.Check(BridgeReportSchema, report)) {
        const first = Value.Errors(BridgeReportSchema, report)[0];
        throw new FocusError('invalid-request', `${first?.instancePath ?? ''} ${first?.message ?? ''}`.trim());
      }
      if (report.peer.bridgeId !== request.params.bridgeId) throw new FocusError('wrong-bridge');
      if (!(await bridges.report(report))) throw new FocusError('too-many-bridges');
      return reply.code(204).send();
    },
  );
}

/** `GET /v1/rooms/:room/paths`: what the meeting page shows on each tile. For participants of the room, by their own access token. */
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { tokenOf, verifyAccessToken } from '../api/access-token.ts';
import type { TokenKeys } from '../api/token-keys.ts';
import type { Paths } from '../conference/paths.ts';
import { asFocusError, errorBody, FocusError } from '../errors.ts';

export interface PathsRouteOptions {
  readonly keys: TokenKeys;
  /** Wherever the room lives. Rejects with FocusError when there is no such room or participant, or its focus does not answer. */
  readonly paths: (room: string, identity: string) => Promise<Paths>;
  readonly nowMs: () => number;
}

const Milliseconds = Type.Union([Type.Number({ description: 'ms' }), Type.Null()]);
const PathsSchema = Type.Object({
  summary: Type.Object({ participants: Type.Integer(), bridges: Type.Integer(), regions: Type.Integer() }),
  participants: Type.Array(
    Type.Object({
      identity: Type.String(),
      region: Type.String(),
      bridge: Type.String(),
      rttMs: Type.Object({ own: Milliseconds, link: Milliseconds, theirs: Milliseconds, total: Milliseconds }),
    }),
  ),
});

/** Call it after `registerApi`, whose OpenAPI document it appears in. */
export async function registerPathsRoute(app: FastifyInstance, options: PathsRouteOptions): Promise<void> {
  await app.register(async scope => {
    scope.setErrorHandler((error, _request, reply) => reply.code(asFocusError(error).status).send(errorBody(error)));
    const schema = {
      tags: ['rooms'],
      summary: 'Round trips between a participant and everybody else in its room',
      security: [{ bearer: [] }],
      params: Type.Object({ room: Type.String() }),
      response: { 200: PathsSchema },
    };
    scope.get<{ Params: { room: string } }>('/v1/rooms/:room/paths', { schema }, async request => {
      const token = tokenOf(request.headers.authorization, undefined);
      const { identity, video } = await verifyAccessToken(options.keys, token, options.nowMs());
      if (video?.roomJoin !== true || video.room !== request.params.room) throw new FocusError('permission-denied');
      return options.paths(video.room, identity);
    });
  });
}

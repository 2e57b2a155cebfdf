/**
 * Twirp (wire protocol version 7): `POST /twirp/<package>.<Service>/<Method>`, JSON or protobuf by the Content-Type, the answer in the
 * same form, errors always as JSON `{ code, msg }`.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { NetworkRooms } from '../conference/rooms.ts';
import type { FocusConfig } from '../config.ts';
import { asFocusError, FocusError } from '../errors.ts';
import type { Limits } from '../limits/limits.ts';
import type { FocusMetrics } from '../metrics.ts';
import { tokenOf, verifyAccessToken } from './access-token.ts';
import type { FocusNetwork } from './focus-routes.ts';
import { ROOM_SERVICE, type RpcBody } from './room-service.ts';
import type { TokenKeys } from './token-keys.ts';

export interface TwirpOptions {
  readonly config: Pick<FocusConfig, 'limit'>;
  readonly keys: TokenKeys;
  readonly rooms: NetworkRooms;
  readonly limits: Limits;
  readonly network: Pick<FocusNetwork, 'isHome'>;
  readonly metrics: Pick<FocusMetrics, 'apiCalls'>;
  readonly nowMs: () => number;
}

const PATH = '/twirp/livekit.RoomService/';

/** Adds the routes to `app`, which must be a scope of its own: body parsers and error form change for all of it. */
export function registerTwirpRoutes(app: FastifyInstance, options: TwirpOptions): void {
  const { config, keys, rooms, limits, network, metrics, nowMs } = options;
  app.removeAllContentTypeParsers();
  for (const type of ['application/json', 'application/protobuf']) {
    app.addContentTypeParser(type, { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  }
  // Any other body is read nevertheless, so that the refusal is Twirp's and the connection stays usable.
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, _body, done) => done(null, undefined));

  app.setErrorHandler((error, request, reply) => {
    const answer = named(asFocusError(error), config);
    metrics.apiCalls.inc({ method: methodOf(request), code: answer.twirpCode });
    if (answer.code === 'internal') request.log.error({ err: error }, 'a server API call failed');
    return sendJson(reply.code(answer.status), JSON.stringify({ code: answer.twirpCode, msg: answer.message }));
  });

  app.all('/twirp/*', { bodyLimit: config.limit.max_api_request_body_size }, async (request, reply) => {
    const method = Object.hasOwn(ROOM_SERVICE, methodOf(request)) ? ROOM_SERVICE[methodOf(request)] : undefined;
    if (request.method !== 'POST' || method === undefined) throw new FocusError('route-not-found');
    const body = bodyOf(request);
    const token = await verifyAccessToken(keys, tokenOf(request.headers.authorization, undefined), nowMs());
    const answer = await method.call({ rooms, limits, token, isHome: room => network.isHome(room) }, body);
    metrics.apiCalls.inc({ method: methodOf(request), code: 'ok' });
    return send(reply, body.kind, answer);
  });
}

/** Whose body is too large is told what is allowed. */
function named(error: FocusError, { limit }: TwirpOptions['config']): FocusError {
  if (error.code !== 'body-too-large') return error;
  return new FocusError(
    'body-too-large',
    `limit.max_api_request_body_size is ${limit.max_api_request_body_size} bytes`,
  );
}

/** The method's name as it is in the table, else `unknown`: the path is the client's, and a label must not be. */
function methodOf(request: FastifyRequest): string {
  const path = request.url.split('?', 1)[0]!;
  const name = path.startsWith(PATH) ? path.slice(PATH.length) : '';
  return Object.hasOwn(ROOM_SERVICE, name) ? name : 'unknown';
}

function bodyOf(request: FastifyRequest): RpcBody {
  if (!Buffer.isBuffer(request.body)) throw new FocusError('route-not-found', 'unexpected Content-Type');
  const type = request.headers['content-type'] ?? '';
  return type.startsWith('application/protobuf')
    ? { kind: 'protobuf', bytes: request.body }
    : { kind: 'json', text: request.body.toString('utf8') };
}

function send(
  reply: FastifyReply,
  kind: RpcBody['kind'],
  answer: Awaited<ReturnType<(typeof ROOM_SERVICE)[string]['call']>>,
): FastifyReply {
  if (kind === 'protobuf') return reply.type('application/protobuf').send(Buffer.from(answer.toBinary()));
  // As LiveKit's server writes JSON: the names of the .proto file, and every field.
  return sendJson(reply, answer.toJsonString({ useProtoFieldName: true, emitDefaultValues: true }));
}

/** As bytes: to a text fastify adds a charset, and LiveKit's SDKs read an error's code only from exactly `application/json`. */
function sendJson(reply: FastifyReply, text: string): FastifyReply {
  return reply.header('content-type', 'application/json').send(Buffer.from(text));
}

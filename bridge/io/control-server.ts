/** The bridge's private HTTP API (protocol/control/README.md): desired state in, one event stream per focus out, `/metrics` for whoever scrapes. */
import swagger from '@fastify/swagger';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { Type } from 'typebox';
import { type BridgeReport, type BridgeState, BridgeStateSchema } from '../../protocol/control/events.ts';
import { verifyServiceToken } from '../../protocol/control/service-token.ts';
import {
  type ConferenceSpec,
  ConferenceSpecSchema,
  type EndpointSpec,
  EndpointSpecSchema,
  type Message,
  MessageSchema,
} from '../../protocol/control/spec.ts';
import { type ConferenceId, type EndpointId, parseId } from '../../protocol/ids.ts';
import type { Bridge } from '../bridge.ts';
import { drainProblem } from '../drain.ts';
import { BRIDGE_ERRORS, BridgeError } from '../errors.ts';
import type { Neighbours } from '../neighbours.ts';
import type { Datapath } from './datapath.ts';
import type { EventStreams } from './event-streams.ts';

/** A conference document of 10,000 endpoints with long identities. */
const BODY_BYTES_MAX = 16 * 1024 * 1024;

const PUBLIC_PATHS = new Set(['/metrics', '/healthz', '/v1/openapi.json']);

export interface ControlServerOptions {
  readonly bridge: Bridge;
  readonly secret: string;
  readonly report: () => BridgeReport;
  /** How its packets move, and why that way. */
  readonly datapath: Pick<Datapath, 'name' | 'reason'>;
  readonly events: EventStreams;
  /** Drains the bridge, or ends that. */
  readonly setState: (state: BridgeState) => void;
  /** Whose links are told to a focus that connects. */
  readonly neighbours: Pick<Neighbours, 'events'>;
  readonly metrics: Registry;
  readonly nowMs: () => number;
  readonly log: Logger;
}

interface ConferenceParams {
  Params: { conferenceId: string };
}

interface EndpointParams {
  Params: { conferenceId: string; endpointId: string };
}

/** Builds the server; the caller listens and closes. */
export async function buildControlServer(options: ControlServerOptions): Promise<FastifyInstance> {
  const { bridge, nowMs } = options;
  const app = Fastify({ bodyLimit: BODY_BYTES_MAX, forceCloseConnections: true });
  await app.register(swagger, {
    openapi: { info: { title: 'Causeway bridge control API', version: '1' } },
  });
  app.setErrorHandler((error, _request, reply) => refuse(options.log, error, reply));
  app.setNotFoundHandler((request, reply) =>
    sendError(reply, new BridgeError('unknown-path', `${request.method} ${request.url} is not part of this API`)),
  );
  app.addHook('onRequest', async (request, reply) => authorize(options.secret, request, reply));

  await app.register(async routes => {
    routes.put<ConferenceParams & { Body: ConferenceSpec }>(
      '/v1/conferences/:conferenceId',
      { schema: { summary: 'The mesh of a conference', body: ConferenceSpecSchema } },
      async (request, reply) => {
        bridge.putConference(conferenceIdOf(request.params.conferenceId), request.body);
        return reply.code(204).send();
      },
    );
    routes.delete<ConferenceParams>(
      '/v1/conferences/:conferenceId',
      { schema: { summary: 'End a conference here' } },
      async (request, reply) => {
        bridge.deleteConference(conferenceIdOf(request.params.conferenceId));
        return reply.code(204).send();
      },
    );
    routes.put<EndpointParams & { Body: EndpointSpec }>(
      '/v1/conferences/:conferenceId/endpoints/:endpointId',
      { schema: { summary: 'All that an endpoint sends and receives', body: EndpointSpecSchema } },
      async request => {
        const { conferenceId, endpointId } = request.params;
        return bridge.putEndpoint(nowMs(), conferenceIdOf(conferenceId), endpointIdOf(endpointId), request.body);
      },
    );
    routes.delete<EndpointParams>(
      '/v1/conferences/:conferenceId/endpoints/:endpointId',
      { schema: { summary: 'End an endpoint' } },
      async (request, reply) => {
        const { conferenceId, endpointId } = request.params;
        bridge.deleteEndpoint(conferenceIdOf(conferenceId), endpointIdOf(endpointId));
        return reply.code(204).send();
      },
    );
    routes.post<ConferenceParams & { Body: Message }>(
      '/v1/conferences/:conferenceId/messages',
      { schema: { summary: 'A data message from the server to endpoints of this bridge', body: MessageSchema } },
      async (request, reply) => {
        const { kind, packet, destinations } = request.body;
        const bytes = Buffer.from(packet, 'base64');
        bridge.sendServerMessage(conferenceIdOf(request.params.conferenceId), kind === 'reliable', bytes, destinations);
        return reply.code(204).send();
      },
    );
    routes.get<{ Querystring: { focus: string } }>(
      '/v1/events',
      {
        schema: {
          summary: 'One JSON event a line, open until closed',
          querystring: Type.Object({ focus: Type.String({ minLength: 1, maxLength: 64 }) }),
        },
      },
      (request, reply) => {
        reply.hijack();
        reply.raw.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
        options.events.open(reply.raw, [
          { kind: 'hello', report: options.report() },
          ...options.neighbours.events(),
          ...bridge.endpointEvents(),
        ]);
        options.log.info({ focus: request.query.focus }, 'a focus listens');
      },
    );
    const { name, reason } = options.datapath;
    routes.get('/v1/bridge', { schema: { summary: 'This bridge, its load and its datapath' } }, async () => ({
      ...options.report(),
      datapath: { name, reason },
    }));
    routes.put<{ Body: BridgeState }>(
      '/v1/bridge/state',
      {
        schema: {
          summary:
            'Take no new endpoints (draining), or take them again (running); focuses move those that are here, unless in mode wait',
          body: BridgeStateSchema,
        },
      },
      async request => {
        const problem = drainProblem(request.body);
        if (problem !== undefined) throw new BridgeError('bad-request', problem);
        options.setState(request.body);
        return options.report();
      },
    );
    routes.get('/v1/conferences', { schema: { summary: 'Conferences with an endpoint here' } }, async () => ({
      conferences: bridge.describe(),
    }));
    routes.get<ConferenceParams>(
      '/v1/conferences/:conferenceId',
      { schema: { summary: 'What flows in a conference, and why each subscriber gets the layer it gets' } },
      async request => bridge.describeConference(nowMs(), conferenceIdOf(request.params.conferenceId)),
    );
    routes.get(
      '/v1/links',
      { schema: { summary: 'Octo links to other bridges: their paths, what each carries, and why' } },
      async () => ({
        links: bridge.describeLinks(),
      }),
    );
    routes.get('/metrics', { schema: { hide: true } }, async (_request, reply) =>
      reply.type(options.metrics.contentType).send(await options.metrics.metrics()),
    );
    routes.get('/healthz', { schema: { hide: true } }, async () => ({ status: 'ok' }));
    routes.get('/v1/openapi.json', { schema: { hide: true } }, async () => app.swagger());
  });
  return app;
}

async function authorize(secret: string, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  if (PUBLIC_PATHS.has(request.url)) return;
  const issuer = await verifyServiceToken(secret, request.headers.authorization);
  if (issuer !== undefined) return;
  await sendError(
    reply,
    new BridgeError('unauthorized', 'a service token signed with control.secret is required (Authorization: Bearer)'),
  );
}

function conferenceIdOf(text: string): ConferenceId {
  return idOf<ConferenceId>(text, 'conference');
}

function endpointIdOf(text: string): EndpointId {
  return idOf<EndpointId>(text, 'endpoint');
}

function idOf<Id extends ConferenceId | EndpointId>(text: string, what: string): Id {
  const id = parseId<Id>(text);
  if (id === undefined)
    throw new BridgeError('bad-request', `the ${what} ID in the path is not 8 hex digits above zero`);
  return id;
}

function refuse(log: Logger, error: unknown, reply: FastifyReply): FastifyReply {
  if (error instanceof BridgeError) return sendError(reply, error);
  const { statusCode, message } = error as { statusCode?: number; message: string };
  if (statusCode !== undefined && statusCode < 500) return sendError(reply, new BridgeError('bad-request', message));
  log.error({ err: error }, 'a control request failed');
  return sendError(reply, new BridgeError('internal', 'the bridge failed to carry this out; its log says why'));
}

function sendError(reply: FastifyReply, error: BridgeError): FastifyReply {
  const { code, message, version } = error;
  return reply.code(BRIDGE_ERRORS[code]).send({ error: { code, message, ...(version !== undefined && { version }) } });
}

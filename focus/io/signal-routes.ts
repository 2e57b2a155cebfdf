/** `/rtc/v1` (one PeerConnection), `/rtc` (two), and where SDKs ask why they were refused. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { asFocusError, FocusError } from '../errors.ts';
import type { Limits } from '../limits/limits.ts';
import type { FocusMetrics } from '../metrics.ts';
import { type Admission, type AdmissionRequest, type AdmissionRules, admit } from '../signal/admission.ts';
import type { AddressFinder } from './client-address.ts';
import type { RegionFinder } from './region-finder.ts';
import type { SessionRouter } from './session-router.ts';
import { SignalSocket, type SignalSocketOptions } from './signal-socket.ts';

export interface SignalRoutesOptions {
  readonly rules: AdmissionRules;
  readonly router: Pick<SessionRouter, 'route'>;
  readonly limits: Limits;
  readonly socket: SignalSocketOptions;
  readonly regions: RegionFinder;
  readonly metrics: FocusMetrics;
  readonly addressOf: AddressFinder;
  readonly log: Logger;
  readonly nowMs: () => number;
  /** Whether the room is open, as far as is known without asking. */
  readonly isOpen: (room: string) => boolean;
  /** True once the focus has begun to shut down: nobody is let in. */
  readonly isClosing: () => boolean;
}

type SignalPath = '/rtc/v1' | '/rtc';

export function registerSignalRoutes(app: FastifyInstance, options: SignalRoutesOptions): void {
  const { rules, regions, metrics, nowMs } = options;
  const admissions = new WeakMap<FastifyRequest, Admission>();

  for (const url of ['/rtc/v1', '/rtc'] as const) {
    registerSocket(url);
    app.get(`${url}/validate`, (request, reply) =>
      validate(options.log, reply, async () => {
        await admit(rules, admissionRequest(url, request), nowMs());
        return 'success';
      }),
    );
  }

  function registerSocket(url: SignalPath): void {
    app.route({
      method: 'GET',
      url,
      // What clients break (framing, sizes) is counted, not logged: they could write as much of it as they like.
      logLevel: 'silent',
      handler: (_request, reply) => reply.code(426).header('upgrade', 'websocket').send('a WebSocket is expected here'),
      preValidation: async (request, reply) => {
        if (!request.ws) return;
        try {
          if (options.isClosing()) throw new FocusError('shutting-down');
          const admission = await admit(rules, admissionRequest(url, request), nowMs());
          if (!admission.request.reconnect) checkLimits(admission, request);
          admissions.set(request, admission);
        } catch (error) {
          metrics.joinsRefused.inc({ reason: asFocusError(error).code });
          await answerError(options.log, reply, error);
        }
      },
      wsHandler: (webSocket, request) => {
        const admission = admissions.get(request);
        const socket = new SignalSocket(webSocket, options.socket);
        if (admission === undefined) socket.close('not admitted');
        else void open(socket, admission, request);
      },
    });
  }

  function checkLimits({ token: { apiKey }, room }: Admission, request: FastifyRequest): void {
    options.limits.join(nowMs(), { apiKey, address: options.addressOf(request) });
    options.limits.check(apiKey, room, options.isOpen(room));
  }

  function open(socket: SignalSocket, admission: Admission, request: FastifyRequest): Promise<void> {
    const region = regions.find({
      peerAddress: request.socket.remoteAddress ?? '',
      headers: request.headers,
      tokenRegion: admission.token.region,
    });
    return options.router.route({ socket, admission, region, address: options.addressOf(request) });
  }
}

async function validate(log: Logger, reply: FastifyReply, check: () => Promise<string>): Promise<FastifyReply> {
  reply.header('access-control-allow-origin', '*');
  try {
    return await reply.type('text/plain').send(await check());
  } catch (error) {
    return answerError(log, reply, error);
  }
}

/** LiveKit's clients show the body as it is. */
async function answerError(log: Logger, reply: FastifyReply, error: unknown): Promise<FastifyReply> {
  const { status, message, code } = asFocusError(error);
  if (code === 'internal') log.error({ error: String(error) }, 'signalling request failed');
  return reply.code(status).type('text/plain').send(message);
}

function admissionRequest(path: SignalPath, request: FastifyRequest): AdmissionRequest {
  const query = request.query as Readonly<Record<string, string | string[] | undefined>>;
  const one = (name: string) => [query[name]].flat().at(0);
  return {
    authorization: request.headers.authorization,
    accessToken: one('access_token'),
    joinRequest: one('join_request'),
    olderParameters: path === '/rtc' ? query : null,
  };
}

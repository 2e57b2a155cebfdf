/** `/rtc/v1` and what belongs to it. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { asFocusError, FocusError } from '../errors.ts';
import type { FocusMetrics } from '../metrics.ts';
import { type Admission, type AdmissionRequest, type AdmissionRules, admit, admitOlder } from '../signal/admission.ts';
import type { AddressFinder } from './client-address.ts';
import type { RegionFinder } from './region-finder.ts';
import { openSession, type SessionOpenerOptions } from './session-opener.ts';
import { SignalSocket, type SignalSocketOptions } from './signal-socket.ts';

export interface SignalRoutesOptions {
  readonly rules: AdmissionRules;
  readonly sessions: SessionOpenerOptions;
  readonly socket: SignalSocketOptions;
  readonly regions: RegionFinder;
  readonly metrics: FocusMetrics;
  readonly addressOf: AddressFinder;
  readonly log: Logger;
  readonly nowMs: () => number;
  /** True once the focus has begun to shut down: nobody is let in. */
  readonly isClosing: () => boolean;
}

/** What an SDK of the older protocol shows to its user. */
const OLDER_PROTOCOL =
  'this server speaks the signalling of one PeerConnection (/rtc/v1) only: use a LiveKit SDK that knows it, with single peer connection on';

export function registerSignalRoutes(app: FastifyInstance, options: SignalRoutesOptions): void {
  const { rules, regions, metrics, nowMs } = options;
  const admissions = new WeakMap<FastifyRequest, Admission>();

  app.route({
    method: 'GET',
    url: '/rtc/v1',
    // What clients break (framing, sizes) is counted, not logged: they could write as much of it as they like.
    logLevel: 'silent',
    handler: (_request, reply) => reply.code(426).header('upgrade', 'websocket').send('a WebSocket is expected here'),
    preValidation: async (request, reply) => {
      if (!request.ws) return;
      try {
        if (options.isClosing()) throw new FocusError('shutting-down');
        const admission = await admit(rules, admissionRequest(request), nowMs());
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

  app.get('/rtc/v1/validate', (request, reply) =>
    validate(options.log, reply, async () => {
      await admit(rules, admissionRequest(request), nowMs());
      return 'success';
    }),
  );
  // SDKs come here when they are told that the room does not exist (404), or are too old: both are to learn the real reason.
  app.get('/rtc/validate', (request, reply) => validate(options.log, reply, () => refuseOlder(request)));
  app.get('/rtc', (request, reply) => validate(options.log, reply, () => refuseOlder(request)));

  function checkLimits({ token: { apiKey }, room }: Admission, request: FastifyRequest): void {
    const { limits } = options.sessions;
    limits.join(nowMs(), { apiKey, address: options.addressOf(request) });
    limits.check(apiKey, room, rules.hasRoom(room));
  }

  async function open(socket: SignalSocket, admission: Admission, request: FastifyRequest): Promise<void> {
    const region = regions.find({
      peerAddress: request.socket.remoteAddress ?? '',
      headers: request.headers,
      tokenRegion: admission.token.region,
    });
    const opened = await openSession(options.sessions, socket, admission, region);
    if (opened === undefined) return;
    const { room, participant } = opened;
    const { host } = options.sessions;
    socket.listen(
      message => {
        // The socket may have been replaced by a resume; what it still brings is of the past.
        if (host.session(participant.sid)?.sink === socket) host.handleRequest(room, participant, message);
      },
      () => host.handleSignalLost(room, participant, socket),
    );
  }

  async function refuseOlder(request: FastifyRequest): Promise<never> {
    await admitOlder(rules, admissionRequest(request), nowMs());
    throw new OlderProtocolError();
  }
}

class OlderProtocolError extends Error {}

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
  if (error instanceof OlderProtocolError) return reply.code(403).type('text/plain').send(OLDER_PROTOCOL);
  const { status, message, code } = asFocusError(error);
  if (code === 'internal') log.error({ error: String(error) }, 'signalling request failed');
  return reply.code(status).type('text/plain').send(message);
}

function admissionRequest(request: FastifyRequest): AdmissionRequest {
  const query = request.query as Readonly<Record<string, string | string[] | undefined>>;
  const one = (name: string) => [query[name]].flat().at(0);
  return {
    authorization: request.headers.authorization,
    accessToken: one('access_token'),
    joinRequest: one('join_request'),
  };
}

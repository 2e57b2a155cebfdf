import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream';
import type { Logger } from 'pino';
import type { FocusHealth } from '../focus-health.ts';
import type { ProxyMetrics } from '../metrics.ts';
import type { RegionChoice } from '../region-choice.ts';
import { requestHeaders, withoutHopByHop } from '../request-headers.ts';
import { askFocus, type FocusAgents, type FocusAnswer, FocusFailure, type FocusTimeouts } from './ask-focus.ts';
import { refuse } from './refuse.ts';
import type { UpgradedSockets } from './upgraded-sockets.ts';

export interface PassingOn {
  readonly health: FocusHealth;
  readonly metrics: ProxyMetrics;
  readonly agents: FocusAgents;
  readonly sockets: UpgradedSockets;
  readonly timeouts: FocusTimeouts;
  readonly regionHeader: string;
  readonly now: () => number;
  readonly log: Logger;
}

/** A client's request, understood. `head` is there for a WebSocket: the bytes that came right behind the request. */
export interface ClientRequest {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly path: string;
  readonly peer: string;
  readonly isPeerTrusted: boolean;
  readonly choice: RegionChoice;
  readonly head: Buffer | undefined;
}

/** Hands a request, or a WebSocket, to the first focus that takes it, and carries the answer back. Never rejects. */
export async function passOn(client: ClientRequest, passing: PassingOn): Promise<void> {
  const { request, response, choice } = client;
  const { metrics, log } = passing;
  const kind = client.head === undefined ? 'http' : 'websocket';
  const gone = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) gone.abort();
  });
  metrics.requests.inc({ region: choice.region, rule: choice.rule, kind });
  const found = await firstAnswer(client, passing, gone.signal);
  if (found === undefined) return;
  const { focus, answer } = found;
  if (focus !== choice.ranking[0]?.focus) metrics.fallbacks.inc({ region: choice.region, focus });
  // The query of a signalling request holds a token: it never reaches a log.
  const path = client.path.split('?', 1)[0];
  const status = answer.response.statusCode;
  log[kind === 'http' ? 'debug' : 'info'](
    { region: choice.region, rule: choice.rule, focus, path, status },
    'passed on',
  );
  if (answer.upgraded === undefined) return answerWith(answer.response, response);
  response.detachSocket(request.socket);
  passing.sockets.join(request.socket, client.head, answer);
}

interface Found {
  readonly focus: string;
  readonly answer: FocusAnswer;
}

async function firstAnswer(client: ClientRequest, passing: PassingOn, signal: AbortSignal): Promise<Found | undefined> {
  const { request, response, choice } = client;
  const { health, metrics, log } = passing;
  const focuses = health.order(
    passing.now(),
    choice.ranking.map(entry => entry.focus),
  );
  const body = hasBody(request) ? request : undefined;
  const headers = requestHeaders(request.headers, {
    region: choice.region,
    regionHeader: passing.regionHeader,
    peer: client.peer,
    isPeerTrusted: client.isPeerTrusted,
    isUpgrade: client.head !== undefined,
  });
  const asked = { method: request.method ?? 'GET', path: client.path, headers, body, signal };
  for (const focus of focuses) {
    try {
      const answer = await askFocus(focus, asked, passing.agents, passing.timeouts);
      health.handleRequestSuccess(focus);
      return { focus, answer };
    } catch (error) {
      if (!(error instanceof FocusFailure)) throw error;
      if (error.reason === 'client-gone') return undefined;
      metrics.focusFailures.inc({ focus, reason: error.reason });
      // Slow is not dead: only a focus that did not take the request is passed over for a while.
      if (error.reason !== 'response-timeout') health.handleRequestFailure(passing.now(), focus);
      log.warn({ focus, region: choice.region, reason: error.reason }, 'a focus gave no answer');
      if (error.mayAskAnother) continue;
      const code = error.reason === 'response-timeout' ? 'focus-timeout' : 'focus-unreachable';
      refuse(
        response,
        { code, message: `the focus of region ${choice.region} gave no answer (${error.reason})` },
        metrics,
      );
      return undefined;
    }
  }
  refuse(response, { code: 'focus-unreachable', message: `no focus can be reached; tried ${focuses.length}` }, metrics);
  return undefined;
}

function answerWith(answer: IncomingMessage, response: ServerResponse): void {
  response.writeHead(answer.statusCode ?? 502, answer.statusMessage, withoutHopByHop(answer.headers));
  // A side that breaks off breaks off the other: a cut answer must not look complete.
  pipeline(answer, response, () => {});
}

function hasBody(request: IncomingMessage): boolean {
  const length = request.headers['content-length'];
  return request.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
}

import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';

export interface FocusRequest {
  readonly method: string;
  /** Path and query as they go on the wire. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[]>>;
  /** Undefined when the request has none: only then may another focus be asked after this one has seen the request. */
  readonly body: Readable | undefined;
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal;
}

export interface FocusTimeouts {
  readonly connectMs: number;
  /** From the end of the request to the first byte of the answer. */
  readonly responseMs: number;
}

/** `upgraded` is there when the focus answered 101: from then on both sides speak WebSocket. */
export interface FocusAnswer {
  readonly response: IncomingMessage;
  readonly upgraded: { readonly socket: Socket; readonly head: Buffer } | undefined;
}

export type FailureReason = 'refused' | 'connect-timeout' | 'reset' | 'response-timeout' | 'client-gone';

/** The focus gave no answer. */
export class FocusFailure extends Error {
  readonly reason: FailureReason;
  /** True when asking another focus cannot do the same thing twice. */
  readonly mayAskAnother: boolean;

  constructor(reason: FailureReason, mayAskAnother: boolean) {
    super(`the focus gave no answer: ${reason}`);
    this.reason = reason;
    this.mayAskAnother = mayAskAnother;
  }
}

/** Connections kept to focuses, shared by all requests of a proxy. Each focus gets at most 512 at a time, further requests queue. */
export class FocusAgents {
  readonly #http = new http.Agent({ keepAlive: true, maxSockets: 512, maxFreeSockets: 32 });
  readonly #https = new https.Agent({ keepAlive: true, maxSockets: 512, maxFreeSockets: 32 });

  agentFor(focus: string): http.Agent {
    return focus.startsWith('https:') ? this.#https : this.#http;
  }

  close(): void {
    this.#http.destroy();
    this.#https.destroy();
  }
}

/**
 * Sends one request to the origin `focus`. Rejects with {@link FocusFailure} and nothing else. The body is not touched before the connection
 * stands, so that a refused request can go elsewhere whole.
 */
export function askFocus(
  focus: string,
  request: FocusRequest,
  agents: FocusAgents,
  timeouts: FocusTimeouts,
): Promise<FocusAnswer> {
  return new Promise((resolve, reject) => {
    const { method, path, headers, body, signal } = request;
    const isUpgrade = headers['upgrade'] !== undefined;
    const client = focus.startsWith('https:') ? https : http;
    // An upgraded connection belongs to one client for hours: it must not take a place in the shared pool.
    const agent = isUpgrade ? false : agents.agentFor(focus);
    const outgoing = client.request(new URL(focus), { method, path, headers, agent, signal });
    let isConnected = false;
    let timer = setTimeout(() => fail('connect-timeout'), timeouts.connectMs);

    outgoing.once('socket', socket => {
      if (!socket.connecting) onConnected();
      else socket.once(focus.startsWith('https:') ? 'secureConnect' : 'connect', onConnected);
    });
    outgoing.on('error', () => fail(signal.aborted ? 'client-gone' : isConnected ? 'reset' : 'refused'));
    outgoing.once('response', response => settle({ response, upgraded: undefined }));
    outgoing.once('upgrade', (response, socket, head) =>
      settle({ response, upgraded: { socket: socket as Socket, head } }),
    );

    function onConnected(): void {
      isConnected = true;
      clearTimeout(timer);
      if (body === undefined) {
        outgoing.end();
        awaitResponse();
        return;
      }
      body.once('end', awaitResponse);
      body.once('error', () => fail('client-gone'));
      body.pipe(outgoing);
    }

    function awaitResponse(): void {
      clearTimeout(timer);
      timer = setTimeout(() => fail('response-timeout'), timeouts.responseMs);
    }

    function settle(answer: FocusAnswer): void {
      clearTimeout(timer);
      // The pool's timers are for idle connections; this one now belongs to the answer.
      body?.off('end', awaitResponse);
      resolve(answer);
    }

    function fail(reason: FailureReason): void {
      clearTimeout(timer);
      const isUntouched = !isConnected || (reason === 'reset' && body === undefined && isSafe(method));
      reject(new FocusFailure(reason, isUntouched && reason !== 'client-gone'));
      outgoing.destroy();
    }
  });
}

/** RFC 9110 section 9.2.1. */
function isSafe(method: string): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS';
}

/** HTTP to one bridge's control API (protocol/control/README.md), over kept-alive connections. */
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { signServiceToken } from '../../protocol/control/service-token.ts';

export interface BridgeAnswer {
  readonly status: number;
  /** Parsed JSON; null for an empty or unreadable body. */
  readonly body: unknown;
}

export interface BridgeClientOptions {
  /** `http://host:port` or https, from the bridge's report. */
  readonly controlUrl: string;
  readonly focusId: string;
  readonly secret: string;
  readonly requestTimeoutMs: number;
  readonly nowMs: () => number;
}

export interface BridgeClient {
  /** Rejects when there is no answer in time; every status is an answer. */
  request(method: 'GET' | 'PUT' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<BridgeAnswer>;
  /** The event stream, open and answered with 200. Rejects otherwise. The caller ends it with `destroy`. */
  openEvents(silenceTimeoutMs: number): Promise<IncomingMessage>;
  /** Ends everything under way. */
  close(): void;
}

/** A conference change touches every endpoint's document at once: more than so many wait for their turn. */
const CONNECTIONS_MAX = 16;
const ANSWER_BYTES_MAX = 1 << 20;
/** Service tokens live for 60 s; one is used for half of that. */
const TOKEN_AGE_MS_MAX = 30_000;

export function createBridgeClient(options: BridgeClientOptions): BridgeClient {
  const url = new URL(options.controlUrl);
  const isSecure = url.protocol === 'https:';
  const agentOptions = { keepAlive: true, maxSockets: CONNECTIONS_MAX };
  const agent = isSecure ? new HttpsAgent(agentOptions) : new HttpAgent(agentOptions);
  const send = isSecure ? httpsRequest : httpRequest;
  const closing = new AbortController();
  let token: { readonly value: Promise<string>; readonly signedAtMs: number } | undefined;

  function authorization(): Promise<string> {
    const nowMs = options.nowMs();
    if (token === undefined || nowMs - token.signedAtMs > TOKEN_AGE_MS_MAX) {
      token = { value: signServiceToken(options.secret, options.focusId), signedAtMs: nowMs };
    }
    return token.value;
  }

  function exchange(
    request: RequestOptions,
    body: Buffer | undefined,
    idleTimeoutMs: number,
  ): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const sent = send(url, request, resolve);
      sent.setTimeout(idleTimeoutMs, () => sent.destroy(new Error('the bridge is silent')));
      sent.on('error', reject);
      sent.end(body);
    });
  }

  return {
    async request(method, path, body) {
      const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
      const headers = {
        authorization: `Bearer ${await authorization()}`,
        ...(payload === undefined ? {} : { 'content-type': 'application/json', 'content-length': payload.byteLength }),
      };
      const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(options.requestTimeoutMs)]);
      const response = await exchange({ method, path, agent, headers, signal }, payload, options.requestTimeoutMs);
      return { status: response.statusCode ?? 0, body: await readJson(response) };
    },
    async openEvents(silenceTimeoutMs) {
      const path = `/v1/events?focus=${encodeURIComponent(options.focusId)}`;
      const headers = { authorization: `Bearer ${await authorization()}`, accept: 'application/x-ndjson' };
      // Its own connection: a stream that is open for ever must not take one of the pool's.
      const request = { method: 'GET', path, agent: false as const, headers, signal: closing.signal };
      const response = await exchange(request, undefined, silenceTimeoutMs);
      if (response.statusCode === 200) return response;
      response.destroy();
      throw new Error(`the bridge answered its event stream with ${response.statusCode}`);
    },
    close() {
      closing.abort();
      agent.destroy();
    },
  };
}

async function readJson(response: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX) throw new Error('the bridge answered more than an answer can be');
    chunks.push(chunk);
  }
  if (bytes === 0) return null;
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    return null;
  }
}

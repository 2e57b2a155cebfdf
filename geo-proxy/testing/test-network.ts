/** For tests: focuses that say what reached them, and a geo-proxy before them, all on loopback with ports of their own. */

import type { AddressInfo } from 'node:net';
import websocket from '@fastify/websocket';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { pino } from 'pino';
import { readGeoProxyConfig } from '../config.ts';
import { type RunningGeoProxy, startGeoProxy } from '../service.ts';

/** What a focus saw of a request. */
export interface Seen {
  readonly focus: string;
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface EchoFocus {
  readonly name: string;
  readonly origin: string;
  readonly app: FastifyInstance;
  /** The first close of a WebSocket that it saw: `CODE REASON`. */
  readonly firstClose: Promise<string>;
  close(): Promise<void>;
}

/**
 * A focus that answers every request with what it saw. `/rtc/v1` is a WebSocket that sends what it saw as its first frame, then echoes;
 * the text `close CODE REASON` makes it close. `/rtc/refused` answers an upgrade with 401. `/silent` never answers.
 */
export async function startEchoFocus(name: string): Promise<EchoFocus> {
  const app = fastify({ forceCloseConnections: true, http: { maxHeaderSize: 65_536 } });
  const handleProtocols = (protocols: Set<string>) => [...protocols][0] ?? false;
  await app.register(websocket, { options: { handleProtocols } });
  const closed = Promise.withResolvers<string>();
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body));
  app.get('/rtc/v1', { websocket: true }, (socket, request) => {
    socket.send(JSON.stringify({ focus: name, method: 'GET', url: request.url, headers: request.headers, body: '' }));
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      const close = isBinary ? null : /^close (\d+) (.*)$/.exec(data.toString());
      if (close !== null) socket.close(Number(close[1]), close[2]);
      else socket.send(data, { binary: isBinary });
    });
    socket.on('close', (code: number, reason: Buffer) => closed.resolve(`${code} ${reason}`));
  });
  const refuse = async (_request: FastifyRequest, reply: FastifyReply) =>
    reply.code(401).send('no permissions to access the room');
  app.get('/rtc/refused', { websocket: true, preValidation: refuse }, () => {});
  app.get('/silent', () => new Promise(() => {}));
  app.get('/healthz', () => ({ status: 'ok' }));
  app.all('/*', request => {
    const body = typeof request.body === 'string' ? request.body : JSON.stringify(request.body ?? '');
    return { focus: name, method: request.method, url: request.url, headers: request.headers, body };
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  return { name, origin: `http://127.0.0.1:${port}`, app, firstClose: closed.promise, close: () => app.close() };
}

export interface TestNetwork {
  readonly proxy: RunningGeoProxy;
  /** By name; regions eu, us and ap have a focus each. */
  readonly focuses: ReadonlyMap<string, EchoFocus>;
}

const COORDINATES = { eu: [50.1, 8.7], us: [39, -77.5], ap: [1.35, 103.8] } as const;

/** Runs `body` against three focuses and a geo-proxy, then closes all of them. `settings` go over a configuration for tests. */
export async function withNetwork(
  settings: Readonly<Record<string, unknown>>,
  body: (network: TestNetwork) => Promise<void>,
): Promise<void> {
  const focuses = new Map<string, EchoFocus>();
  for (const name of Object.keys(COORDINATES)) focuses.set(name, await startEchoFocus(name));
  const regions = Object.entries(COORDINATES).map(([name, [lat, lon]]) => {
    return { name, focus: focuses.get(name)!.origin, lat, lon };
  });
  const flags = { port: 0, bind_addresses: ['127.0.0.1'], regions, ...settings };
  const proxy = await startGeoProxy(readGeoProxyConfig({ env: {}, flags }), pino({ level: 'silent' }));
  try {
    await body({ proxy, focuses });
  } finally {
    await proxy.close();
    await Promise.all([...focuses.values()].map(focus => focus.close()));
  }
}

/** GETs (or whatever `init` says) and reads the JSON answer. */
export async function ask<T = Seen>(url: string, init?: RequestInit): Promise<T> {
  const response = await fetch(url, init);
  return (await response.json()) as T;
}

/** Listening on several addresses with one fastify: it has one server of its own; the others hand their requests on to it. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';

export interface Listeners {
  /** `http://address:port` of the first address. */
  readonly url: string;
  /** Ends listening and, when that is not enough after `graceMs`, the connections that are left. */
  close(graceMs: number): Promise<void>;
}

export interface ListenOptions {
  /** At least one. */
  readonly addresses: readonly string[];
  /** 0: a free port, the same for all addresses. */
  readonly port: number;
  readonly headerBytesMax: number;
  /** Connections on which nothing moves for so long are closed; those of `app`'s own server are its `connectionTimeout`. */
  readonly idleTimeoutMs: number;
}

/** Rejects with the system's error when an address cannot be listened on; nothing listens then. */
export async function listenOn(app: FastifyInstance, options: ListenOptions): Promise<Listeners> {
  const [first, ...others] = options.addresses;
  const url = await app.listen({ port: options.port, ...(first === undefined ? {} : { host: first }) });
  const { port } = app.server.address() as AddressInfo;
  const servers: Server[] = [];

  async function close(graceMs: number): Promise<void> {
    const cut = setTimeout(() => {
      for (const server of [app.server, ...servers]) server.closeAllConnections();
    }, graceMs);
    try {
      await Promise.all([app.close(), ...servers.map(closeServer)]);
    } finally {
      clearTimeout(cut);
    }
  }

  try {
    for (const address of others) servers.push(await forward(app.server, address, port, options));
    return { url, close };
  } catch (error) {
    await close(0);
    throw error;
  }
}

function forward(main: Server, address: string, port: number, options: ListenOptions): Promise<Server> {
  const server = createServer({ maxHeaderSize: options.headerBytesMax });
  server.setTimeout(options.idleTimeoutMs);
  for (const event of ['request', 'upgrade', 'clientError'] as const) {
    server.on(event, (...values: unknown[]) => main.emit(event, ...values));
  }
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, address, () => resolve(server));
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise(resolve => server.close(() => resolve()));
}

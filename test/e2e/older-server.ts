/** A front that knows nothing of `/rtc/v1`, as LiveKit's older servers: SDKs that try it first fall back to two PeerConnections. */
import { createServer, request as httpRequest, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';

export interface OlderServer {
  /** In place of the URL that it stands before. */
  readonly url: string;
  /** Sockets that came through, by path without query. */
  readonly opened: readonly string[];
  close(): Promise<void>;
}

/** `targetUrl` is ws:// or http:// on loopback; its path stays in front of what is asked for. */
export async function startOlderServer(targetUrl: string): Promise<OlderServer> {
  const { hostname, port, pathname } = new URL(targetUrl);
  const opened: string[] = [];
  const server = createServer((request, response) => {
    if (isUnknown(request)) {
      response.writeHead(404).end('404 page not found');
      return;
    }
    const { method, url: path, headers } = request;
    const onward = httpRequest({ hostname, port, method, path, headers }, answer => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  });
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => socket.destroy());
    if (isUnknown(request)) {
      socket.end('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
      return;
    }
    opened.push((request.url ?? '').split('?')[0]);
    const onward = connect(Number(port), hostname, () => {
      onward.write(`${headOf(request)}\r\n`);
      onward.write(head);
      onward.pipe(socket);
      socket.pipe(onward);
    });
    onward.on('error', () => socket.destroy());
    onward.on('close', () => socket.destroy());
    socket.on('close', () => onward.destroy());
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const own = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: `ws://${own}${pathname.replace(/\/$/, '')}`,
    opened,
    async close() {
      server.closeAllConnections();
      await new Promise(resolve => server.close(resolve));
    },
  };
}

function isUnknown({ url }: IncomingMessage): boolean {
  return /\/rtc\/v1(\/|\?|$)/.test(url ?? '');
}

function headOf({ method, url, rawHeaders }: IncomingMessage): string {
  let head = `${method} ${url} HTTP/1.1\r\n`;
  for (let index = 0; index < rawHeaders.length; index += 2)
    head += `${rawHeaders[index]}: ${rawHeaders[index + 1]}\r\n`;
  return head;
}

import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { ProxyMetrics } from '../metrics.ts';
import { withoutHopByHop } from '../request-headers.ts';
import type { FocusAnswer } from './ask-focus.ts';

/** Between keep-alive probes on a quiet WebSocket: a peer that vanished without a word is noticed, and NAT entries stay. */
const KEEP_ALIVE_MS = 30_000;

/**
 * WebSockets on their way through. The two TCP streams are joined byte for byte: frames, masks, pings, close codes and compression are the
 * two ends' own business, and a slow end slows the other through TCP instead of filling a buffer here. Limited by the server's connections.
 */
export class UpgradedSockets {
  readonly #sockets = new Set<Socket>();
  readonly #metrics: ProxyMetrics;

  constructor(metrics: ProxyMetrics) {
    this.#metrics = metrics;
  }

  /** Joins the client's socket to the one of an answered upgrade. `head`: what the client sent right behind its request. */
  join(client: Socket, head: Buffer | undefined, answer: FocusAnswer): void {
    const focus = answer.upgraded!.socket;
    for (const socket of [client, focus]) {
      socket.setTimeout(0);
      socket.setNoDelay(true);
      socket.setKeepAlive(true, KEEP_ALIVE_MS);
    }
    client.write(switchingProtocols(answer.response));
    if (answer.upgraded!.head.length > 0) client.write(answer.upgraded!.head);
    if (head !== undefined && head.length > 0) focus.write(head);
    this.#tie(client, focus);
    this.#tie(focus, client);
    this.#sockets.add(client);
    this.#metrics.webSockets.inc();
    client.once('close', () => {
      this.#sockets.delete(client);
      this.#metrics.webSockets.dec();
    });
    // The client may have gone while the focus was answering; its 'close' will not come again.
    if (client.destroyed) focus.destroy();
  }

  /** Cuts every connection that is still open. */
  closeAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #tie(from: Socket, to: Socket): void {
    from.pipe(to);
    from.on('error', () => to.destroy());
    from.on('close', () => to.destroySoon());
  }
}

/** The focus's own 101 with its accept key, protocol and extensions. */
function switchingProtocols(response: IncomingMessage): string {
  const headers = Object.entries({ ...withoutHopByHop(response.headers), connection: 'Upgrade', upgrade: 'websocket' });
  const lines = headers.flatMap(([name, value]) => [value].flat().map(text => `${name}: ${text}`));
  return `HTTP/1.1 101 Switching Protocols\r\n${lines.join('\r\n')}\r\n\r\n`;
}

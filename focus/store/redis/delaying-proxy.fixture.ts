/** A TCP proxy on loopback that passes bytes on later, in order: a store that is far away. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

export interface DelayingProxy {
  readonly address: string;
  /** Of each direction, from now on. */
  delayMs: number;
  close(): void;
}

/** Passes on to a port of loopback. */
export async function startDelayingProxy(port: number, delayMs: number): Promise<DelayingProxy> {
  const sockets = new Set<Socket>();
  const server = createServer(near => {
    const far = connect(port, '127.0.0.1');
    pass(near, far);
    pass(far, near);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const proxy: DelayingProxy = {
    address: `127.0.0.1:${(server.address() as { port: number }).port}`,
    delayMs,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };

  function pass(from: Socket, to: Socket): void {
    sockets.add(from);
    from.setNoDelay(true);
    // Timers of one length fire in the order they were set; a length that shrinks must not let bytes overtake.
    let lastDueMs = 0;
    const later = (work: () => void) => {
      const now = performance.now();
      lastDueMs = Math.max(lastDueMs, now + proxy.delayMs);
      setTimeout(work, lastDueMs - now);
    };
    from.on('data', data => later(() => to.destroyed || to.write(data)));
    from.on('close', () => {
      sockets.delete(from);
      later(() => to.destroy());
    });
    from.on('error', () => {});
  }
  return proxy;
}

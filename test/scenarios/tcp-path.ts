/**
 * A TCP path between two parties under test: passes bytes on, in order, later where it is told so, and not at all while it is cut. With several
 * targets it is the smallest load balancer: each connection goes to the first that takes it.
 */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

export interface TcpPathOptions {
  /** Ports on loopback, best first; asked for each connection. */
  readonly targets: () => readonly number[];
  /** Of each direction. */
  readonly delayMs?: number;
  /** A header for the first HTTP request of each connection, as a proxy adds one. */
  readonly header?: string;
}

/** A target that has not taken a connection by then is dead. */
const CONNECT_MS_MAX = 1_000;

export class TcpPath {
  /** Of each direction, from now on. */
  delayMs: number;
  /** As in the options, for connections from now on. */
  header: string | undefined;
  readonly #options: TcpPathOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isCut = false;

  private constructor(options: TcpPathOptions) {
    this.#options = options;
    this.delayMs = options.delayMs ?? 0;
    this.header = options.header;
    this.#server = createServer({ pauseOnConnect: true }, near => void this.#accept(near));
  }

  static async open(options: TcpPathOptions): Promise<TcpPath> {
    const path = new TcpPath(options);
    path.#server.listen(0, '127.0.0.1');
    await once(path.#server, 'listening');
    return path;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** What is sent is lost, on connections that stay open, as behind a broken cable; new ones come to nothing. */
  cut(): void {
    this.#isCut = true;
  }

  /** From now on bytes pass again; connections that lost some are reset, since TCP would have repeated what this path cannot. */
  mend(): void {
    this.#isCut = false;
    this.reset();
  }

  /** Ends all connections at once; those to one target when it is given. */
  reset(target?: number): void {
    for (const socket of this.#sockets) if (target === undefined || socket.remotePort === target) socket.destroy();
  }

  close(): void {
    this.#server.close();
    this.reset();
  }

  async #accept(near: Socket): Promise<void> {
    this.#keep(near);
    const far = this.#isCut ? undefined : await this.#dial();
    if (far === undefined) {
      if (!this.#isCut) near.destroy();
      return;
    }
    this.#keep(far);
    this.#pass(near, far, this.header);
    this.#pass(far, near);
    near.resume();
  }

  async #dial(): Promise<Socket | undefined> {
    for (const port of this.#options.targets()) {
      const far = connect(port, '127.0.0.1');
      far.on('error', () => {});
      const timer = setTimeout(() => far.destroy(), CONNECT_MS_MAX);
      const opened = await Promise.race([
        once(far, 'connect').then(() => true),
        once(far, 'close').then(() => false),
      ]).catch(() => false);
      clearTimeout(timer);
      if (opened) return far;
    }
    return undefined;
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.once('close', () => this.#sockets.delete(socket));
  }

  #pass(from: Socket, to: Socket, header?: string): void {
    // A delay that shrinks must not let bytes overtake: timers of one length fire in the order they were set.
    let lastDueMs = 0;
    let isFirst = header !== undefined;
    const later = (work: () => void) => {
      const now = performance.now();
      lastDueMs = Math.max(lastDueMs, now + this.delayMs);
      if (lastDueMs - now < 1) work();
      else setTimeout(work, lastDueMs - now);
    };
    from.on('data', (data: Buffer) => {
      if (this.#isCut) return;
      const bytes = isFirst ? withHeader(data, header!) : data;
      isFirst = false;
      later(() => to.destroyed || to.write(bytes));
    });
    from.once('close', () => {
      if (!this.#isCut) later(() => to.destroy());
    });
  }
}

/** The first bytes of a request, with a header after its first line: clients under test send that line in one piece. */
function withHeader(request: Buffer, header: string): Buffer {
  const end = request.indexOf('\r\n');
  if (end < 0) return request;
  return Buffer.concat([request.subarray(0, end + 2), Buffer.from(`${header}\r\n`), request.subarray(end + 2)]);
}

import { createSocket, type Socket } from 'node:dgram';
import { createSrtpSession } from '../../../../protocol/srtp/profiles.ts';
import { type GeneratorHandler, type GeneratorSocket, OUTGOING_BYTES } from './generator-socket.ts';

const LOOPBACK = '127.0.0.1';
/** Slots written to in turn; node:dgram has copied nothing until its callback, so there are as many as may be on their way. */
const SLOTS = 4096;

/** A node:dgram socket per endpoint: any platform, slow. */
export class PortableSockets implements GeneratorSocket {
  readonly kind = 'portable';
  readonly clock = 'generator';
  readonly createSession = createSrtpSession;
  received = 0;
  sent = 0;
  refused = 0;
  readonly outgoing = Buffer.alloc(SLOTS * OUTGOING_BYTES);
  readonly #handler: GeneratorHandler;
  readonly #sockets: Socket[] = [];
  #next = 0;

  constructor(handler: GeneratorHandler) {
    this.#handler = handler;
  }

  alignClocks(): void {}

  nowUs(): number {
    return Math.round(performance.now() * 1_000);
  }

  async open(index: number): Promise<void> {
    const socket = createSocket({ type: 'udp4', lookup: (host, _options, done) => done(null, host, 4) });
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(0, LOOPBACK, () => {
        socket.off('error', reject);
        resolve();
      });
    });
    socket.on('error', () => {
      this.refused++;
    });
    socket.on('message', bytes => {
      this.received++;
      this.#handler(bytes, 0, bytes.length, index, this.nowUs());
    });
    this.#sockets[index] = socket;
  }

  addressOf(index: number): { address: string; port: number } {
    return { address: LOOPBACK, port: this.#sockets[index].address().port };
  }

  reserve(): number {
    const offset = this.#next * OUTGOING_BYTES;
    this.#next = (this.#next + 1) % SLOTS;
    return offset;
  }

  send(index: number, port: number, offset: number, length: number): void {
    this.sent++;
    this.#sockets[index].send(this.outgoing, offset, length, port, LOOPBACK);
  }

  flush(): void {}

  async close(): Promise<void> {
    await Promise.all(this.#sockets.map(socket => new Promise<void>(resolve => socket.close(() => resolve()))));
  }
}

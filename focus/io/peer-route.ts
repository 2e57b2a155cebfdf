/** `/v1/peers`: where other focuses open their links to this one. They ask; sessions and calls are carried out by {@link PeerHandler}. */

import type { SignalRequest } from '@livekit/protocol';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { verifyServiceToken } from '../../protocol/control/service-token.ts';
import { DecodeError } from '../../protocol/errors.ts';
import type { SignalMessage } from '../conference/room-output.ts';
import { errorBody, FocusError } from '../errors.ts';
import { encodeFrame, FROM_OPENER, type Frame, type FrameKind, FrameReader } from '../peers/frames.ts';
import { type Opening, readOpening } from '../peers/opening.ts';
import { type CallAnswer, readCall, writeJson } from '../peers/peer-messages.ts';
import { PING_INTERVAL_MS, Pulse } from '../peers/pulse.ts';
import { decodeRequest, encodeResponse } from '../signal/signal-codec.ts';
import type { PeerMetrics } from './peer-metrics.ts';
import type { SignalSink } from './session.ts';
import { bytesOf, type ClientSocket } from './signal-socket.ts';

/** The end of a relayed session at its home: a sink like any other, whose other end has its own limits and pings. */
export interface RelayedClient extends SignalSink {
  /** To be called once, before anything is sent: the session is taken. */
  accept(): void;
  /** Instead of `accept`. */
  refuse(reason: string): void;
  /** Where requests go from now on; those that came before are handed over first. */
  listen(onRequest: (message: SignalRequest['message']) => void, onClose: () => void): void;
}

export interface PeerHandler {
  /** A session that `from` relays. Never throws. */
  handleOpening(from: string, opening: Opening, client: RelayedClient): void;
  /** Never rejects. Throws DecodeError for a body that no focus sends. */
  handleCall(from: string, method: string, body: unknown): Promise<CallAnswer>;
}

export interface PeerRouteOptions {
  readonly focusId: string;
  readonly bootId: string;
  readonly secret: string;
  readonly handler: PeerHandler;
  readonly metrics: PeerMetrics;
  readonly log: Logger;
  readonly nowMs: () => number;
  readonly isClosing: () => boolean;
}

const PROTOCOL_ERROR = 1002;
const TRY_AGAIN_LATER = 1013;
/** What a focus that does not read may leave in our memory, in bytes. */
const BUFFERED_BYTES_MAX = 16 << 20;
/** Requests of a client that is not placed yet; its entry lets through fewer. */
const EARLY_REQUESTS_MAX = 128;

/** Adds the route. Answers what it can close: every link that is open. */
export function registerPeerRoute(app: FastifyInstance, options: PeerRouteOptions): { closeAll(): void } {
  const senders = new WeakMap<object, string>();
  const links = new Set<IncomingLink>();
  app.route({
    method: 'GET',
    url: '/v1/peers',
    schema: { hide: true },
    logLevel: 'silent',
    handler: (_request, reply) => reply.code(426).header('upgrade', 'websocket').send('a WebSocket is expected here'),
    preValidation: async (request, reply) => {
      const sender = await verifyServiceToken(options.secret, request.headers.authorization);
      const error = sender === undefined ? new FocusError('invalid-service-token') : closing(options);
      if (error !== undefined) await reply.code(error.status).send(errorBody(error));
      else senders.set(request, sender!);
    },
    wsHandler: (socket, request) => {
      const link = new IncomingLink(socket, senders.get(request) ?? '', options, () => links.delete(link));
      links.add(link);
    },
  });
  return {
    closeAll() {
      for (const link of [...links]) link.end('this focus is closing');
    },
  };
}

function closing({ isClosing }: PeerRouteOptions): FocusError | undefined {
  return isClosing() ? new FocusError('shutting-down') : undefined;
}

class IncomingLink {
  readonly #socket: ClientSocket;
  readonly #from: string;
  readonly #options: PeerRouteOptions;
  readonly #onEnd: () => void;
  readonly #reader = new FrameReader(FROM_OPENER);
  readonly #pulse: Pulse;
  readonly #ticker: NodeJS.Timeout;
  readonly #clients = new Map<number, RelayEnd>();
  #isOpen = true;

  constructor(socket: ClientSocket, from: string, options: PeerRouteOptions, onEnd: () => void) {
    this.#socket = socket;
    this.#from = from;
    this.#options = options;
    this.#onEnd = onEnd;
    this.#pulse = new Pulse(options.nowMs());
    this.#ticker = setInterval(() => this.#tick(), PING_INTERVAL_MS);
    this.#ticker.unref();
    options.metrics.links.inc({ direction: 'in' });
    socket.on('message', (data, isBinary) => this.#receive(bytesOf(data), isBinary));
    socket.on('error', error => {
      options.metrics.framesRefused.inc({ reason: 'code' in error ? String(error.code) : 'socket-error' });
    });
    socket.on('close', () => this.end('closed'));
    const { focusId, bootId } = options;
    this.send('hello', 0, writeJson({ focusId, bootId }));
  }

  send(kind: FrameKind, id: number, payload: Uint8Array): void {
    if (!this.#isOpen || this.#socket.readyState !== this.#socket.OPEN) return;
    if (this.#socket.bufferedAmount > BUFFERED_BYTES_MAX) {
      this.#socket.close(TRY_AGAIN_LATER, 'this focus does not read');
      this.end('it does not read');
      return;
    }
    for (const message of encodeFrame({ kind, id, payload })) this.#socket.send(message);
  }

  /** Sessions on it have lost their clients. */
  end(reason: string): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    clearInterval(this.#ticker);
    this.#socket.terminate();
    this.#options.metrics.links.dec({ direction: 'in' });
    this.#options.log.debug({ peer: this.#from, reason }, 'link from a focus ended');
    for (const id of [...this.#clients.keys()]) this.forget(id)?.handleEnd();
    this.#onEnd();
  }

  forget(id: number): RelayEnd | undefined {
    const client = this.#clients.get(id);
    if (this.#clients.delete(id)) this.#options.metrics.relayed.dec({ direction: 'in' });
    return client;
  }

  #tick(): void {
    if (this.#pulse.handleTick(this.#options.nowMs())) this.end('silent');
  }

  #receive(data: Uint8Array, isBinary: boolean): void {
    if (!this.#isOpen) return;
    this.#pulse.handleHeard(this.#options.nowMs());
    try {
      if (!isBinary) throw new DecodeError('peer-frame-text');
      const frame = this.#reader.read(data);
      if (frame !== undefined) this.#handle(frame);
    } catch (error) {
      if (error instanceof DecodeError) this.#refuse(error);
      else throw error;
    }
  }

  #refuse(error: DecodeError): void {
    const reason = this.#count(error);
    if (this.#isOpen) this.#socket.close(PROTOCOL_ERROR, reason);
    this.end(reason);
  }

  #handle({ kind, id, payload }: Frame): void {
    switch (kind) {
      case 'ping':
        if (payload.byteLength !== 8) throw new DecodeError('peer-ping');
        this.send('pong', 0, payload);
        break;
      case 'open':
        this.#open(id, payload);
        break;
      case 'up':
        this.#up(id, payload);
        break;
      case 'end':
        this.forget(id)?.handleEnd();
        break;
      case 'call':
        void this.#answer(id, payload);
        break;
      default:
        throw new DecodeError('peer-frame-kind');
    }
  }

  /** What cannot be read of one session, as of a focus of another version, ends that one: the link has others, and its end would look like the end of this focus. */
  #open(id: number, payload: Uint8Array): void {
    if (this.#clients.has(id)) throw new DecodeError('peer-session-twice');
    let opening: Opening;
    try {
      opening = readOpening(payload);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.send('refused', id, Buffer.from(this.#count(error)));
      return;
    }
    const client = new RelayEnd(id, this);
    this.#clients.set(id, client);
    this.#options.metrics.relayed.inc({ direction: 'in' });
    this.#options.handler.handleOpening(this.#from, opening, client);
  }

  #up(id: number, payload: Uint8Array): void {
    const client = this.#clients.get(id);
    try {
      client?.handleRequest(decodeRequest('binary', payload).message);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      client?.close(this.#count(error));
    }
  }

  #count({ reason }: DecodeError): string {
    this.#options.metrics.framesRefused.inc({ reason });
    this.#options.log.warn({ peer: this.#from, reason }, 'a focus sent what cannot be read');
    return reason;
  }

  async #answer(id: number, payload: Uint8Array): Promise<void> {
    const { handler, metrics } = this.#options;
    try {
      const { method, body } = readCall(payload);
      const answer = await handler.handleCall(this.#from, method, body);
      metrics.calls.inc({ direction: 'in', method, result: answer.ok ? 'ok' : 'refused' });
      this.send('answer', id, writeJson(answer));
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#refuse(error);
    }
  }
}

class RelayEnd implements RelayedClient {
  readonly #id: number;
  readonly #link: IncomingLink;
  #isOpen = true;
  #early: SignalRequest['message'][] = [];
  #onRequest: ((message: SignalRequest['message']) => void) | undefined;
  #onClose: (() => void) | undefined;

  constructor(id: number, link: IncomingLink) {
    this.#id = id;
    this.#link = link;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  accept(): void {
    this.#send('opened', new Uint8Array());
  }

  refuse(reason: string): void {
    this.#finish('refused', reason);
  }

  send(message: SignalMessage): void {
    this.#send('down', encodeResponse('binary', message) as Uint8Array);
  }

  close(reason: string): void {
    this.#finish('end', reason);
  }

  listen(onRequest: (message: SignalRequest['message']) => void, onClose: () => void): void {
    this.#onRequest = onRequest;
    this.#onClose = onClose;
    const early = this.#early;
    this.#early = [];
    for (const message of early) onRequest(message);
    if (!this.#isOpen) onClose();
  }

  handleRequest(message: SignalRequest['message']): void {
    if (this.#onRequest !== undefined) this.#onRequest(message);
    else if (this.#early.push(message) > EARLY_REQUESTS_MAX) throw new DecodeError('peer-session-too-early');
  }

  /** The other end says that the client is gone, or is gone itself. */
  handleEnd(): void {
    this.#isOpen = false;
    this.#onClose?.();
  }

  #send(kind: FrameKind, payload: Uint8Array): void {
    if (this.#isOpen) this.#link.send(kind, this.#id, payload);
  }

  #finish(kind: 'refused' | 'end', reason: string): void {
    if (!this.#isOpen) return;
    this.#send(kind, Buffer.from(reason));
    this.#isOpen = false;
    this.#link.forget(this.#id);
    // As of a socket that closes: after whoever closed it is done.
    queueMicrotask(() => this.#onClose?.());
  }
}

/** One client's signalling WebSocket: frames to requests and back, limits, and the pings that tell a dead one. */

import { Pong, type SignalRequest } from '@livekit/protocol';
import { DecodeError } from '../../protocol/errors.ts';
import type { SignalMessage } from '../conference/room-output.ts';
import type { FocusMetrics } from '../metrics.ts';
import { decodeRequest, encodeResponse, type FrameForm } from '../signal/signal-codec.ts';
import { TokenBucket } from '../signal/token-bucket.ts';
import type { SignalSink } from './session.ts';

/** What is used of a `ws` WebSocket (it comes without types), behind @fastify/websocket. */
export interface ClientSocket {
  readonly readyState: number;
  readonly OPEN: number;
  readonly bufferedAmount: number;
  send(data: Uint8Array | string): void;
  ping(): void;
  close(code: number, reason: string): void;
  terminate(): void;
  on(event: 'message', listener: (data: Buffer | ArrayBuffer | Buffer[], isBinary: boolean) => void): unknown;
  on(event: 'pong' | 'close', listener: () => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

export interface SignalSocketOptions {
  readonly metrics: Pick<FocusMetrics, 'signalMessages' | 'signalFramesRefused' | 'signalSockets'>;
  /** Of one frame of a client; the server's own limit may be higher. */
  readonly frameBytesMax: number;
  readonly pingIntervalMs: number;
  /** Nothing heard for so long: the client is gone. */
  readonly silenceTimeoutMs: number;
  readonly nowMs: () => number;
}

/** A client renegotiating on every track of a large meeting stays far below. */
const REQUESTS_PER_SECOND = 100;
const REQUESTS_BURST = 1000;
/** An offer costs what so many other requests cost: ten a second, after a burst. */
const OFFER_COST = 10;
/** What a client that does not read may leave in our memory, in bytes. */
const BUFFERED_BYTES_MAX = 4 << 20;
/** Requests that arrive before the participant is placed; more than a client sends before it has a JoinResponse. */
const EARLY_REQUESTS_MAX = 64;

/** Close codes (RFC 6455 section 7.4.1). */
const NORMAL = 1000;
const INVALID_PAYLOAD = 1007;
const POLICY_VIOLATION = 1008;
const MESSAGE_TOO_BIG = 1009;
const TRY_AGAIN_LATER = 1013;
/** A close frame holds 125 bytes, two of them the code. */
const REASON_BYTES_MAX = 123;

export class SignalSocket implements SignalSink {
  readonly #socket: ClientSocket;
  readonly #options: SignalSocketOptions;
  readonly #requests: TokenBucket;
  readonly #pinger: NodeJS.Timeout;
  #form: FrameForm = 'binary';
  #heardAtMs: number;
  #isOpen = true;
  #early: SignalRequest['message'][] = [];
  #onRequest: ((message: SignalRequest['message']) => void) | undefined;
  #onClose: (() => void) | undefined;

  constructor(socket: ClientSocket, options: SignalSocketOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#heardAtMs = options.nowMs();
    this.#requests = new TokenBucket(REQUESTS_PER_SECOND, REQUESTS_BURST, this.#heardAtMs);
    this.#pinger = setInterval(() => this.#ping(), options.pingIntervalMs);
    options.metrics.signalSockets.inc();
    socket.on('message', (data, isBinary) => this.#receive(bytesOf(data), isBinary));
    socket.on('pong', () => {
      this.#heardAtMs = options.nowMs();
    });
    // Whatever it is (a frame over the limit, broken framing), ws closes the socket with the fitting code.
    socket.on('error', error => {
      options.metrics.signalFramesRefused.inc({ reason: 'code' in error ? String(error.code) : 'socket-error' });
    });
    socket.on('close', () => this.#end());
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Where requests go from now on; those that came before are handed over first. */
  listen(onRequest: (message: SignalRequest['message']) => void, onClose: () => void): void {
    this.#onRequest = onRequest;
    this.#onClose = onClose;
    const early = this.#early;
    this.#early = [];
    for (const message of early) onRequest(message);
    if (!this.#isOpen) onClose();
  }

  send(message: SignalMessage): void {
    if (!this.#isOpen || this.#socket.readyState !== this.#socket.OPEN) return;
    if (this.#socket.bufferedAmount > BUFFERED_BYTES_MAX) {
      this.#options.metrics.signalFramesRefused.inc({ reason: 'client-too-slow' });
      this.#socket.close(TRY_AGAIN_LATER, 'the client does not read');
      this.#socket.terminate();
      return;
    }
    this.#options.metrics.signalMessages.inc({ direction: 'out', kind: message.case ?? 'none' });
    this.#socket.send(encodeResponse(this.#form, message));
  }

  close(reason: string): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#closeWith(NORMAL, reason);
  }

  #receive(data: Uint8Array, isBinary: boolean): void {
    const { metrics, nowMs } = this.#options;
    this.#heardAtMs = nowMs();
    if (data.byteLength > this.#options.frameBytesMax) {
      // By the name that ws has for it: the larger frames are refused there.
      this.#refuse('WS_ERR_UNSUPPORTED_MESSAGE_LENGTH', MESSAGE_TOO_BIG, 'the frame is too large');
      return;
    }
    if (!this.#requests.take(this.#heardAtMs)) {
      this.#refuse('too-many-requests', POLICY_VIOLATION, 'too many requests');
      return;
    }
    this.#form = isBinary ? 'binary' : 'text';
    let message: SignalRequest['message'];
    try {
      ({ message } = decodeRequest(this.#form, data));
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#refuse(error.reason, INVALID_PAYLOAD, 'malformed signal request');
      return;
    }
    metrics.signalMessages.inc({ direction: 'in', kind: message.case ?? 'none' });
    if (message.case === 'offer' && !this.#requests.take(this.#heardAtMs, OFFER_COST - 1)) {
      this.#refuse('too-many-requests', POLICY_VIOLATION, 'too many offers');
      return;
    }
    this.#answerPing(message);
    if (this.#onRequest !== undefined) this.#onRequest(message);
    else if (this.#early.push(message) > EARLY_REQUESTS_MAX) {
      this.#refuse('too-early', POLICY_VIOLATION, 'too many requests before the join response');
    }
  }

  /** Answered here: a ping is about the socket, not about the room. */
  #answerPing(message: SignalRequest['message']): void {
    const timestamp = BigInt(Math.floor(this.#options.nowMs()));
    if (message.case === 'ping') this.send({ case: 'pong', value: timestamp });
    if (message.case === 'pingReq') {
      this.send({ case: 'pongResp', value: new Pong({ lastPingTimestamp: message.value.timestamp, timestamp }) });
    }
  }

  #ping(): void {
    if (this.#options.nowMs() - this.#heardAtMs >= this.#options.silenceTimeoutMs) this.#socket.terminate();
    else if (this.#socket.readyState === this.#socket.OPEN) this.#socket.ping();
  }

  #refuse(reason: string, code: number, text: string): void {
    this.#options.metrics.signalFramesRefused.inc({ reason });
    this.#early = [];
    this.#closeWith(code, text);
  }

  #closeWith(code: number, reason: string): void {
    this.#socket.close(code, Buffer.from(reason).subarray(0, REASON_BYTES_MAX).toString('utf8'));
  }

  #end(): void {
    this.#isOpen = false;
    clearInterval(this.#pinger);
    this.#early = [];
    this.#options.metrics.signalSockets.dec();
    this.#onClose?.();
  }
}

/** What ws hands out, as one piece. */
export function bytesOf(data: Buffer | ArrayBuffer | Buffer[]): Uint8Array {
  if (Array.isArray(data)) return Buffer.concat(data);
  return data instanceof ArrayBuffer ? new Uint8Array(data) : data;
}

/** The link that this focus opened to another one: sessions relayed there, and calls. The other end of it is peer-route.ts. */
import { signServiceToken } from '../../protocol/control/service-token.ts';
import { DecodeError } from '../../protocol/errors.ts';
import { encodeFrame, FROM_ANSWERER, type Frame, type FrameKind, FrameReader } from '../peers/frames.ts';
import { type CallAnswer, readAnswer, readHello, writeJson } from '../peers/peer-messages.ts';
import { PING_INTERVAL_MS, Pulse, SILENCE_MS_MAX } from '../peers/pulse.ts';
import type { PeerMetrics } from './peer-metrics.ts';

export interface PeerLinkOptions {
  /** The other focus. */
  readonly focusId: string;
  /** http://host:port of it. */
  readonly url: string;
  /** This focus, for the other's log. */
  readonly ownFocusId: string;
  readonly secret: string;
  readonly metrics: PeerMetrics;
  readonly nowMs: () => number;
  /** Called once, when an open link is no more. What was under way on it has ended before. */
  readonly onClosed: (reason: string) => void;
}

/** What comes back on a relayed session. `onEnd` is the last call, and comes once. */
export interface RelayListener {
  readonly onOpened: () => void;
  readonly onDown: (response: Uint8Array) => void;
  /** `refused`: the other focus did not take it. `lost`: the link is gone. */
  readonly onEnd: (how: 'refused' | 'ended' | 'lost', reason: string) => void;
}

export interface Relay {
  up(request: Uint8Array): void;
  /** The client is gone. Nothing comes back any more. False: the session had ended before. */
  end(reason: string): boolean;
}

/** A call that was not answered: the focus is gone, or takes too long. */
export class PeerUnavailable extends Error {
  readonly focusId: string;
  /** False: something answers there, and it is not that focus. That is a mistake in somebody's configuration and no reason to take over. */
  readonly isGone: boolean;

  constructor(focusId: string, why: string, isGone = true) {
    super(`focus ${focusId}: ${why}`);
    this.name = 'PeerUnavailable';
    this.focusId = focusId;
    this.isGone = isGone;
  }
}

interface PendingCall {
  readonly answer: (answer: CallAnswer) => void;
  readonly fail: (error: PeerUnavailable) => void;
}

/** What the other end may leave in our memory by not reading, in bytes. */
const BUFFERED_BYTES_MAX = 16 << 20;
const NORMAL = 1000;
/** The reason for which a link ends whose other end was not heard for too long. */
export const SILENT = 'silent';

export class PeerLink {
  readonly focusId: string;
  /** Of the process at the other end. */
  readonly bootId: string;
  readonly #options: PeerLinkOptions;
  readonly #socket: WebSocket;
  readonly #reader: FrameReader;
  readonly #pulse: Pulse;
  readonly #ticker: NodeJS.Timeout;
  readonly #relays = new Map<number, RelayListener>();
  readonly #calls = new Map<number, PendingCall>();
  #nextId = 1;
  #isOpen = true;

  /** Rejects with PeerUnavailable when there is no such focus at that URL within {@link SILENCE_MS_MAX}. */
  static async open(options: PeerLinkOptions): Promise<PeerLink> {
    const authorization = `Bearer ${await signServiceToken(options.secret, options.ownFocusId)}`;
    const reader = new FrameReader(FROM_ANSWERER);
    const socket = new WebSocket(new URL('/v1/peers', options.url), { headers: { authorization } } as never);
    socket.binaryType = 'arraybuffer';
    try {
      const bootId = await greeting(socket, reader, options.focusId);
      return new PeerLink(options, socket, reader, bootId);
    } catch (error) {
      socket.close();
      if (error instanceof PeerUnavailable) throw error;
      throw new PeerUnavailable(options.focusId, error instanceof Error ? error.message : String(error));
    }
  }

  private constructor(options: PeerLinkOptions, socket: WebSocket, reader: FrameReader, bootId: string) {
    this.focusId = options.focusId;
    this.bootId = bootId;
    this.#options = options;
    this.#socket = socket;
    this.#reader = reader;
    this.#pulse = new Pulse(options.nowMs());
    this.#ticker = setInterval(() => this.#tick(), PING_INTERVAL_MS);
    this.#ticker.unref();
    options.metrics.links.inc({ direction: 'out' });
    socket.addEventListener('message', ({ data }) => this.#receive(data));
    socket.addEventListener('close', () => this.#end('closed'));
    if (socket.readyState !== WebSocket.OPEN) this.#end('closed');
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Sessions on it. */
  get sessions(): number {
    return this.#relays.size;
  }

  /** Of the last ping; undefined before the first was answered. */
  get rttMs(): number | undefined {
    return this.#pulse.rttMs;
  }

  /** Begins a session at the other focus. */
  relay(opening: Uint8Array, listener: RelayListener): Relay {
    const id = this.#nextId++;
    if (!this.#isOpen) {
      queueMicrotask(() => listener.onEnd('lost', 'closed'));
      return { up: () => {}, end: () => false };
    }
    this.#relays.set(id, listener);
    this.#options.metrics.relayed.inc({ direction: 'out' });
    this.#send('open', id, opening);
    return {
      up: request => {
        if (this.#relays.has(id)) this.#send('up', id, request);
      },
      end: reason => {
        if (this.#forget(id) === undefined) return false;
        this.#send('end', id, Buffer.from(reason));
        return true;
      },
    };
  }

  /** Rejects with PeerUnavailable. */
  async call(method: string, body: unknown, timeoutMs: number): Promise<CallAnswer> {
    const { metrics } = this.#options;
    if (!this.#isOpen) throw new PeerUnavailable(this.focusId, 'the link is closed');
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<CallAnswer>();
    const fail = (error: PeerUnavailable) => reject(error);
    const timer = setTimeout(
      () => fail(new PeerUnavailable(this.focusId, `no answer within ${timeoutMs} ms`)),
      timeoutMs,
    );
    this.#calls.set(id, { answer: resolve, fail });
    this.#send('call', id, writeJson({ method, body }));
    try {
      const answer = await promise;
      metrics.calls.inc({ direction: 'out', method, result: answer.ok ? 'ok' : 'refused' });
      return answer;
    } catch (error) {
      metrics.calls.inc({ direction: 'out', method, result: 'unanswered' });
      throw error;
    } finally {
      clearTimeout(timer);
      this.#calls.delete(id);
    }
  }

  close(reason: string): void {
    this.#end(reason);
  }

  #send(kind: FrameKind, id: number, payload: Uint8Array): void {
    if (!this.#isOpen) return;
    if (this.#socket.bufferedAmount > BUFFERED_BYTES_MAX) {
      this.#end('it does not read');
      return;
    }
    for (const message of encodeFrame({ kind, id, payload })) this.#socket.send(message as Uint8Array<ArrayBuffer>);
  }

  #tick(): void {
    const nowMs = this.#options.nowMs();
    if (this.#pulse.handleTick(nowMs)) {
      this.#end(SILENT);
      return;
    }
    const sentAt = Buffer.alloc(8);
    sentAt.writeDoubleBE(nowMs);
    this.#send('ping', 0, sentAt);
  }

  #receive(data: unknown): void {
    if (!this.#isOpen) return;
    this.#pulse.handleHeard(this.#options.nowMs());
    try {
      if (!(data instanceof ArrayBuffer)) throw new DecodeError('peer-frame-text');
      const frame = this.#reader.read(new Uint8Array(data));
      if (frame !== undefined) this.#handle(frame);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#options.metrics.framesRefused.inc({ reason: error.reason });
      this.#end(`it sent what is no frame: ${error.reason}`);
    }
  }

  #handle({ kind, id, payload }: Frame): void {
    switch (kind) {
      case 'pong':
        if (payload.byteLength !== 8) throw new DecodeError('peer-pong');
        this.#pulse.handlePong(this.#options.nowMs(), Buffer.from(payload).readDoubleBE());
        this.#options.metrics.roundTrip.observe((this.#pulse.rttMs ?? 0) / 1000);
        break;
      case 'opened':
        this.#relays.get(id)?.onOpened();
        break;
      case 'down':
        this.#relays.get(id)?.onDown(payload);
        break;
      case 'refused':
      case 'end':
        this.#forget(id)?.onEnd(kind === 'refused' ? 'refused' : 'ended', textOf(payload));
        break;
      case 'answer':
        this.#calls.get(id)?.answer(readAnswer(payload));
        break;
      default:
        throw new DecodeError('peer-frame-kind');
    }
  }

  #forget(id: number): RelayListener | undefined {
    const listener = this.#relays.get(id);
    if (listener === undefined) return undefined;
    this.#relays.delete(id);
    this.#options.metrics.relayed.dec({ direction: 'out' });
    return listener;
  }

  #end(reason: string): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    clearInterval(this.#ticker);
    this.#socket.close(NORMAL);
    this.#options.metrics.links.dec({ direction: 'out' });
    for (const call of this.#calls.values()) call.fail(new PeerUnavailable(this.focusId, reason));
    for (const id of [...this.#relays.keys()]) this.#forget(id)?.onEnd('lost', reason);
    this.#options.onClosed(reason);
  }
}

/** The boot of the focus at the other end. Rejects when it is another focus, or none. */
async function greeting(socket: WebSocket, reader: FrameReader, focusId: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<ArrayBuffer>();
  const timer = setTimeout(() => reject(new Error('it does not answer')), SILENCE_MS_MAX);
  socket.addEventListener('message', ({ data }) => resolve(data), { once: true });
  socket.addEventListener('error', () => reject(new Error('it cannot be reached')), { once: true });
  socket.addEventListener('close', () => reject(new Error('it refused the link')), { once: true });
  try {
    const frame = reader.read(new Uint8Array(await promise));
    if (frame?.kind !== 'hello') throw new Error('it does not say who it is');
    const hello = readHello(frame.payload);
    if (hello.focusId !== focusId) {
      throw new PeerUnavailable(focusId, `at its URL is focus ${hello.focusId}: peers.advertise_url is wrong`, false);
    }
    return hello.bootId;
  } finally {
    clearTimeout(timer);
  }
}

function textOf(payload: Uint8Array): string {
  return Buffer.from(payload).toString('utf8');
}

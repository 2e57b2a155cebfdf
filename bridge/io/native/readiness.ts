/** Told by the event loop when a socket can be read or written: libuv's own poll handle on the loop that Node runs. */
import { isMainThread } from 'node:worker_threads';
import { type Foreign, loadForeign } from './foreign.ts';
import { NativeMemory } from './native-memory.ts';
import type { NativeSocket } from './native-socket.ts';
import { SMALL_INTEGERS } from './small-integers.ts';

const UV_POLL = SMALL_INTEGERS[8];
const NO_CALLBACK = 0n;
export const READABLE = 1;
export const WRITABLE = 2;

/** Returns true when it has left no promise or nextTick work behind: the loop is then spared the turn that would run it. */
export type ReadinessListener = (isReadable: boolean, isWritable: boolean) => unknown;

export class Readiness {
  readonly #foreign: Foreign;
  readonly #socket: NativeSocket;
  readonly #handle: NativeMemory;
  readonly #pointer: bigint;
  readonly #callback: bigint;
  #isClosed = false;

  /**
   * Watches `socket` for {@link READABLE}. `listener(isReadable, isWritable)` is called in the loop's poll phase, once per turn while it is so.
   * What it throws is thrown again from a turn of Node's own: through a native frame it would end the process without a word. Promises and nextTick
   * work that it leaves behind run right after, with an immediate, unless it says that there is none. Closing the socket closes this first. Throws for a closed socket, for one that is
   * watched already, and outside of the main thread: a worker that ends runs its loop once more, without JavaScript to call.
   */
  constructor(socket: NativeSocket, listener: ReadinessListener, foreign: Foreign = loadForeign()) {
    if (!isMainThread) throw new Error('sockets are watched in the main thread only');
    if (typeof listener !== 'function') throw new TypeError(`the listener is no function: ${listener}`);
    this.#foreign = foreign;
    this.#socket = socket;
    this.#handle = new NativeMemory(Number(foreign.uv_handle_size(UV_POLL)));
    this.#pointer = this.#handle.pointer(0, this.#handle.byteLength);
    socket.attach(this);
    this.#callback = foreign.pollCallback((status, events) => this.#handleEvents(status, events, listener));
    const result = foreign.uv_poll_init(foreign.eventLoop, this.#pointer, socket.descriptor);
    if (result !== 0) {
      this.#isClosed = true;
      socket.detach(this);
      foreign.releaseCallback(this.#callback);
      throw new Error(`uv_poll_init failed with ${result}`);
    }
    this.watch(READABLE);
  }

  /** Changes what is waited for: a sum of {@link READABLE} and {@link WRITABLE}. Nothing happens when it is closed. */
  watch(events: number): void {
    if ((events | 0) !== events || events < 0 || events > (READABLE | WRITABLE))
      throw new RangeError(`events ${events}; allowed: 0 to ${READABLE | WRITABLE}`);
    if (this.#isClosed) return;
    const result = this.#foreign.uv_poll_start(this.#pointer, SMALL_INTEGERS[events], this.#callback);
    if (result === 0) return;
    this.close();
    throw new Error(`uv_poll_start failed with ${result}`);
  }

  /** Stops. The listener is not called again; the socket may be closed at once. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#foreign.uv_poll_stop(this.#pointer);
    this.#foreign.uv_close(this.#pointer, NO_CALLBACK);
    this.#socket.detach(this);
    this.#forgetAfter(3);
  }

  /** Nothing may be thrown out of here. */
  #handleEvents(status: number, events: number, listener: ReadinessListener): void {
    if (this.#isClosed) return;
    let isDone = false;
    try {
      // An error is told by the next receive or send.
      isDone = listener(status < 0 || (events & READABLE) !== 0, status < 0 || (events & WRITABLE) !== 0) === true;
    } catch (error) {
      setImmediate(() => {
        throw error;
      });
    }
    if (!isDone) setImmediate(runQueuedWork);
  }

  /**
   * Until it is released, the registered callback keeps this object and so the handle's memory, whoever else has dropped it. libuv closes at the end of
   * a turn, after its immediates: the second one from now runs when that is over, the third is to be sure.
   */
  #forgetAfter(turns: number): void {
    if (turns > 0) {
      setImmediate(() => this.#forgetAfter(turns - 1));
      return;
    }
    this.#foreign.releaseCallback(this.#callback);
  }
}

/** Nothing to do: that it runs is enough for what was queued to run after it. */
function runQueuedWork(): void {}

/** What a {@link DtlsQueue} hands datagrams to; `DtlsEndpoint` is one. */
export interface DtlsReceiver {
  /** The handshake is done: what comes now is data. */
  readonly isConnected: boolean;
  /** Takes ownership of `datagram`. Never throws. */
  handleDatagram(datagram: Buffer): void;
}

export interface DtlsQueueOptions {
  readonly nowMs: () => number;
  /** Calls `turn` once, after other I/O has had its turn. Default `setImmediate`: sockets are read between two turns. */
  readonly schedule?: (turn: () => void) => void;
}

/** Handshake datagrams of one endpoint that wait: a client's longest flight, twice. */
export const WAITING_PER_ENDPOINT_MAX = 16;
/** Of all endpoints: five hundred clients with a flight each, under 3 MB. */
export const WAITING_MAX = 2048;
/** Of connected endpoints, together. They wait for one turn at most. */
export const DATA_WAITING_MAX = 1024;
/**
 * How long a turn may go on with handshakes after its first datagram. One costs 0.2 to 0.6 ms: media waits for less than 2 ms, and a bridge whose
 * turns take 5 ms still gets through more than 200 datagrams, a hundred joins, per second.
 */
export const TURN_MS_MAX = 1;
/** Upper bounds of `waits`, in ms; the last of `waits` has none. */
export const WAIT_MS_BOUNDS: readonly number[] = [1, 5, 20, 100, 500];

interface Waiting {
  readonly receiver: DtlsReceiver;
  readonly datagrams: Buffer[];
  readonly sinceMs: number[];
}

/**
 * DTLS work, off the path of media: the receive call only copies a datagram in here, the work is done in a turn of its own. Data of connected endpoints
 * goes first and all at once. Handshakes follow, a datagram of each endpoint in turn, as many as fit into {@link TURN_MS_MAX} and at least one; then sockets
 * are read again. What does not fit is dropped: DTLS peers repeat their flights, SCTP its packets.
 *
 * Fields are for metrics and only ever grow.
 */
export class DtlsQueue {
  /** Handshake datagrams handled. */
  handled = 0;
  /** Datagrams that found the queue full. */
  dropped = 0;
  /** Sum over `handled` of what each has waited. */
  waitMsTotal = 0;
  /** `handled`, by wait: see {@link WAIT_MS_BOUNDS}. */
  readonly waits: number[] = new Array(WAIT_MS_BOUNDS.length + 1).fill(0);
  readonly #nowMs: () => number;
  readonly #schedule: (turn: () => void) => void;
  readonly #byReceiver = new Map<DtlsReceiver, Waiting>();
  /** Endpoints with something to do, in the order of their turns. */
  #line: Waiting[] = [];
  #data: { readonly receiver: DtlsReceiver; readonly datagram: Buffer }[] = [];
  #length = 0;
  #isTurnDue = false;

  constructor(options: DtlsQueueOptions) {
    this.#nowMs = options.nowMs;
    this.#schedule = options.schedule ?? (turn => setImmediate(turn));
  }

  /** Handshake datagrams that wait now. */
  get length(): number {
    return this.#length;
  }

  /** Takes ownership of `datagram`. False when it was dropped. */
  add(receiver: DtlsReceiver, datagram: Buffer): boolean {
    const isTaken = receiver.isConnected ? this.#addData(receiver, datagram) : this.#addHandshake(receiver, datagram);
    if (isTaken) this.#takeTurnSoon();
    else this.dropped++;
    return isTaken;
  }

  /** Forgets what waits for `receiver`: it has ended. */
  remove(receiver: DtlsReceiver): void {
    const waiting = this.#byReceiver.get(receiver);
    if (waiting === undefined) return;
    this.#byReceiver.delete(receiver);
    this.#line = this.#line.filter(other => other !== waiting);
    this.#length -= waiting.datagrams.length;
  }

  #addData(receiver: DtlsReceiver, datagram: Buffer): boolean {
    if (this.#data.length === DATA_WAITING_MAX) return false;
    this.#data.push({ receiver, datagram });
    return true;
  }

  #addHandshake(receiver: DtlsReceiver, datagram: Buffer): boolean {
    if (this.#length === WAITING_MAX) return false;
    let waiting = this.#byReceiver.get(receiver);
    if (waiting === undefined) {
      waiting = { receiver, datagrams: [], sinceMs: [] };
      this.#byReceiver.set(receiver, waiting);
      this.#line.push(waiting);
    }
    if (waiting.datagrams.length === WAITING_PER_ENDPOINT_MAX) return false;
    waiting.datagrams.push(datagram);
    waiting.sinceMs.push(this.#nowMs());
    this.#length++;
    return true;
  }

  #takeTurnSoon(): void {
    if (this.#isTurnDue) return;
    this.#isTurnDue = true;
    this.#schedule(() => this.#takeTurn());
  }

  #takeTurn(): void {
    this.#isTurnDue = false;
    const data = this.#data;
    this.#data = [];
    for (const { receiver, datagram } of data) receiver.handleDatagram(datagram);
    const startedMs = this.#nowMs();
    for (let nowMs = startedMs; this.#line.length > 0 && nowMs - startedMs <= TURN_MS_MAX; nowMs = this.#nowMs()) {
      this.#handleNext(nowMs);
    }
    if (this.#line.length > 0) this.#takeTurnSoon();
  }

  #handleNext(nowMs: number): void {
    const waiting = this.#line.shift();
    const datagram = waiting?.datagrams.shift();
    const sinceMs = waiting?.sinceMs.shift();
    if (waiting === undefined || datagram === undefined || sinceMs === undefined) return;
    this.#length--;
    // Back into the line before the work is done: that may end the endpoint, and take it out again.
    if (waiting.datagrams.length > 0) this.#line.push(waiting);
    else this.#byReceiver.delete(waiting.receiver);
    this.#note(nowMs - sinceMs);
    waiting.receiver.handleDatagram(datagram);
  }

  #note(waitMs: number): void {
    this.handled++;
    this.waitMsTotal += waitMs;
    const bound = WAIT_MS_BOUNDS.findIndex(boundMs => waitMs <= boundMs);
    this.waits[bound < 0 ? WAIT_MS_BOUNDS.length : bound]++;
  }
}

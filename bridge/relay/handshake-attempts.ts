import type { LinkRole, SessionKeys } from '../../protocol/octo/keys.ts';
import { type Handshake, HELLO_REQUEST, isHelloRequest, type StartHandshake } from './handshake.ts';

/** An attempt without an end by then is given up. */
const ATTEMPT_MS_MAX = 4000;
const BACKOFF_MS_MIN = 100;
const BACKOFF_MS_MAX = 2000;
/** Server: handshakes that may begin within a second. */
const STARTS_PER_SECOND = 10;
/** Server: how long a finished handshake stays, to repeat its last flight to a client that has not got it. */
const LINGER_MS = 5000;
const NUDGE_MS_MIN = 100;
const NUDGE_MS_MAX = 1000;
/** Client: a server that has been silent in a handshake for so long, and nudges, knows nothing of it. Above the round trip of any path. */
const STALLED_MS = 500;

export interface AttemptsOptions {
  readonly role: LinkRole;
  readonly start: StartHandshake;
  /** 0 to 1. */
  readonly random: () => number;
  readonly nowMs: () => number;
  readonly send: (bytes: Uint8Array) => void;
  readonly onKeys: (keys: SessionKeys) => void;
  readonly onFailed: (reason: string) => void;
}

/**
 * When to shake hands. The client begins at once when keys are needed, and again after a failure: 100 ms doubled up to 2 s, of which a random
 * half is left out. The server waits, and nudges while it has nothing. At most one handshake is under way.
 */
export class HandshakeAttempts {
  readonly #options: AttemptsOptions;
  #peerFingerprint: string;
  #handshake: Handshake | undefined;
  #startedMs = Number.NEGATIVE_INFINITY;
  /** When the handshake under way began, or was last heard of. */
  #progressMs = Number.NEGATIVE_INFINITY;
  #isFinished = false;
  #failures = 0;
  #nextMs = 0;
  #starts = STARTS_PER_SECOND;
  #startsRefilledMs: number;
  #nudgeMs = NUDGE_MS_MIN;
  #nudgeDueMs = 0;

  constructor(options: AttemptsOptions, peerFingerprint: string) {
    this.#options = options;
    this.#peerFingerprint = peerFingerprint;
    this.#startsRefilledMs = options.nowMs();
  }

  /** A DTLS datagram from the peer's configured address. `isDeaf`: nothing authentic has come from the peer lately. */
  handleDatagram(nowMs: number, bytes: Uint8Array, offset: number, length: number, isDeaf: boolean): void {
    if (isHelloRequest(bytes, offset, length)) {
      if (this.#options.role === 'client' && isDeaf) this.#handleNudge(nowMs);
      return;
    }
    if (this.#handshake?.handleDatagram(nowMs, bytes, offset, length) === true) {
      this.#progressMs = nowMs;
      return;
    }
    if (this.#options.role === 'client' || !this.#mayReplace(nowMs)) return;
    this.#start(nowMs);
    this.#handshake?.handleDatagram(nowMs, bytes, offset, length);
  }

  /** Server: an Octo frame came that no key of ours opens. Maybe we have restarted, and the client does not know. */
  handleUnreadable(nowMs: number): void {
    if (this.#options.role === 'server') this.#nudgeDueMs = Math.min(this.#nudgeDueMs, nowMs + NUDGE_MS_MIN);
  }

  /** `isNeeded`: there are no keys that work, or they are worn. */
  handleTimeout(nowMs: number, isNeeded: boolean): void {
    this.#handshake?.handleTimeout(nowMs);
    this.#expire(nowMs);
    if (!isNeeded) {
      this.#nudgeMs = NUDGE_MS_MIN;
      return;
    }
    if (this.#options.role === 'client') {
      if (this.#handshake === undefined && nowMs >= this.#nextMs) this.#start(nowMs);
      return;
    }
    const isIdle = this.#handshake === undefined || !this.#handshake.isCommitted || this.#isFinished;
    if (isIdle && nowMs >= this.#nudgeDueMs) this.#nudge(nowMs);
  }

  /** The client has used the new keys: its last flight needs no repeating. */
  handleConfirmed(): void {
    if (this.#isFinished) this.#end();
  }

  /** Another certificate is expected from now on. What was under way ends; the next attempt is due at once. */
  setPeerFingerprint(peerFingerprint: string): void {
    this.#peerFingerprint = peerFingerprint;
    this.#end();
    this.#failures = 0;
    this.#nextMs = 0;
    this.#nudgeMs = NUDGE_MS_MIN;
    this.#nudgeDueMs = 0;
  }

  /** Not before `delayMs` from now: the peer has just said good-bye. */
  delay(nowMs: number, delayMs: number): void {
    this.#end();
    this.#nextMs = nowMs + delayMs;
    this.#nudgeDueMs = nowMs + delayMs;
  }

  close(): void {
    this.#end();
  }

  #start(nowMs: number): void {
    this.#end();
    this.#startedMs = nowMs;
    this.#progressMs = nowMs;
    const { role, send } = this.#options;
    const handshake: Handshake = this.#options.start({
      role,
      peerFingerprint: this.#peerFingerprint,
      nowMs,
      send,
      onKeys: keys => this.#handleKeys(keys),
      onFailed: reason => this.#fail(reason),
    });
    this.#handshake = handshake;
  }

  #handleKeys(keys: SessionKeys): void {
    this.#failures = 0;
    this.#nextMs = 0;
    if (this.#options.role === 'client') this.#end();
    else this.#isFinished = true;
    this.#options.onKeys(keys);
  }

  #fail(reason: string): void {
    this.#end();
    const backoffMs = Math.min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** this.#failures);
    this.#failures = Math.min(this.#failures + 1, 10);
    this.#nextMs = this.#options.nowMs() + backoffMs * (0.5 + this.#options.random() / 2);
    this.#options.onFailed(reason);
  }

  #handleNudge(nowMs: number): void {
    // A server that was told of our certificate too late has refused the handshake, and says nothing to what still comes of it.
    if (this.#handshake !== undefined && nowMs - this.#progressMs < STALLED_MS) {
      this.#handshake.handleNudge(nowMs);
      return;
    }
    if (nowMs - this.#startedMs >= NUDGE_MS_MIN) this.#start(nowMs);
  }

  /** Server: whether a datagram that opens another handshake may do so. */
  #mayReplace(nowMs: number): boolean {
    if (this.#handshake?.isCommitted === true && !this.#isFinished) return false;
    this.#starts = Math.min(
      STARTS_PER_SECOND,
      this.#starts + ((nowMs - this.#startsRefilledMs) * STARTS_PER_SECOND) / 1000,
    );
    this.#startsRefilledMs = nowMs;
    if (this.#starts < 1) return false;
    this.#starts--;
    return true;
  }

  #expire(nowMs: number): void {
    if (this.#handshake === undefined) return;
    if (this.#isFinished) {
      if (nowMs - this.#startedMs >= LINGER_MS) this.#end();
    } else if (nowMs - this.#startedMs >= ATTEMPT_MS_MAX) {
      // A server that nobody has shown a cookie goes on waiting: that is no failure, and the next hello needs no other.
      if (this.#options.role === 'client' || this.#handshake.isCommitted) this.#fail('timeout');
    }
  }

  #nudge(nowMs: number): void {
    this.#options.send(HELLO_REQUEST);
    this.#nudgeDueMs = nowMs + this.#nudgeMs;
    this.#nudgeMs = Math.min(NUDGE_MS_MAX, this.#nudgeMs * 2);
  }

  #end(): void {
    this.#handshake?.close();
    this.#handshake = undefined;
    this.#isFinished = false;
  }
}

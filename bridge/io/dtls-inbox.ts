import type { HandshakeFragment } from './dtls-records.ts';

export interface HandshakeMessage {
  readonly type: number;
  readonly messageSequence: number;
  readonly body: Buffer;
}

/** Messages that may be ahead of the next one: a flight has five at most. */
const AHEAD_MAX = 8;

/**
 * Puts handshake fragments together and their messages in order (RFC 6347 section 4.2.3): datagrams
 * overtake each other, and the key schedule depends on their order. Holds at most 8 messages of 16 KiB.
 */
export class HandshakeInbox {
  /** Message sequence that is delivered next. */
  next = 0;
  readonly #pending = new Map<number, PendingMessage>();

  /** Takes one fragment. What was delivered before, is too far ahead, or contradicts what is held, is ignored. */
  add(fragment: HandshakeFragment): void {
    const sequence = fragment.messageSequence;
    if (sequence < this.next || sequence >= this.next + AHEAD_MAX) return;
    let pending = this.#pending.get(sequence);
    if (pending === undefined) {
      pending = new PendingMessage(fragment.type, fragment.length);
      this.#pending.set(sequence, pending);
    }
    pending.add(fragment);
  }

  /** The next message once it is whole, else undefined. It stays until {@link advance} or {@link reject}. */
  peek(): HandshakeMessage | undefined {
    const pending = this.#pending.get(this.next);
    if (pending === undefined || !pending.isWhole) return undefined;
    return { type: pending.type, messageSequence: this.next, body: pending.body };
  }

  /** The message peeked at was good. */
  advance(): void {
    this.#pending.delete(this.next++);
  }

  /** The message peeked at was not: another one may take its place. */
  reject(): void {
    this.#pending.delete(this.next);
  }
}

class PendingMessage {
  readonly type: number;
  body: Buffer;
  readonly #has: Uint8Array;
  #missing: number;

  constructor(type: number, length: number) {
    this.type = type;
    this.body = Buffer.alloc(length);
    this.#has = new Uint8Array(length);
    this.#missing = length;
  }

  get isWhole(): boolean {
    return this.#missing === 0;
  }

  add(fragment: HandshakeFragment): void {
    if (fragment.type !== this.type || fragment.length !== this.body.length) return;
    if (fragment.body.length === this.body.length) {
      this.body = fragment.body;
      this.#missing = 0;
      return;
    }
    for (let index = 0; index < fragment.body.length; index++) {
      const at = fragment.offset + index;
      if (this.#has[at] === 1) continue;
      this.#has[at] = 1;
      this.body[at] = fragment.body[index];
      this.#missing--;
    }
  }
}

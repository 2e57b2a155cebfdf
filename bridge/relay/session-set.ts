import { HEADER_BYTES, TAG_BYTES } from '../../protocol/octo/header.ts';
import type { LinkSession } from './link-session.ts';

/** How long frames under the old keys are still taken after a change: longer than any path delays them. */
const OVERLAP_MS = 2000;

/**
 * The sessions of a link. `current` is sent on. `next` waits, on the server side of a handshake while the old session works,
 * for the client's first frame: the proof that both have the new keys. `previous` is only received on. So keys change without
 * a frame lost.
 */
export class SessionSet {
  current: LinkSession | undefined;
  next: LinkSession | undefined;
  previous: LinkSession | undefined;
  /** Sequence number of the last frame opened. */
  sequence = -1;
  #previousUntilMs = 0;

  /** A session both sides are known to have, or nothing better to do than to hope so. */
  install(nowMs: number, session: LinkSession): void {
    this.previous?.close();
    if (this.next !== session) this.next?.close();
    this.previous = this.current;
    this.#previousUntilMs = nowMs + OVERLAP_MS;
    this.current = session;
    this.next = undefined;
  }

  /** A session that the peer may not have yet. */
  expect(session: LinkSession): void {
    this.next?.close();
    this.next = session;
  }

  /** Opens a datagram in place with whichever session can, and says which; `sequence` has its number. A refusal changes nothing. */
  open(
    nowMs: number,
    label: number,
    sequenceLow: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): LinkSession | 'replayed' | 'forged' {
    if (length < HEADER_BYTES + TAG_BYTES) return 'forged';
    let refusal: 'replayed' | 'forged' = 'forged';
    for (let turn = 0; turn < 3; turn++) {
      const session = turn === 0 ? this.current : turn === 1 ? this.next : this.previous;
      if (session === undefined || session.label !== label) continue;
      const sequence = session.open(bytes, offset, length, sequenceLow);
      if (sequence === -1) refusal = 'replayed';
      if (sequence < 0) continue;
      this.sequence = sequence;
      if (session === this.next) this.install(nowMs, session);
      return session;
    }
    return refusal;
  }

  handleTimeout(nowMs: number): void {
    if (this.previous === undefined || nowMs < this.#previousUntilMs) return;
    this.previous.close();
    this.previous = undefined;
  }

  clear(): void {
    this.current?.close();
    this.next?.close();
    this.previous?.close();
    this.current = undefined;
    this.next = undefined;
    this.previous = undefined;
  }
}

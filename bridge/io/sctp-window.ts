/**
 * The receive window (RFC 9260 section 6.2) for messages that are not read. werift counts a message as read as soon as it is whole; here its owner may leave it
 * unread, and the window that the peer sees shrinks by it. A window that is closed for that reason takes no more data: chunks are dropped without being
 * acknowledged, as section 6.2 has it, and the peer repeats them when it opens.
 */
import type { RTCSctpTransport } from 'werift';

/** What a peer may send that nobody reads: so much memory one client can take here, beside the message that is under way when reading stops. */
export const UNREAD_BYTES_MAX = 256 * 1024;

/** werift's private parts that are read, changed and replaced here. */
interface SctpParts {
  /** Bytes that the peer may send: 1 MiB less what waits for its message to be whole. */
  advertisedRwnd: number;
  sackNeeded: boolean;
  sackImmediate: boolean;
  readonly lastReceivedTsn: number | undefined;
  receiveDataChunk(chunk: unknown): void;
  scheduleSack(): Promise<void>;
}

export class SctpWindow {
  readonly #parts: SctpParts;
  readonly #fullBytes: number;
  /** By how much the window is smaller than werift's. */
  #withheldBytes = 0;

  constructor(sctp: RTCSctpTransport['sctp']) {
    const parts = sctp as unknown as SctpParts;
    this.#parts = parts;
    this.#fullBytes = parts.advertisedRwnd;
    const receive = parts.receiveDataChunk.bind(sctp);
    parts.receiveDataChunk = chunk => {
      if (this.#withheldBytes > 0 && parts.advertisedRwnd <= 0) this.#refuse();
      else receive(chunk);
    };
  }

  /** How far the peer has gone beyond the window it was given at first, in bytes; negative while it has not. */
  get overrunBytes(): number {
    return -(this.#parts.advertisedRwnd + this.#withheldBytes);
  }

  /** Reading has stopped, with so many bytes unread: the window is what is left of {@link UNREAD_BYTES_MAX}. */
  withhold(unreadBytes: number): void {
    this.#set(Math.max(1, this.#fullBytes - UNREAD_BYTES_MAX + unreadBytes));
  }

  /** Everything is read again: the peer is told at once. */
  reopen(): void {
    if (this.#withheldBytes === 0) return;
    this.#set(0);
    if (this.#parts.lastReceivedTsn === undefined) return;
    this.#parts.sackNeeded = true;
    this.#parts.sackImmediate = true;
    // It catches what goes wrong with sending.
    void this.#parts.scheduleSack();
  }

  #set(withheldBytes: number): void {
    this.#parts.advertisedRwnd += this.#withheldBytes - withheldBytes;
    this.#withheldBytes = withheldBytes;
  }

  /** The peer probes a closed window: it is told that it still is. */
  #refuse(): void {
    this.#parts.sackNeeded = true;
    this.#parts.sackImmediate = true;
  }
}

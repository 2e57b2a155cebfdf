import type { ConferenceId } from '../../protocol/ids.ts';
import type { ReceivedMessage } from './message-receiver.ts';

const MESSAGES_MAX = 256;
const BYTES_MAX = 1024 * 1024;
const AGE_MS_MAX = 3000;

/**
 * Reliable messages of a conference that the focus has announced to the peer but not yet to us: kept for three seconds. When full,
 * new ones are refused (dropped and counted by the caller).
 */
export class ParkedMessages {
  #messages: { readonly message: ReceivedMessage; readonly parkedMs: number }[] = [];
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** False when there is no room. */
  park(nowMs: number, message: ReceivedMessage): boolean {
    if (this.#messages.length >= MESSAGES_MAX || this.#bytes + message.bytes.length > BYTES_MAX) return false;
    this.#messages.push({ message, parkedMs: nowMs });
    this.#bytes += message.bytes.length;
    return true;
  }

  /** Takes out what waited for this conference, in order of arrival. */
  release(conferenceId: ConferenceId): readonly ReceivedMessage[] {
    const released: ReceivedMessage[] = [];
    this.#keep(message => {
      if (message.conferenceId !== conferenceId) return true;
      released.push(message);
      return false;
    });
    return released;
  }

  /** Drops what is too old; returns how many. */
  handleTimeout(nowMs: number): number {
    if (this.#messages.length === 0 || nowMs - this.#messages[0].parkedMs < AGE_MS_MAX) return 0;
    const before = this.#messages.length;
    this.#keep((_message, parkedMs) => nowMs - parkedMs < AGE_MS_MAX);
    return before - this.#messages.length;
  }

  #keep(isKept: (message: ReceivedMessage, parkedMs: number) => boolean): void {
    this.#messages = this.#messages.filter(({ message, parkedMs }) => {
      if (isKept(message, parkedMs)) return true;
      this.#bytes -= message.bytes.length;
      return false;
    });
  }
}

import { DecodeError } from '../../protocol/errors.ts';
import type { ConferenceId, EndpointId } from '../../protocol/ids.ts';
import type { ReliableFragment } from '../../protocol/octo/message.ts';
import { FRAGMENT_WINDOW, type MessageAck } from '../../protocol/octo/message-ack.ts';

export interface ReceivedMessage {
  readonly conferenceId: ConferenceId;
  readonly endpointId: EndpointId;
  readonly bytes: Uint8Array;
}

interface Assembly {
  readonly conferenceId: ConferenceId;
  readonly endpointId: EndpointId;
  readonly previous: number;
  readonly parts: (Uint8Array | undefined)[];
  missing: number;
  isDelivered: boolean;
}

/**
 * Receives reliable messages: each once, and each sender's in order. Memory is bounded by the window: 512 fragments ahead of the
 * lowest missing one, and what the unfinished messages among them already have. A fragment outside it is dropped, and not acknowledged.
 */
export class MessageReceiver {
  /** True when there is something to acknowledge. */
  isAckDue = false;
  #lowest = 1;
  readonly #received = new Uint8Array(FRAGMENT_WINDOW);
  /** Unfinished messages, and delivered ones ahead of `lowest`, by their last fragment number. */
  readonly #assemblies = new Map<number, Assembly>();
  /** Complete messages that wait for the one before them: last fragment number by that of the previous message. */
  readonly #waiting = new Map<number, number>();
  #deliveries: ReceivedMessage[] = [];

  /** Throws DecodeError when fragments of one message contradict each other. */
  handleFragment(conferenceId: ConferenceId, endpointId: EndpointId, fragment: ReliableFragment): void {
    this.isAckDue = true;
    const { fsn } = fragment;
    if (fsn < this.#lowest || fsn >= this.#lowest + FRAGMENT_WINDOW) return;
    if (this.#received[fsn % FRAGMENT_WINDOW] === 1) return;
    const last = fsn - fragment.index + fragment.count - 1;
    const assembly = this.#assemblyOf(last, conferenceId, endpointId, fragment);
    this.#received[fsn % FRAGMENT_WINDOW] = 1;
    assembly.parts[fragment.index] = Uint8Array.from(fragment.bytes);
    assembly.missing--;
    if (assembly.missing === 0) this.#complete(last, assembly);
    this.#advance();
  }

  /** Messages to hand on, in order. Each is given once. */
  takeDeliveries(): readonly ReceivedMessage[] {
    if (this.#deliveries.length === 0) return NONE;
    const deliveries = this.#deliveries;
    this.#deliveries = [];
    return deliveries;
  }

  /** The acknowledgement to send; `incarnation` is our own. */
  takeAck(incarnation: number): MessageAck {
    this.isAckDue = false;
    let bits = 0;
    const bitmap = new Uint8Array(FRAGMENT_WINDOW / 8);
    for (let bit = 0; bit < FRAGMENT_WINDOW - 1; bit++) {
      if (this.#received[(this.#lowest + 1 + bit) % FRAGMENT_WINDOW] === 0) continue;
      bitmap[bit >> 3] |= 0x80 >> (bit & 7);
      bits = bit + 1;
    }
    return { incarnation, lowest: this.#lowest, bitmap: bitmap.subarray(0, Math.ceil(bits / 8)) };
  }

  /** The peer is a new process: its numbers start from 1. */
  restart(): void {
    this.isAckDue = false;
    this.#lowest = 1;
    this.#received.fill(0);
    this.#assemblies.clear();
    this.#waiting.clear();
    this.#deliveries = [];
  }

  #assemblyOf(last: number, conferenceId: ConferenceId, endpointId: EndpointId, fragment: ReliableFragment): Assembly {
    const known = this.#assemblies.get(last);
    if (known === undefined) {
      const assembly: Assembly = {
        conferenceId,
        endpointId,
        previous: fragment.previous,
        parts: new Array(fragment.count).fill(undefined),
        missing: fragment.count,
        isDelivered: false,
      };
      this.#assemblies.set(last, assembly);
      return assembly;
    }
    const isSame =
      known.parts.length === fragment.count &&
      known.conferenceId === conferenceId &&
      known.endpointId === endpointId &&
      known.parts[fragment.index] === undefined;
    if (!isSame) throw new DecodeError('octo-message-contradiction');
    return known;
  }

  #complete(last: number, assembly: Assembly): void {
    if (!this.#isDelivered(assembly.previous)) {
      this.#waiting.set(assembly.previous, last);
      return;
    }
    let number: number | undefined = last;
    while (number !== undefined) {
      const ready = this.#assemblies.get(number);
      if (ready === undefined) return;
      this.#deliver(ready);
      const following: number | undefined = this.#waiting.get(number);
      this.#waiting.delete(number);
      number = following;
    }
  }

  #deliver(assembly: Assembly): void {
    assembly.isDelivered = true;
    const bytes = Buffer.concat(assembly.parts.filter(part => part !== undefined));
    assembly.parts.fill(undefined);
    this.#deliveries.push({ conferenceId: assembly.conferenceId, endpointId: assembly.endpointId, bytes });
  }

  /** Below `lowest` everything has arrived, so everything has been delivered. */
  #isDelivered(number: number): boolean {
    return number < this.#lowest || this.#assemblies.get(number)?.isDelivered === true;
  }

  #advance(): void {
    while (this.#received[this.#lowest % FRAGMENT_WINDOW] === 1) {
      this.#received[this.#lowest % FRAGMENT_WINDOW] = 0;
      if (this.#assemblies.get(this.#lowest)?.isDelivered === true) this.#assemblies.delete(this.#lowest);
      this.#lowest++;
    }
  }
}

const NONE: readonly ReceivedMessage[] = [];

import { DecodeError } from '../../protocol/errors.ts';
import type { ConferenceId, EndpointId } from '../../protocol/ids.ts';
import {
  MESSAGE_BYTES_MAX,
  OPEN_MESSAGES_MAX,
  RELIABLE_FRAGMENT_BYTES_MAX,
  type ReliableFragment,
} from '../../protocol/octo/message.ts';
import { FRAGMENT_WINDOW, type HeldSender, type MessageAck } from '../../protocol/octo/message-ack.ts';

/**
 * What unfinished messages may have here. A peer that keeps to the window and to {@link OPEN_MESSAGES_MAX} stays below: the messages that are open at the
 * lowest missing fragment, and one window beyond it.
 */
export const ASSEMBLY_BYTES_MAX = OPEN_MESSAGES_MAX * MESSAGE_BYTES_MAX + FRAGMENT_WINDOW * RELIABLE_FRAGMENT_BYTES_MAX;
const ASSEMBLIES_MAX = OPEN_MESSAGES_MAX + FRAGMENT_WINDOW;

export interface ReceivedMessage {
  readonly conferenceId: ConferenceId;
  readonly endpointId: EndpointId;
  readonly bytes: Uint8Array;
}

interface Assembly {
  readonly conferenceId: ConferenceId;
  readonly endpointId: EndpointId;
  readonly first: number;
  readonly previous: number;
  readonly parts: (Uint8Array | undefined)[];
  missing: number;
  bytes: number;
  /** FSN of its last fragment, 0 while that has not come. */
  last: number;
}

/**
 * Receives reliable messages: each once, and each sender's in order. Memory is bounded by the window, 512 fragments ahead of the lowest missing one, and by what
 * the messages that take turns there already have. A fragment outside it is dropped, and not acknowledged.
 */
export class MessageReceiver {
  /** True when there is something to acknowledge. */
  isAckDue = false;
  /** Bytes of messages that are not whole yet, or wait for one of their sender's before them. */
  assemblyBytes = 0;
  #lowest = 1;
  readonly #received = new Uint8Array(FRAGMENT_WINDOW);
  /** Messages that are not delivered yet, by their first fragment number. */
  readonly #assemblies = new Map<number, Assembly>();
  /** Whole messages that wait for the one before them, by the last fragment number of that one. */
  readonly #waiting = new Map<number, Assembly>();
  /** Last fragment numbers of messages that were delivered ahead of `lowest`. */
  readonly #delivered = new Set<number>();
  #deliveries: ReceivedMessage[] = [];

  /** Throws DecodeError when fragments of one message contradict each other, or the peer begins more messages than it may. */
  handleFragment(conferenceId: ConferenceId, endpointId: EndpointId, fragment: ReliableFragment): void {
    this.isAckDue = true;
    const { fsn } = fragment;
    if (fsn < this.#lowest || fsn >= this.#lowest + FRAGMENT_WINDOW) return;
    if (this.#received[fsn % FRAGMENT_WINDOW] === 1) return;
    const assembly = this.#assemblyOf(conferenceId, endpointId, fragment);
    this.#received[fsn % FRAGMENT_WINDOW] = 1;
    assembly.parts[fragment.index] = Uint8Array.from(fragment.bytes);
    assembly.bytes += fragment.bytes.length;
    this.assemblyBytes += fragment.bytes.length;
    if (fragment.index === fragment.count - 1) assembly.last = fsn;
    assembly.missing--;
    if (assembly.missing === 0) this.#complete(assembly);
    this.#advance();
  }

  /** Messages to hand on, in order. Each is given once. */
  takeDeliveries(): readonly ReceivedMessage[] {
    if (this.#deliveries.length === 0) return NONE;
    const deliveries = this.#deliveries;
    this.#deliveries = [];
    return deliveries;
  }

  /** The acknowledgement to send; `incarnation` is our own, `held` the senders whose messages are to wait. */
  takeAck(incarnation: number, held: readonly HeldSender[]): MessageAck {
    this.isAckDue = false;
    let bits = 0;
    const bitmap = new Uint8Array(FRAGMENT_WINDOW / 8);
    for (let bit = 0; bit < FRAGMENT_WINDOW - 1; bit++) {
      if (this.#received[(this.#lowest + 1 + bit) % FRAGMENT_WINDOW] === 0) continue;
      bitmap[bit >> 3] |= 0x80 >> (bit & 7);
      bits = bit + 1;
    }
    return { incarnation, lowest: this.#lowest, bitmap: bitmap.subarray(0, Math.ceil(bits / 8)), held };
  }

  /** The peer is a new process: its numbers start from 1. */
  restart(): void {
    this.isAckDue = false;
    this.assemblyBytes = 0;
    this.#lowest = 1;
    this.#received.fill(0);
    this.#assemblies.clear();
    this.#waiting.clear();
    this.#delivered.clear();
    this.#deliveries = [];
  }

  #assemblyOf(conferenceId: ConferenceId, endpointId: EndpointId, fragment: ReliableFragment): Assembly {
    if (this.assemblyBytes + fragment.bytes.length > ASSEMBLY_BYTES_MAX) throw new DecodeError('octo-message-overrun');
    const known = this.#assemblies.get(fragment.first);
    if (known === undefined) return this.#begin(conferenceId, endpointId, fragment);
    const isSame =
      known.parts.length === fragment.count &&
      known.conferenceId === conferenceId &&
      known.endpointId === endpointId &&
      known.previous === fragment.previous &&
      known.parts[fragment.index] === undefined;
    if (!isSame) throw new DecodeError('octo-message-contradiction');
    return known;
  }

  #begin(conferenceId: ConferenceId, endpointId: EndpointId, fragment: ReliableFragment): Assembly {
    const { first, previous, count } = fragment;
    // All below has arrived, so a message that began there is known, unless its fragments name different beginnings.
    if (first < this.#lowest) throw new DecodeError('octo-message-contradiction');
    if (this.#assemblies.size >= ASSEMBLIES_MAX) throw new DecodeError('octo-message-overrun');
    const assembly: Assembly = {
      conferenceId,
      endpointId,
      first,
      previous,
      parts: new Array(count).fill(undefined),
      missing: count,
      bytes: 0,
      last: 0,
    };
    this.#assemblies.set(first, assembly);
    return assembly;
  }

  #complete(assembly: Assembly): void {
    if (!this.#isDelivered(assembly.previous)) {
      this.#waiting.set(assembly.previous, assembly);
      return;
    }
    let ready: Assembly | undefined = assembly;
    while (ready !== undefined) {
      this.#deliver(ready);
      const following: Assembly | undefined = this.#waiting.get(ready.last);
      this.#waiting.delete(ready.last);
      ready = following;
    }
  }

  #deliver(assembly: Assembly): void {
    this.#assemblies.delete(assembly.first);
    this.#delivered.add(assembly.last);
    this.assemblyBytes -= assembly.bytes;
    const bytes = Buffer.concat(assembly.parts.filter(part => part !== undefined));
    this.#deliveries.push({ conferenceId: assembly.conferenceId, endpointId: assembly.endpointId, bytes });
  }

  /** Below `lowest` everything has arrived, so everything that ends there has been delivered. */
  #isDelivered(number: number): boolean {
    return number < this.#lowest || this.#delivered.has(number);
  }

  #advance(): void {
    while (this.#received[this.#lowest % FRAGMENT_WINDOW] === 1) {
      this.#received[this.#lowest % FRAGMENT_WINDOW] = 0;
      this.#delivered.delete(this.#lowest);
      this.#lowest++;
    }
  }
}

const NONE: readonly ReceivedMessage[] = [];

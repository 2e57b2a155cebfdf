import type { ConferenceId, EndpointId } from '../../protocol/ids.ts';
import { MESSAGE_BYTES_MAX, RELIABLE_FRAGMENT_BYTES_MAX, type ReliableFragment } from '../../protocol/octo/message.ts';
import { FRAGMENT_WINDOW, isAcked, type MessageAck } from '../../protocol/octo/message-ack.ts';

/** Messages that wait for their first transmission. When full, {@link MessageSender.enqueue} refuses: what was accepted is never dropped for room. */
export const QUEUED_MESSAGES_MAX = 4096;
export const QUEUED_BYTES_MAX = 4 * 1024 * 1024;
/** Fragments sent per 10 ms: about 30 Mbit/s, so that a large message does not push media aside. */
const BURST_MAX = 32;
const RETRY_MS_MIN = 60;
const RETRY_MS_MAX = 1000;

export interface OutgoingFragment extends ReliableFragment {
  readonly conferenceId: ConferenceId;
  readonly endpointId: EndpointId;
}

interface Pending extends OutgoingFragment {
  sentMs: number;
  retryMs: number;
}

interface QueuedMessage {
  readonly conferenceId: ConferenceId;
  readonly endpointId: EndpointId;
  readonly bytes: Uint8Array;
}

/**
 * Sends reliable messages: numbered fragments, at most 512 under way, repeated until acknowledged. Each message names the last
 * fragment of its sender's previous one, so that the receiver keeps each sender's order and no sender waits for another's loss.
 */
export class MessageSender {
  readonly #incarnation: number;
  #queue: QueuedMessage[] = [];
  #queuedBytes = 0;
  /** Fragments of the first queued message already sent. */
  #fragmentsOfFirst = 0;
  /** Under way, by fragment number, ascending. */
  readonly #pending = new Map<number, Pending>();
  /** Last fragment number of each sender with unacknowledged messages. */
  readonly #lastBySender = new Map<string, number>();
  #lowest = 1;
  #next = 1;
  #burst = BURST_MAX;

  constructor(incarnation: number) {
    this.#incarnation = incarnation;
  }

  get queued(): number {
    return this.#queue.length;
  }

  /** Takes a copy of `bytes`. False: too large, or the queue is full (it never forgets an accepted message to make room). */
  enqueue(conferenceId: ConferenceId, endpointId: EndpointId, bytes: Uint8Array): boolean {
    if (bytes.length > MESSAGE_BYTES_MAX) return false;
    if (this.#queue.length >= QUEUED_MESSAGES_MAX || this.#queuedBytes + bytes.length > QUEUED_BYTES_MAX) return false;
    this.#queue.push({ conferenceId, endpointId, bytes: Uint8Array.from(bytes) });
    this.#queuedBytes += bytes.length;
    return true;
  }

  /** The next fragment to send now: one whose acknowledgement is overdue, else a new one; undefined when there is none, or too many for one tick. */
  pollFragment(nowMs: number, rttMs: number): OutgoingFragment | undefined {
    if (this.#burst === 0) return undefined;
    const fragment = this.#overdue(nowMs) ?? this.#fresh(nowMs, rttMs);
    if (fragment !== undefined) this.#burst--;
    return fragment;
  }

  /** Every 10 ms. */
  handleTimeout(): void {
    this.#burst = BURST_MAX;
  }

  /** Fragments before the newest acknowledged one are overdue a round trip after they were sent. */
  handleAck(rttMs: number, ack: MessageAck): void {
    if (ack.lowest > this.#next) return;
    let newest = 0;
    for (const number of this.#pending.keys()) {
      if (!isAcked(ack, number)) continue;
      this.#pending.delete(number);
      newest = number;
    }
    for (const [number, pending] of this.#pending) {
      if (number >= newest) break;
      pending.retryMs = Math.min(pending.retryMs, Math.max(RETRY_MS_MIN, 1.2 * rttMs));
    }
    this.#lowest = this.#pending.keys().next().value ?? this.#next;
    for (const [sender, last] of this.#lastBySender) if (last < ack.lowest) this.#lastBySender.delete(sender);
  }

  /**
   * The peer's process is another one than before: it starts from nothing. Messages that went out in part or whole are not sent
   * again (the old process may have delivered them); those that wait are. Returns how many were abandoned.
   */
  restart(): number {
    const abandoned = new Set<number>();
    for (const pending of this.#pending.values()) abandoned.add(pending.fsn - pending.index);
    if (this.#fragmentsOfFirst > 0) {
      abandoned.add(this.#next - this.#fragmentsOfFirst);
      this.#shift();
    }
    this.#pending.clear();
    this.#lastBySender.clear();
    this.#lowest = 1;
    this.#next = 1;
    return abandoned.size;
  }

  /** Forgets what waits for a conference that the link no longer carries. Returns how many messages. */
  dropConference(conferenceId: ConferenceId): number {
    const before = this.#queue.length;
    this.#queue = this.#queue.filter((message, index) => {
      const isKept = message.conferenceId !== conferenceId || (index === 0 && this.#fragmentsOfFirst > 0);
      if (!isKept) this.#queuedBytes -= message.bytes.length;
      return isKept;
    });
    return before - this.#queue.length;
  }

  #overdue(nowMs: number): OutgoingFragment | undefined {
    for (const pending of this.#pending.values()) {
      if (nowMs - pending.sentMs < pending.retryMs) continue;
      pending.retryMs = Math.min(RETRY_MS_MAX, pending.retryMs * 1.5);
      pending.sentMs = nowMs;
      return pending;
    }
    return undefined;
  }

  #fresh(nowMs: number, rttMs: number): OutgoingFragment | undefined {
    const message = this.#queue[0];
    if (message === undefined || this.#next >= this.#lowest + FRAGMENT_WINDOW) return undefined;
    const sender = `${message.conferenceId}/${message.endpointId}`;
    const index = this.#fragmentsOfFirst;
    const count = Math.max(1, Math.ceil(message.bytes.length / RELIABLE_FRAGMENT_BYTES_MAX));
    const retryMs = Math.max(RETRY_MS_MIN, 1.5 * rttMs + 20);
    const start = index * RELIABLE_FRAGMENT_BYTES_MAX;
    const pending: Pending = {
      conferenceId: message.conferenceId,
      endpointId: message.endpointId,
      incarnation: this.#incarnation,
      fsn: this.#next++,
      previous: this.#lastBySender.get(sender) ?? 0,
      index,
      count,
      bytes: message.bytes.subarray(start, start + RELIABLE_FRAGMENT_BYTES_MAX),
      sentMs: nowMs,
      retryMs,
    };
    this.#pending.set(pending.fsn, pending);
    this.#fragmentsOfFirst++;
    if (this.#fragmentsOfFirst === count) {
      this.#lastBySender.set(sender, pending.fsn);
      this.#shift();
    }
    return pending;
  }

  #shift(): void {
    const message = this.#queue.shift();
    if (message !== undefined) this.#queuedBytes -= message.bytes.length;
    this.#fragmentsOfFirst = 0;
  }
}

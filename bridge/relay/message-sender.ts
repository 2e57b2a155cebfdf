import type { ConferenceId, EndpointId } from '../../protocol/ids.ts';
import {
  MESSAGE_BYTES_MAX,
  OPEN_MESSAGES_MAX,
  RELIABLE_FRAGMENT_BYTES_MAX,
  type ReliableFragment,
} from '../../protocol/octo/message.ts';
import { FRAGMENT_WINDOW, isAcked, type MessageAck } from '../../protocol/octo/message-ack.ts';
import { type Lane, MessageLanes, type Obstacle } from './message-lanes.ts';
import { type LinkRoom, MessagePace } from './message-pace.ts';

export interface OutgoingFragment extends ReliableFragment {
  readonly conferenceId: ConferenceId;
  readonly endpointId: EndpointId;
}

interface Pending extends OutgoingFragment {
  sentMs: number;
  retryMs: number;
  repeats: number;
}

/**
 * Sends reliable messages: numbered fragments, at most 512 under way, repeated until acknowledged. Senders take turns fragment by fragment, so none waits for
 * another's large message. Each message names the last fragment of its sender's previous one, so that the receiver keeps each sender's order and no sender
 * waits for another's loss.
 */
export class MessageSender {
  /** Fragments sent again. */
  repeated = 0;
  readonly #incarnation: number;
  readonly #lanes = new MessageLanes();
  readonly #pace = new MessagePace();
  /** Under way, by fragment number, ascending. */
  readonly #pending = new Map<number, Pending>();
  /** No fragment is overdue before. */
  #overdueMs = Number.POSITIVE_INFINITY;
  /** Messages of several fragments that have been begun and not ended. */
  #open = 0;
  #lowest = 1;
  #next = 1;

  constructor(incarnation: number) {
    this.#incarnation = incarnation;
  }

  /** Messages that have not been sent whole. */
  get queued(): number {
    return this.#lanes.messages;
  }

  get queuedBytes(): number {
    return this.#lanes.bytes;
  }

  /** Fragments sent and not acknowledged. */
  get underWay(): number {
    return this.#pending.size;
  }

  heldByPeer(nowMs: number): number {
    return this.#lanes.heldByPeer(nowMs);
  }

  /** Why the sender of a message of this size had better wait; undefined when it may come. */
  obstacle(nowMs: number, conferenceId: ConferenceId, endpointId: EndpointId, bytes: number): Obstacle | undefined {
    return this.#lanes.obstacle(nowMs, conferenceId, endpointId, bytes);
  }

  /** Whether a sender that met an obstacle may go on: later than it was stopped, so that it does not stop and go with each message. */
  isDrained(conferenceId: ConferenceId, endpointId: EndpointId): boolean {
    return this.#lanes.isDrained(conferenceId, endpointId);
  }

  /** Takes a copy of `bytes`. False: too large, or the queue is full (it never forgets an accepted message to make room). */
  enqueue(conferenceId: ConferenceId, endpointId: EndpointId, bytes: Uint8Array): boolean {
    if (bytes.length > MESSAGE_BYTES_MAX || !this.#lanes.hasRoom(bytes.length)) return false;
    this.#lanes.add(conferenceId, endpointId, bytes);
    return true;
  }

  /** Time passes. */
  handleTimeout(nowMs: number, rttMs: number, room: LinkRoom): void {
    this.#pace.refill(nowMs, rttMs, room);
  }

  /** The next fragment to send now: one whose acknowledgement is overdue, else a new one; undefined when there is none, or it is too soon. */
  pollFragment(nowMs: number, rttMs: number): OutgoingFragment | undefined {
    if (!this.#pace.hasAllowance) return undefined;
    const fragment = this.#overdue(nowMs) ?? this.#fresh(nowMs, rttMs);
    if (fragment !== undefined) this.#pace.handleSent(nowMs);
    return fragment;
  }

  /** Fragments before the newest acknowledged one are overdue a round trip after they were sent. */
  handleAck(nowMs: number, rttMs: number, ack: MessageAck): void {
    if (ack.lowest > this.#next) return;
    this.#lanes.handleHeld(nowMs, ack.held);
    let newest = 0;
    for (const [number, pending] of this.#pending) {
      if (!isAcked(ack, number)) continue;
      this.#pending.delete(number);
      this.#pace.handleAcked(nowMs, pending.repeats === 0 ? nowMs - pending.sentMs : -1);
      newest = number;
    }
    const overtakenMs = this.#pace.overtakenMs(rttMs);
    for (const [number, pending] of this.#pending) {
      if (number >= newest) break;
      pending.retryMs = Math.min(pending.retryMs, overtakenMs);
      this.#overdueMs = Math.min(this.#overdueMs, pending.sentMs + pending.retryMs);
    }
    this.#lowest = this.#pending.keys().next().value ?? this.#next;
    this.#lanes.handleLowest(ack.lowest);
    this.#pace.endRound(nowMs, rttMs);
  }

  /**
   * The peer's process is another one than before: it starts from nothing. Messages that went out in part or whole are not sent
   * again (the old process may have delivered them); those that wait are. Returns how many were abandoned.
   */
  restart(): number {
    const abandoned = new Set(this.#lanes.restart());
    for (const { first } of this.#pending.values()) abandoned.add(first);
    this.#pending.clear();
    this.#overdueMs = Number.POSITIVE_INFINITY;
    this.#open = 0;
    this.#lowest = 1;
    this.#next = 1;
    return abandoned.size;
  }

  /** Forgets what waits for a conference that the link no longer carries. Returns how many messages. */
  dropConference(conferenceId: ConferenceId): number {
    return this.#lanes.drop(lane => lane.conferenceId === conferenceId);
  }

  /** Forgets all that waits and has not been begun. Returns how many messages. */
  dropWaiting(): number {
    return this.#lanes.drop(() => true);
  }

  #overdue(nowMs: number): OutgoingFragment | undefined {
    if (nowMs < this.#overdueMs) return undefined;
    let soonestMs = Number.POSITIVE_INFINITY;
    for (const pending of this.#pending.values()) {
      if (nowMs - pending.sentMs < pending.retryMs) {
        soonestMs = Math.min(soonestMs, pending.sentMs + pending.retryMs);
        continue;
      }
      pending.retryMs = this.#pace.backOff(pending.retryMs);
      pending.sentMs = nowMs;
      pending.repeats++;
      this.repeated++;
      this.#pace.handleRepeat();
      return pending;
    }
    this.#overdueMs = soonestMs;
    return undefined;
  }

  #fresh(nowMs: number, rttMs: number): OutgoingFragment | undefined {
    if (this.#next >= this.#lowest + FRAGMENT_WINDOW) return undefined;
    if (this.#lanes.messages === 0 || !this.#pace.admits(this.#pending.size)) return undefined;
    const lane = this.#lanes.next(nowMs, this.#isReady);
    if (lane === undefined) return undefined;
    const { bytes } = lane.messages[0];
    const count = fragmentsOf(bytes);
    const index = lane.sent++;
    if (index === 0) this.#begin(lane, count);
    const start = index * RELIABLE_FRAGMENT_BYTES_MAX;
    const pending: Pending = {
      conferenceId: lane.conferenceId,
      endpointId: lane.endpointId,
      incarnation: this.#incarnation,
      fsn: this.#next++,
      first: lane.first,
      previous: lane.previous,
      index,
      count,
      bytes: bytes.subarray(start, start + RELIABLE_FRAGMENT_BYTES_MAX),
      sentMs: nowMs,
      retryMs: this.#pace.retryMs(rttMs),
      repeats: 0,
    };
    this.#pending.set(pending.fsn, pending);
    this.#overdueMs = Math.min(this.#overdueMs, nowMs + pending.retryMs);
    if (lane.sent === count) this.#end(lane, count);
    return pending;
  }

  /** One of a single fragment is ended with its beginning, and needs no place among the open ones. */
  readonly #isReady = (lane: Lane): boolean =>
    lane.first !== 0 || this.#open < OPEN_MESSAGES_MAX || fragmentsOf(lane.messages[0].bytes) === 1;

  #begin(lane: Lane, count: number): void {
    lane.first = this.#next;
    if (count > 1) this.#open++;
  }

  #end(lane: Lane, count: number): void {
    lane.previous = this.#next - 1;
    if (count > 1) this.#open--;
    this.#lanes.shift(lane);
  }
}

function fragmentsOf(bytes: Uint8Array): number {
  return Math.max(1, Math.ceil(bytes.length / RELIABLE_FRAGMENT_BYTES_MAX));
}

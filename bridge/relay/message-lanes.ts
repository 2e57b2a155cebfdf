import type { ConferenceId, EndpointId } from '../../protocol/ids.ts';
import type { HeldSender } from '../../protocol/octo/message-ack.ts';

/** Messages that wait on one link. Beyond this none is taken: what was accepted is never dropped for room. */
export const QUEUED_MESSAGES_MAX = 4096;
export const QUEUED_BYTES_MAX = 4 * 1024 * 1024;
/** What one sender may have waiting on a link before it is held: more than a round trip of 300 ms takes at 6 Mbit/s. */
export const SENDER_BYTES_MAX = 256 * 1024;
export const SENDER_MESSAGES_MAX = 512;
/** From here on a link keeps its room for senders that have little waiting: sixteen who send without end do not shut out the seventeenth. */
const CROWDED_BYTES = (3 * QUEUED_BYTES_MAX) / 4;
const CROWDED_MESSAGES = (3 * QUEUED_MESSAGES_MAX) / 4;
const CROWDED_SENDER_BYTES = 16 * 1024;
const CROWDED_SENDER_MESSAGES = 8;
/** A held sender may go on when this little of its own waits: some ten of its messages, so that the link does not run dry meanwhile. */
const DRAINED_BYTES = 64 * 1024;
const DRAINED_MESSAGES = 64;
/** How long a peer's word about held senders holds. It repeats it ten times in that time. */
const HELD_MS = 1000;

export interface QueuedMessage {
  readonly bytes: Uint8Array;
}

/** Why a link takes nothing from a sender now: its own share waits already; nothing has room; the other side's receivers do not keep up. */
export type Obstacle = 'sender-share' | 'link-full' | 'peer-holds';

/** One sender's messages, in order, and the one that is being sent. */
export interface Lane {
  readonly key: string;
  readonly conferenceId: ConferenceId;
  readonly endpointId: EndpointId;
  readonly messages: QueuedMessage[];
  bytes: number;
  /** FSN of the first fragment of `messages[0]` when it has been begun, else 0, and its fragments sent so far. */
  first: number;
  sent: number;
  /** Last FSN of the sender's former message, 0 when that has arrived with everything before it. */
  previous: number;
}

/** Messages that wait on a link, by sender: each has its own order and its own limits, and they take turns. */
export class MessageLanes {
  messages = 0;
  bytes = 0;
  readonly #lanes = new Map<string, Lane>();
  /** Lanes with something to send, in turn. */
  #turn: Lane[] = [];
  #next = 0;
  #held: ReadonlySet<string> = new Set();
  #heldUntilMs = Number.NEGATIVE_INFINITY;

  /** Senders that the peer holds. */
  heldByPeer(nowMs: number): number {
    return nowMs < this.#heldUntilMs ? this.#held.size : 0;
  }

  /** Senders who have something waiting. */
  get senders(): number {
    return this.#turn.length;
  }

  /** Why a message of this size had better not be added now; undefined when it may. */
  obstacle(nowMs: number, conferenceId: ConferenceId, endpointId: EndpointId, bytes: number): Obstacle | undefined {
    if (!this.hasRoom(bytes)) return 'link-full';
    const key = keyOf(conferenceId, endpointId);
    const lane = this.#lanes.get(key);
    if (lane === undefined || lane.messages.length === 0) return undefined;
    const isCrowded = this.bytes >= CROWDED_BYTES || this.messages >= CROWDED_MESSAGES;
    const bytesMax = isCrowded ? CROWDED_SENDER_BYTES : SENDER_BYTES_MAX;
    const messagesMax = isCrowded ? CROWDED_SENDER_MESSAGES : SENDER_MESSAGES_MAX;
    if (lane.bytes + bytes <= bytesMax && lane.messages.length < messagesMax) return undefined;
    return this.#isHeld(nowMs, key) ? 'peer-holds' : 'sender-share';
  }

  /** Whether a sender that met an obstacle may go on. */
  isDrained(conferenceId: ConferenceId, endpointId: EndpointId): boolean {
    if (this.bytes >= CROWDED_BYTES || this.messages >= CROWDED_MESSAGES) return false;
    const lane = this.#lanes.get(keyOf(conferenceId, endpointId));
    return lane === undefined || (lane.bytes <= DRAINED_BYTES && lane.messages.length <= DRAINED_MESSAGES);
  }

  /** Whether a message of this size fits at all. */
  hasRoom(bytes: number): boolean {
    return this.messages < QUEUED_MESSAGES_MAX && this.bytes + bytes <= QUEUED_BYTES_MAX;
  }

  /** Takes a copy of `bytes`. The caller has asked {@link hasRoom}. */
  add(conferenceId: ConferenceId, endpointId: EndpointId, bytes: Uint8Array): void {
    const key = keyOf(conferenceId, endpointId);
    let lane = this.#lanes.get(key);
    if (lane === undefined) {
      lane = { key, conferenceId, endpointId, messages: [], bytes: 0, first: 0, sent: 0, previous: 0 };
      this.#lanes.set(key, lane);
    }
    if (lane.messages.length === 0) this.#turn.push(lane);
    lane.messages.push({ bytes: Uint8Array.from(bytes) });
    lane.bytes += bytes.length;
    this.messages++;
    this.bytes += bytes.length;
  }

  /** The lane whose turn it is, of those that `isReady`; a sender that the peer holds ends the message it has begun, and begins no other. */
  next(nowMs: number, isReady: (lane: Lane) => boolean): Lane | undefined {
    for (let looked = 0; looked < this.#turn.length; looked++) {
      if (this.#next >= this.#turn.length) this.#next = 0;
      const lane = this.#turn[this.#next++];
      if (lane.first === 0 && this.#isHeld(nowMs, lane.key)) continue;
      if (isReady(lane)) return lane;
    }
    return undefined;
  }

  /** The lane's first message has been sent whole. */
  shift(lane: Lane): void {
    const message = lane.messages.shift();
    if (message !== undefined) this.#forget(lane, message);
    lane.first = 0;
    lane.sent = 0;
    if (lane.messages.length === 0) this.#leaveTurn(lane);
  }

  /** The peer says whom it holds: all of them. */
  handleHeld(nowMs: number, held: readonly HeldSender[]): void {
    if (held.length === 0 && this.#held.size === 0) return;
    this.#held = new Set(held.map(({ conferenceId, endpointId }) => keyOf(conferenceId, endpointId)));
    this.#heldUntilMs = nowMs + HELD_MS;
  }

  /** Everything below `lowest` has arrived: what was last sent there need not be named any more. All fragments of a message name the same one. */
  handleLowest(lowest: number): void {
    for (const lane of this.#lanes.values()) {
      if (lane.first !== 0) continue;
      if (lane.previous !== 0 && lane.previous < lowest) lane.previous = 0;
      if (lane.previous === 0 && lane.messages.length === 0) this.#lanes.delete(lane.key);
    }
  }

  /** Drops what waits and has not been begun, of the lanes that `isMeant`. Returns how many messages. */
  drop(isMeant: (lane: Lane) => boolean): number {
    const before = this.messages;
    for (const lane of [...this.#turn]) {
      if (!isMeant(lane)) continue;
      const dropped = lane.messages.splice(lane.first === 0 ? 0 : 1);
      for (const message of dropped) this.#forget(lane, message);
      if (lane.messages.length === 0) this.#leaveTurn(lane);
    }
    return before - this.messages;
  }

  /** The peer has forgotten everything: messages that have been begun are dropped, the rest begins anew. Returns the first FSNs of the dropped ones. */
  restart(): readonly number[] {
    const dropped: number[] = [];
    this.#held = new Set();
    for (const lane of [...this.#lanes.values()]) {
      lane.previous = 0;
      if (lane.first !== 0) {
        dropped.push(lane.first);
        this.shift(lane);
      }
      if (lane.messages.length === 0) this.#lanes.delete(lane.key);
    }
    return dropped;
  }

  #isHeld(nowMs: number, key: string): boolean {
    return nowMs < this.#heldUntilMs && this.#held.has(key);
  }

  #forget(lane: Lane, { bytes }: QueuedMessage): void {
    lane.bytes -= bytes.length;
    this.bytes -= bytes.length;
    this.messages--;
  }

  #leaveTurn(lane: Lane): void {
    const at = this.#turn.indexOf(lane);
    if (at < 0) return;
    this.#turn.splice(at, 1);
    if (at < this.#next) this.#next--;
  }
}

function keyOf(conferenceId: number, endpointId: number): string {
  return `${conferenceId}/${endpointId}`;
}

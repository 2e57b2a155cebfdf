import { readStamp, type StampedPacket, stampDataPacket } from '../protocol/datachannel/data-packet.ts';
import { DecodeError } from '../protocol/errors.ts';
import { type BridgeId, type EndpointId, formatId } from '../protocol/ids.ts';
import type { Conference } from './conference.ts';
import type { BridgeCounters } from './counters.ts';
import type { Endpoint } from './endpoint.ts';
import { HeldMessages } from './held-messages.ts';
import { ReceiverPace } from './receiver-pace.ts';
import type { Relay } from './relay/relay.ts';

/**
 * Data messages: from a client to the endpoints of this bridge and to the bridges of everybody else it is meant for; from another bridge to the endpoints
 * here. The bridge that receives a message from its client stamps the sender's name on it.
 *
 * A reliable message is taken when all that it is for have room; else it waits, and its sender's next ones wait with the client (decision 0012).
 */
export class Messages {
  readonly #relay: Relay;
  readonly #counters: BridgeCounters;
  readonly #pace = new ReceiverPace();
  readonly #held: HeldMessages;

  constructor(relay: Relay, counters: BridgeCounters) {
    this.#relay = relay;
    this.#counters = counters;
    this.#held = new HeldMessages(relay, this.#pace);
  }

  handleClientMessage(nowMs: number, endpoint: Endpoint, isReliable: boolean, bytes: Uint8Array): void {
    const message = this.#accept(endpoint, isReliable, bytes);
    if (message !== undefined) this.#take(nowMs, endpoint, isReliable, message);
  }

  /** A message that another bridge has stamped. */
  handleRelayedMessage(
    nowMs: number,
    peer: BridgeId,
    conference: Conference,
    senderId: EndpointId,
    isReliable: boolean,
    bytes: Uint8Array,
  ): void {
    try {
      const { destinations, sid } = readStamp(bytes);
      const receivers = receiversOf(conference, destinations, sid);
      this.#send(receivers, isReliable, bytes);
      if (!isReliable) return;
      const behind = receivers.find(receiver => this.#pace.isBehind(nowMs, receiver));
      if (behind !== undefined) this.#held.holdRemote(peer, conference, senderId, behind);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#counters.drop(error.reason);
    }
  }

  /** Sends a stamped packet to the endpoints here that it is for: all of them when `destinations` is empty. */
  deliver(conference: Conference, isReliable: boolean, bytes: Uint8Array, destinations: readonly string[]): void {
    this.#send(receiversOf(conference, destinations, undefined), isReliable, bytes);
  }

  /** Every 10 ms: lets those go on who have waited long enough. */
  handleTimeout(nowMs: number): void {
    this.#pace.handleTimeout(nowMs);
    this.#held.releaseRemotes();
    for (const client of [...this.#held.clients]) {
      if (!this.#held.isOver(client)) continue;
      const { endpoint, message } = client;
      const { receivers, peers } = targetsOf(endpoint, message);
      const next = this.#held.obstacle(nowMs, endpoint, message, receivers, peers);
      if (next !== undefined) {
        client.because = next;
        continue;
      }
      this.#held.release(endpoint);
      this.#forward(endpoint, true, message, receivers, peers);
      endpoint.transport.resumeData();
    }
  }

  /** A client has gone: what it sent before is sent on, whoever has room, and nobody waits for it. Call it while the endpoint is in its conference. */
  handleGone(endpoint: Endpoint): void {
    this.#pace.forget(endpoint);
    const client = this.#held.get(endpoint);
    if (client === undefined) return;
    this.#held.release(endpoint);
    const messages = [client.message];
    for (const bytes of endpoint.transport.takeUnreadData()) {
      const message = this.#accept(endpoint, true, bytes);
      if (message !== undefined) messages.push(message);
    }
    for (const message of messages) {
      const { receivers, peers } = targetsOf(endpoint, message);
      this.#forward(endpoint, true, message, receivers, peers);
    }
  }

  /** Why the reliable messages of a client wait; null when they do not. For people. */
  describeHeld(nowMs: number, endpoint: Endpoint): { because: string; at: string; forMs: number } | null {
    const client = this.#held.get(endpoint);
    if (client === undefined) return null;
    const { because, sinceMs } = client;
    const at = because.kind === 'receiver-behind' ? formatId(because.receiver.id) : because.peer;
    return { because: because.kind, at, forMs: Math.round(nowMs - sinceMs) };
  }

  /** Clients that are held, by reason. */
  heldByReason(): ReadonlyMap<string, number> {
    const held = new Map<string, number>();
    for (const { because } of this.#held.clients) held.set(because.kind, (held.get(because.kind) ?? 0) + 1);
    return held;
  }

  /** How often a client was held; receivers that are behind; how often one was too slow to be waited for. */
  get totals(): { readonly holds: number; readonly behind: number; readonly excused: number } {
    return { holds: this.#held.holds, behind: this.#pace.behind, excused: this.#pace.excused };
  }

  /** Checks and stamps what a client sent; undefined for what goes no further (counted). */
  #accept(endpoint: Endpoint, isReliable: boolean, bytes: Uint8Array): StampedPacket | undefined {
    const { spec } = endpoint;
    if (spec === undefined || !spec.mayPublishData) return this.#drop('data-not-permitted');
    try {
      const stamped = stampDataPacket(bytes, isReliable, spec);
      if (stamped === undefined) return this.#drop('data-not-for-clients');
      if (isReliable && stamped.sequence > 0) {
        // A client that resumes sends again what it is not sure of.
        if (stamped.sequence <= endpoint.lastReliableSequence) return this.#drop('data-repeated');
        endpoint.lastReliableSequence = stamped.sequence;
      }
      this.#counters.messagesIn++;
      return stamped;
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      return this.#drop(error.reason);
    }
  }

  #take(nowMs: number, endpoint: Endpoint, isReliable: boolean, message: StampedPacket): void {
    const { receivers, peers } = targetsOf(endpoint, message);
    const because = isReliable ? this.#held.obstacle(nowMs, endpoint, message, receivers, peers) : undefined;
    if (because === undefined) this.#forward(endpoint, isReliable, message, receivers, peers);
    else this.#held.hold(nowMs, endpoint, message, because);
  }

  #forward(
    endpoint: Endpoint,
    isReliable: boolean,
    { bytes }: StampedPacket,
    receivers: readonly Endpoint[],
    peers: readonly BridgeId[],
  ): void {
    this.#send(receivers, isReliable, bytes);
    for (const peer of peers) {
      if (this.#relay.sendMessage(peer, endpoint.conference.id, endpoint.id, isReliable, bytes)) continue;
      this.#counters.drop(isReliable ? 'data-link-refused' : 'data-lossy-link');
    }
  }

  #send(receivers: readonly Endpoint[], isReliable: boolean, bytes: Uint8Array): void {
    for (const receiver of receivers) {
      if (isReliable && receiver.conference.isLeaving(receiver.spec?.identity ?? '')) continue;
      if (receiver.transport.sendData(isReliable ? 'reliable' : 'lossy', bytes)) this.#counters.messagesOut++;
      else this.#counters.drop('data-not-taken');
    }
  }

  #drop(reason: string): undefined {
    this.#counters.drop(reason);
    return undefined;
  }
}

/** The endpoints here that a message is for, never any of the participant that sent it: who is moving here has some already, of which any may have come first. */
function receiversOf(
  conference: Conference,
  destinations: readonly string[],
  senderSid: string | undefined,
): readonly Endpoint[] {
  const receivers: Endpoint[] = [];
  for (const endpoint of conference.endpoints.values()) {
    const { spec } = endpoint;
    if (spec === undefined || spec.forwards !== undefined || spec.sid === senderSid) continue;
    if (spec.dataChannels === 'from-client' || spec.dataChannels === 'none') continue;
    if (destinations.length > 0 && !destinations.includes(spec.identity)) continue;
    receivers.push(endpoint);
  }
  return receivers;
}

function targetsOf(sender: Endpoint, { destinations }: StampedPacket) {
  const { conference } = sender;
  return {
    receivers: receiversOf(conference, destinations, sender.spec?.sid),
    peers: conference.bridgesFor(destinations),
  };
}

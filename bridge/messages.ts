import { destinationsOf, stampDataPacket } from '../protocol/datachannel/data-packet.ts';
import { DecodeError } from '../protocol/errors.ts';
import type { Conference } from './conference.ts';
import type { BridgeCounters } from './counters.ts';
import type { Endpoint } from './endpoint.ts';
import type { Relay } from './relay/relay.ts';

/**
 * Data messages: from a client to the endpoints of this bridge and to the bridges of everybody else it is meant for; from another bridge to the endpoints
 * here. The bridge that receives a message from its client stamps the sender's name on it.
 */
export class Messages {
  readonly #relay: Relay;
  readonly #counters: BridgeCounters;

  constructor(relay: Relay, counters: BridgeCounters) {
    this.#relay = relay;
    this.#counters = counters;
  }

  handleClientMessage(endpoint: Endpoint, isReliable: boolean, bytes: Uint8Array): void {
    const { spec, conference } = endpoint;
    if (spec === undefined || !spec.mayPublishData) return this.#counters.drop('data-not-permitted');
    try {
      const stamped = stampDataPacket(bytes, isReliable, spec);
      if (stamped === undefined) return this.#counters.drop('data-not-for-clients');
      if (isReliable && stamped.sequence > 0) {
        // A client that resumes sends again what it is not sure of.
        if (stamped.sequence <= endpoint.lastReliableSequence) return this.#counters.drop('data-repeated');
        endpoint.lastReliableSequence = stamped.sequence;
      }
      this.#counters.messagesIn++;
      this.deliver(conference, isReliable, stamped.bytes, stamped.destinations, endpoint);
      for (const peer of conference.bridgesFor(stamped.destinations)) {
        this.#relay.sendMessage(peer, conference.id, endpoint.id, isReliable, stamped.bytes);
      }
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#counters.drop(error.reason);
    }
  }

  /** A message that another bridge has stamped. */
  handleRelayedMessage(conference: Conference, isReliable: boolean, bytes: Uint8Array): void {
    try {
      this.deliver(conference, isReliable, bytes, destinationsOf(bytes), undefined);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#counters.drop(error.reason);
    }
  }

  /** Sends a stamped packet to the endpoints here that it is for (all of them when `destinations` is empty), never to its sender. */
  deliver(
    conference: Conference,
    isReliable: boolean,
    bytes: Uint8Array,
    destinations: readonly string[],
    sender: Endpoint | undefined,
  ): void {
    for (const endpoint of conference.endpoints.values()) {
      if (endpoint === sender) continue;
      if (destinations.length > 0 && !destinations.includes(endpoint.spec?.identity ?? '')) continue;
      if (endpoint.transport.sendData(isReliable ? 'reliable' : 'lossy', bytes)) this.#counters.messagesOut++;
      else this.#counters.drop('data-backlog');
    }
  }
}

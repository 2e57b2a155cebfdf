import type { StampedPacket } from '../protocol/datachannel/data-packet.ts';
import type { BridgeId, ConferenceId, EndpointId } from '../protocol/ids.ts';
import type { Conference } from './conference.ts';
import type { Endpoint } from './endpoint.ts';
import type { ReceiverPace } from './receiver-pace.ts';
import type { LinkObstacle, Relay } from './relay/relay.ts';

/** What keeps a sender from sending: a receiver here that is behind, or a link. */
export type Because =
  | { readonly kind: 'receiver-behind'; readonly receiver: Endpoint }
  | { readonly kind: LinkObstacle; readonly peer: BridgeId };

/** A client whose reliable messages wait with it, but for one, which waits here. */
export interface HeldClient {
  readonly endpoint: Endpoint;
  readonly message: StampedPacket;
  readonly sinceMs: number;
  because: Because;
}

interface HeldRemote {
  readonly peer: BridgeId;
  readonly conferenceId: ConferenceId;
  readonly senderId: EndpointId;
  readonly receiver: Endpoint;
}

/** Who waits, and for what: clients of this bridge, and senders on others whom their bridges hold for us. */
export class HeldMessages {
  /** How often a client was held. */
  holds = 0;
  readonly #relay: Relay;
  readonly #pace: ReceiverPace;
  readonly #clients = new Map<Endpoint, HeldClient>();
  readonly #remotes = new Map<string, HeldRemote>();

  constructor(relay: Relay, pace: ReceiverPace) {
    this.#relay = relay;
    this.#pace = pace;
  }

  get clients(): Iterable<HeldClient> {
    return this.#clients.values();
  }

  get(endpoint: Endpoint): HeldClient | undefined {
    return this.#clients.get(endpoint);
  }

  /** Why a message for these had better wait; undefined when all of them have room for it. */
  obstacle(
    nowMs: number,
    sender: Endpoint,
    message: StampedPacket,
    receivers: readonly Endpoint[],
    peers: readonly BridgeId[],
  ): Because | undefined {
    for (const receiver of receivers) {
      if (this.#pace.isBehind(nowMs, receiver)) return { kind: 'receiver-behind', receiver };
    }
    for (const peer of peers) {
      const kind = this.#relay.messageObstacle(peer, sender.conference.id, sender.id, message.bytes.length);
      if (kind !== undefined) return { kind, peer };
    }
    return undefined;
  }

  /** Whether what a client waited for is over. */
  isOver({ endpoint, because }: HeldClient): boolean {
    if (because.kind === 'receiver-behind') return this.#pace.isCleared(because.receiver);
    return this.#relay.isDrained(because.peer, endpoint.conference.id, endpoint.id);
  }

  hold(nowMs: number, endpoint: Endpoint, message: StampedPacket, because: Because): void {
    this.#clients.set(endpoint, { endpoint, message, sinceMs: nowMs, because });
    this.holds++;
    endpoint.transport.holdData();
  }

  release(endpoint: Endpoint): void {
    this.#clients.delete(endpoint);
  }

  /** Lets the bridge of a sender hold it until `receiver` has caught up. */
  holdRemote(peer: BridgeId, conference: Conference, senderId: EndpointId, receiver: Endpoint): void {
    const key = `${peer}/${conference.id}/${senderId}`;
    if (!this.#remotes.has(key)) this.#remotes.set(key, { peer, conferenceId: conference.id, senderId, receiver });
    // Said with each message, since the link forgets it when the peer restarts.
    this.#relay.holdSender(peer, conference.id, senderId, true);
  }

  /** Lets senders on other bridges go on whose receivers have caught up. */
  releaseRemotes(): void {
    for (const [key, { peer, conferenceId, senderId, receiver }] of this.#remotes) {
      if (!this.#pace.isCleared(receiver)) continue;
      this.#remotes.delete(key);
      this.#relay.holdSender(peer, conferenceId, senderId, false);
    }
  }
}

import { DecodeError } from '../protocol/errors.ts';
import type { BridgeId, ConferenceId, EndpointId, SourceId } from '../protocol/ids.ts';
import type { Want } from '../protocol/octo/wants.ts';
import type { Withheld } from '../protocol/octo/withheld.ts';
import type { Bridge } from './bridge.ts';
import type { BridgeCounters } from './counters.ts';
import type { Ingress } from './ingress.ts';
import type { LinkStateName, RelaySink } from './relay/relay-sink.ts';

export interface RelayIntakeOptions {
  readonly counters: BridgeCounters;
  readonly nowMs: () => number;
  readonly onLinkState: (peer: BridgeId, state: LinkStateName) => void;
}

/** What comes over links, handed to whom it concerns. A frame of an endpoint that its bridge does not serve is dropped and counted. */
export class RelayIntake implements RelaySink {
  readonly #options: RelayIntakeOptions;

  /** Both are made with the relay that this is the sink of; no frame arrives before {@link attach}. */
  #bridge!: Bridge;
  #ingress!: Ingress;

  constructor(options: RelayIntakeOptions) {
    this.#options = options;
  }

  attach(bridge: Bridge, ingress: Ingress): void {
    this.#bridge = bridge;
    this.#ingress = ingress;
  }

  onRelayedPacket(
    peer: BridgeId,
    conferenceId: ConferenceId,
    endpointId: EndpointId,
    sourceId: SourceId,
    layer: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void {
    const { counters, nowMs } = this.#options;
    const conference = this.#bridge.conferences.get(conferenceId);
    if (conference === undefined || conference.bridgeOf(endpointId) !== peer) return counters.drop('relayed-misplaced');
    try {
      this.#ingress.handleRelayed(nowMs(), conference, endpointId, sourceId, layer, bytes, offset, length);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      counters.drop(error.reason);
    }
  }

  onRelayedMessage(
    peer: BridgeId,
    conferenceId: ConferenceId,
    endpointId: EndpointId,
    isReliable: boolean,
    bytes: Uint8Array,
  ): void {
    const { counters, nowMs } = this.#options;
    const conference = this.#bridge.conferences.get(conferenceId);
    // A sender that this bridge has not been told of yet is believed to be its bridge's: a reliable message comes only once.
    // So is one that has moved to another bridge since the one before took its message.
    const home = conference?.bridgeOf(endpointId) ?? peer;
    const isHome = home === peer || conference?.bridgeBefore(endpointId) === peer;
    if (conference === undefined || !isHome) return counters.drop('relayed-misplaced');
    this.#bridge.messages.handleRelayedMessage(nowMs(), peer, conference, endpointId, isReliable, bytes);
  }

  onKeyFrameRequest(
    peer: BridgeId,
    conferenceId: ConferenceId,
    endpointId: EndpointId,
    sourceId: SourceId,
    layer: number,
  ): void {
    const { nowMs } = this.#options;
    this.#ingress.endBurst();
    this.#bridge.handleKeyFrameRequest(nowMs(), peer, conferenceId, endpointId, sourceId, layer);
  }

  onWanted(peer: BridgeId, conferenceId: ConferenceId, wants: readonly Want[]): void {
    this.#ingress.endBurst();
    this.#bridge.handleWanted(this.#options.nowMs(), peer, conferenceId, wants);
  }

  onWithheld(peer: BridgeId, conferenceId: ConferenceId, withheld: readonly Withheld[]): void {
    this.#ingress.endBurst();
    this.#bridge.handleWithheld(this.#options.nowMs(), peer, conferenceId, withheld);
  }

  onFramesLost(peer: BridgeId): void {
    this.#ingress.endBurst();
    this.#bridge.handleFramesLost(this.#options.nowMs(), peer);
  }

  onLinkState(peer: BridgeId, state: LinkStateName): void {
    this.#options.onLinkState(peer, state);
    if (state !== 'up') return;
    this.#ingress.endBurst();
    this.#bridge.handleLinkUp(this.#options.nowMs(), peer);
  }
}

import type { BridgeId, ConferenceId, EndpointId, SourceId } from '../../protocol/ids.ts';
import type { Want } from '../../protocol/octo/wants.ts';
import type { Withheld } from '../../protocol/octo/withheld.ts';

/** `connecting`: not up yet. `up`: media flows. `down`: it was up, and the peer is silent or has closed. */
export type LinkStateName = 'connecting' | 'up' | 'down';

/**
 * What comes from other bridges. Everything is authenticated, and of a conference that this bridge shares with `peer`. None of these may
 * throw: a link has no way to go on from there.
 */
export interface RelaySink {
  /** A normalised RTP packet, or an RTCP sender report (told apart by the second byte, RFC 5761). The bytes may be changed; valid until return. */
  onRelayedPacket(
    peer: BridgeId,
    conferenceId: ConferenceId,
    endpointId: EndpointId,
    sourceId: SourceId,
    layer: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void;
  /** A data message of an endpoint of that bridge. `bytes` are the receiver's to keep. Reliable ones: each once, in the order its sender sent. */
  onRelayedMessage(
    peer: BridgeId,
    conferenceId: ConferenceId,
    endpointId: EndpointId,
    isReliable: boolean,
    bytes: Uint8Array,
  ): void;
  /** The peer needs a key frame of one of our endpoints' layers. */
  onKeyFrameRequest(
    peer: BridgeId,
    conferenceId: ConferenceId,
    endpointId: EndpointId,
    sourceId: SourceId,
    layer: number,
  ): void;
  /** All that the peer wants in this conference, now: replaces what it wanted before. */
  onWanted(peer: BridgeId, conferenceId: ConferenceId, wants: readonly Want[]): void;
  /** All that the peer holds back of what we want in this conference, now: replaces what it held back before. */
  onWithheld(peer: BridgeId, conferenceId: ConferenceId, withheld: readonly Withheld[]): void;
  /** Frames of that bridge are lost for good: media of some source may have a hole. At most every 50 ms. */
  onFramesLost(peer: BridgeId): void;
  onLinkState(peer: BridgeId, state: LinkStateName): void;
}

import type { DisconnectReason, SignalResponse } from '@livekit/protocol';
import type { BridgeId, ConferenceId, EndpointId } from '../../protocol/ids.ts';
import type { ConferenceDocument } from './conference-spec.ts';
import type { MoveCause } from './endpoint-mover.ts';
import type { EndpointDocument } from './endpoint-spec.ts';
import type { Notice } from './notice.ts';

/** The part of a SignalResponse that says which one it is: `{ case, value }`. */
export type SignalMessage = SignalResponse['message'];

/** What a room wants done. In order; drain it after every call. */
export type RoomOutput =
  | { readonly kind: 'signal'; readonly participantSid: string; readonly message: SignalMessage }
  /** After everything before it was sent: the socket closes. */
  | { readonly kind: 'close-signal'; readonly participantSid: string; readonly reason: string }
  /** A new token, to be signed and sent. */
  | { readonly kind: 'refresh-token'; readonly participantSid: string }
  /** Desired state of an endpoint. The bridge's answer comes back as `handleTransport` with this revision or a later one. */
  | {
      readonly kind: 'endpoint';
      readonly bridgeId: BridgeId;
      readonly endpointId: EndpointId;
      readonly revision: number;
      readonly document: EndpointDocument;
    }
  | { readonly kind: 'endpoint-removed'; readonly bridgeId: BridgeId; readonly endpointId: EndpointId }
  /** Desired state of the conference, for each of its bridges. */
  | { readonly kind: 'conference'; readonly document: ConferenceDocument }
  /** The last endpoint on that bridge has gone. */
  | { readonly kind: 'conference-removed'; readonly bridgeId: BridgeId }
  /** For the log, the metrics and the store. */
  | ({ readonly kind: 'joined' | 'active' | 'resumed' } & Who)
  | ({
      readonly kind: 'left';
      readonly reason: DisconnectReason;
      readonly cause: string;
      /** Why it was on its way to another bridge; null: it was not. */
      readonly moveCause: MoveCause | null;
    } & Who)
  /** Its media is up on another bridge, `bridgeId`. */
  | ({
      readonly kind: 'moved';
      readonly from: BridgeId;
      readonly cause: MoveCause;
      readonly tookMs: number;
    } & Who)
  /** For webhooks. */
  | { readonly kind: 'notice'; readonly notice: Notice }
  /** So many tracks more, or less. */
  | { readonly kind: 'tracks'; readonly audio: number; readonly video: number };

export interface Who {
  readonly participantSid: string;
  readonly identity: string;
  readonly endpointId: EndpointId;
  readonly bridgeId: BridgeId;
  readonly region: string;
}

export interface RoomIdentity {
  readonly name: string;
  readonly sid: string;
  readonly conferenceId: ConferenceId;
  readonly createdAtMs: number;
}

/** Everything the focus knows of one participant. Data only: what happens to it is in the files named for what happens. */
import {
  type ClientInfo,
  DisconnectReason,
  ParticipantInfo,
  ParticipantInfo_Kind,
  ParticipantInfo_State,
  type TrackPermission,
} from '@livekit/protocol';
import type { BridgeId, EndpointId } from '../../protocol/ids.ts';
import type { Offer } from '../sdp/offer.ts';
import type { BridgeMove, BroughtChannels } from './bridge-move.ts';
import type { EndpointDocument } from './endpoint-spec.ts';
import { type Permissions, toPermission } from './permissions.ts';
import { Publications } from './publications.ts';
import { ReceivingSide, type ReceivingSideState } from './receiving-side.ts';
import { Subscriptions } from './subscriptions.ts';

/** Attributes that the focus sets on every participant; a client cannot change them. */
export const REGION_ATTRIBUTE = 'causeway.region';
export const BRIDGE_ATTRIBUTE = 'causeway.bridge';
export const RESERVED_ATTRIBUTE_PREFIX = 'causeway.';

export interface ParticipantInit {
  readonly sid: string;
  readonly identity: string;
  readonly endpointId: EndpointId;
  readonly bridgeId: BridgeId;
  /** The client's. */
  readonly region: string;
  /** Its bridge's: another one when its own had no usable bridge. */
  readonly bridgeRegion: string;
  readonly name: string;
  readonly metadata: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** LiveKit's kind in lower case; empty is standard. */
  readonly kind: string;
  readonly permissions: Permissions;
  readonly client: ClientInfo;
  readonly autoSubscribe: boolean;
  /** It speaks LiveKit's older protocol: one PeerConnection to publish on, one to receive on. Default: one for both. */
  readonly hasTwoConnections?: boolean;
}

/** What was decided when it joined: what follows from its token may have changed since. */
export interface KeptDecisions {
  readonly kind: ParticipantInfo_Kind;
  readonly receiving: ReceivingSideState | null;
}

/** Who may subscribe to a participant's tracks; null: everybody. */
export type SubscriberRules = ReadonlyMap<string, TrackPermission> | null;

export type ParticipantState = 'joining' | 'joined' | 'active' | 'disconnected';

export class Participant {
  readonly sid: string;
  readonly identity: string;
  readonly endpointId: EndpointId;
  /** Where its place is: while it moves, the bridge it moves to. */
  bridgeId: BridgeId;
  readonly region: string;
  bridgeRegion: string;
  /** It is on its way to `bridgeId`; null: it is there. */
  move: BridgeMove | null = null;
  readonly client: ClientInfo;
  readonly joinedAtMs: number;
  readonly publications: Publications;
  readonly subscriptions: Subscriptions;
  /** Null: what is sent and what is received are on one connection, `endpointId`. Else that one is for publishing. */
  readonly receiving: ReceivingSide | null;
  readonly #kind: ParticipantInfo_Kind;

  name: string;
  metadata: string;
  attributes: Readonly<Record<string, string>>;
  permissions: Permissions;
  state: ParticipantState = 'joining';
  disconnectReason = DisconnectReason.UNKNOWN_REASON;
  /** Identity to what it may subscribe to. */
  subscriberRules: SubscriberRules = null;
  /** Grows with every change that others are told of. */
  version = 0;

  /** The latest offer, answered or being answered. */
  offer: Offer | null = null;
  iceGeneration = 0;
  /** The ICE generation that was answered last; -1 before the first. */
  answeredGeneration = -1;
  /** Data channels that it has brought along from another bridge; null: none. */
  openChannels: BroughtChannels | null = null;
  /** Track SID to the section that carries it, as of the latest offer. */
  sections: ReadonlyMap<string, string> = new Map();
  /** An offer whose answer waits for the bridge to have taken the document of that revision. */
  answer: { readonly offerId: number; revision: number } | null = null;
  /** Sections that the client was asked to add and has not offered yet; null when it owes no offer. */
  requested: { audio: number; video: number } | null = null;
  /** Of the endpoint's document; 0 before the first. */
  revision = 0;
  /** The newest one that the bridge was sent, of a participant with two of them. */
  document: EndpointDocument | null = null;

  /** Since when its signalling socket is gone; null while it is there. */
  signalLostAtMs: number | null = null;
  /** Who left since then, to be told on a resume: SID to what it would have been sent. */
  readonly missedLeaves = new Map<string, ParticipantInfo>();
  /** Since when its bridge says that its media has ended; null while it has not. */
  mediaGoneAtMs: number | null = null;
  /** What the latest answer carried: track SID to SSRC. */
  delivered: ReadonlyMap<string, number> = new Map();
  nextTokenAtMs: number;

  /** `kept`: it joined elsewhere, at `nowMs`. */
  constructor(init: ParticipantInit, pendingTracksMax: number, nowMs: number, kept?: KeptDecisions) {
    this.sid = init.sid;
    this.identity = init.identity;
    this.endpointId = init.endpointId;
    this.bridgeId = init.bridgeId;
    this.region = init.region;
    this.bridgeRegion = init.bridgeRegion;
    this.client = init.client;
    this.joinedAtMs = nowMs;
    this.name = init.name;
    this.metadata = init.metadata;
    this.attributes = init.attributes;
    this.permissions = init.permissions;
    this.#kind = kept?.kind ?? kindOf(init);
    this.publications = new Publications(pendingTracksMax);
    this.subscriptions = new Subscriptions(init.autoSubscribe);
    this.receiving = kept === undefined ? receivingSide(init) : keptSide(init, kept);
    this.nextTokenAtMs = nowMs;
  }

  get kind(): ParticipantInfo_Kind {
    return this.#kind;
  }

  /** As LiveKit's clients are told of it. A new object each time: messages outlive the state they tell of. */
  info(): ParticipantInfo {
    return new ParticipantInfo({
      sid: this.sid,
      identity: this.identity,
      name: this.name,
      metadata: this.metadata,
      attributes: {
        ...this.attributes,
        [REGION_ATTRIBUTE]: this.region,
        [BRIDGE_ATTRIBUTE]: this.bridgeId,
      },
      state: STATES[this.state],
      tracks: this.publications.published().map(track => track.info.clone()),
      joinedAt: BigInt(Math.floor(this.joinedAtMs / 1000)),
      joinedAtMs: BigInt(Math.floor(this.joinedAtMs)),
      version: this.version,
      permission: toPermission(this.permissions),
      region: this.region,
      isPublisher: this.publications.published().length > 0,
      kind: this.#kind,
      disconnectReason: this.disconnectReason,
      clientProtocol: this.client.clientProtocol,
      capabilities: this.client.capabilities,
    });
  }

  /** SSRCs that the client declared for itself: not to be used towards it. */
  *clientSsrcs(): Generator<number> {
    for (const section of this.offer?.sections ?? []) {
      yield* section.ssrcs;
      yield* section.rtxSsrcs;
    }
  }
}

/** LiveKit's protocol level from which clients can do without their publishing connection. */
const SUBSCRIBER_PRIMARY_PROTOCOL = 3;

/** Who may not subscribe has nothing to receive media on, so its publishing connection is the one that counts. */
function receivingSide({ hasTwoConnections, endpointId, client, permissions }: ParticipantInit): ReceivingSide | null {
  if (hasTwoConnections !== true) return null;
  const isPrimary = client.protocol >= SUBSCRIBER_PRIMARY_PROTOCOL && permissions.canSubscribe;
  // Digits that do not change: the participant's own id will do.
  return new ReceivingSide(endpointId, isPrimary, String(endpointId));
}

function keptSide({ endpointId }: ParticipantInit, { receiving }: KeptDecisions): ReceivingSide | null {
  return receiving === null ? null : ReceivingSide.fromState(endpointId, receiving);
}

const STATES: Readonly<Record<ParticipantState, ParticipantInfo_State>> = {
  joining: ParticipantInfo_State.JOINING,
  joined: ParticipantInfo_State.JOINED,
  active: ParticipantInfo_State.ACTIVE,
  disconnected: ParticipantInfo_State.DISCONNECTED,
};

const KINDS: ReadonlyMap<string, ParticipantInfo_Kind> = new Map([
  ['agent', ParticipantInfo_Kind.AGENT],
  ['egress', ParticipantInfo_Kind.EGRESS],
  ['ingress', ParticipantInfo_Kind.INGRESS],
  ['sip', ParticipantInfo_Kind.SIP],
]);

/** Older tokens say what a participant is by its grants. */
function kindOf({ kind, permissions }: ParticipantInit): ParticipantInfo_Kind {
  const named = KINDS.get(kind);
  if (named !== undefined) return named;
  if (permissions.agent) return ParticipantInfo_Kind.AGENT;
  return permissions.recorder ? ParticipantInfo_Kind.EGRESS : ParticipantInfo_Kind.STANDARD;
}

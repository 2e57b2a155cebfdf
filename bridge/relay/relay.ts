import type { BridgePeer } from '../../protocol/control/spec.ts';
import type { BridgeId, ConferenceId, EndpointId, SourceId } from '../../protocol/ids.ts';
import type { FrameCiphers } from '../../protocol/octo/aead.ts';
import type { Want } from '../../protocol/octo/wants.ts';
import type { Withheld } from '../../protocol/octo/withheld.ts';
import type { DatagramPort, Peer } from '../io/datagram-port.ts';
import { DEFAULT_FEC_SETTINGS, type FecSettings } from './fec-policy.ts';
import type { FecClassState } from './fec-sender.ts';
import type { LinkWire } from './frame-output.ts';
import type { StartHandshake } from './handshake.ts';
import { Link } from './link.ts';
import type { LinkCounters } from './link-counters.ts';
import type { MediaClass } from './media-class.ts';
import type { Obstacle } from './message-lanes.ts';
import type { LinkStateName, RelaySink } from './relay-sink.ts';

/** Bridges that one bridge may have links to. More are refused, and logged: each costs about a megabyte. */
export const LINKS_MAX = 256;

export interface RelayOptions {
  readonly self: BridgePeer;
  /** The Octo port. Its handler passes datagrams to {@link Relay.handleDatagram}. */
  readonly port: DatagramPort<Link>;
  /** What shakes hands: `octoHandshakes` of `bridge/io/octo-dtls.ts`, with this bridge's certificate. */
  readonly startHandshake: StartHandshake;
  /** What protects frames: node:crypto, or native code. */
  readonly ciphers: FrameCiphers;
  readonly sink: RelaySink;
  /** When parity is sent, and how much of it at most. */
  readonly fec?: FecSettings;
  /** 0 to 1, excluding 1. */
  readonly random: () => number;
  /** The bridge's one monotonic clock, ms. */
  readonly nowMs: () => number;
  readonly log: { warn(fields: object, message: string): void };
  /** Keys this old are replaced. Default: an hour, what the specification says; tests have less time. */
  readonly rekeyAgeMs?: number;
}

/** One link as reports, metrics and people see it. Rates and shares are before recovery; `lossIn` and `lossOut` 0 to 1. */
export interface LinkSnapshot extends Readonly<LinkCounters> {
  readonly bridgeId: BridgeId;
  readonly region: string;
  readonly state: LinkStateName;
  readonly rttMs: number | null;
  readonly clockOffsetMs: number | null;
  readonly lossIn: number;
  readonly lossOut: number;
  /** Frames to the peer lost in a row, mean of ten seconds. */
  readonly burstLengthOut: number;
  /** Forward error correction to the peer, by class of media. */
  readonly fec: readonly FecClassState[];
  /** After recovery: frames that were given up. */
  readonly residualIn: number;
  readonly reorderMs: number;
  readonly conferences: number;
  readonly layersWanted: number;
  readonly layersSent: number;
  readonly layersWithheld: number;
  /** Reliable messages that have not been sent whole. */
  readonly messagesQueued: number;
  readonly messagesQueuedBytes: number;
  /** Fragments sent and not acknowledged. */
  readonly messagesUnderWay: number;
  readonly messagesUnfinishedBytes: number;
  readonly sendersHeldByPeer: number;
  readonly sendersHeldHere: number;
}

/** Why a link takes nothing from a sender now; `link-down` is any of the others while the link is not up. */
export type LinkObstacle = Obstacle | 'link-down';

interface Entry {
  peer: BridgePeer;
  readonly link: Link;
  readonly wire: PeerWire;
}

/** All links of a bridge. A link exists while at least one conference spans it and its peer. */
export class Relay {
  /** Datagrams from addresses that no conference names. */
  strangers = 0;
  readonly #options: RelayOptions;
  readonly #entries = new Map<BridgeId, Entry>();
  readonly #meshes = new Map<ConferenceId, readonly Link[]>();
  #isClosed = false;

  constructor(options: RelayOptions) {
    this.#options = options;
  }

  /** What the Octo port's handler calls. The bytes are changed in place. */
  handleDatagram(nowMs: number, bytes: Uint8Array, offset: number, length: number, peer: Peer<Link>): void {
    if (peer.owner === undefined) this.strangers++;
    else peer.owner.handleDatagram(nowMs, bytes, offset, length);
  }

  /**
   * The bridges of a conference, this one included or not. Idempotent. Links are made as they are first needed, closed when no conference needs
   * them, and made anew in place when a peer's address or certificate has changed.
   */
  setPeers(conferenceId: ConferenceId, peers: readonly BridgePeer[]): void {
    if (this.#isClosed) return;
    const nowMs = this.#options.nowMs();
    const links: Link[] = [];
    for (const peer of peers) {
      if (peer.bridgeId === this.#options.self.bridgeId) continue;
      const link = this.#linkFor(nowMs, peer);
      if (link === undefined) continue;
      links.push(link);
      link.dialogue.addConference(nowMs, conferenceId);
    }
    const before = this.#meshes.get(conferenceId) ?? [];
    this.#meshes.set(conferenceId, links);
    for (const link of before) if (!links.includes(link)) this.#leave(nowMs, conferenceId, link);
  }

  removeConference(conferenceId: ConferenceId): void {
    const nowMs = this.#options.nowMs();
    const links = this.#meshes.get(conferenceId) ?? [];
    this.#meshes.delete(conferenceId);
    for (const link of links) this.#leave(nowMs, conferenceId, link);
  }

  /** The links of a conference, for the packet path: hold them until the next `setPeers` or `removeConference` of it. */
  linksOf(conferenceId: ConferenceId): readonly Link[] {
    return this.#meshes.get(conferenceId) ?? NONE;
  }

  /** All links. */
  get links(): Iterable<Link> {
    return this.#allLinks();
  }

  /** The link to a bridge, for the packet path: hold it while a conference spans it. */
  linkTo(peer: BridgeId): Link | undefined {
    return this.#entries.get(peer)?.link;
  }

  /**
   * Everything we want from that bridge in this conference: replaces what we wanted before, and is made known until the peer has it. False when
   * the conference does not span that bridge, or for more than ENTRIES_MAX entries.
   */
  setWanted(conferenceId: ConferenceId, peer: BridgeId, wants: readonly Want[]): boolean {
    return this.linkTo(peer)?.dialogue.setWanted(conferenceId, wants) ?? false;
  }

  /** Everything we hold back of what that bridge wants in this conference; as {@link setWanted}. */
  setWithheld(conferenceId: ConferenceId, peer: BridgeId, withheld: readonly Withheld[]): boolean {
    return this.linkTo(peer)?.dialogue.setWithheld(conferenceId, withheld) ?? false;
  }

  /** Hot path: one normalised RTP packet or sender report to one link. Copies it into the port's slot; dropped and counted when the link is not up. */
  sendPacket(
    link: Link,
    conferenceId: ConferenceId,
    endpointId: EndpointId,
    sourceId: SourceId,
    layer: number,
    mediaClass: MediaClass,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void {
    link.sendPacket(
      this.#options.nowMs(),
      conferenceId,
      endpointId,
      sourceId,
      layer,
      mediaClass,
      bytes,
      offset,
      length,
    );
  }

  /** Up to MESSAGE_BYTES_MAX. Reliable: true means that it is delivered once, in order, unless the peer's process ends. Lossy: true means sent. */
  sendMessage(
    peer: BridgeId,
    conferenceId: ConferenceId,
    endpointId: EndpointId,
    isReliable: boolean,
    bytes: Uint8Array,
  ): boolean {
    const link = this.linkTo(peer);
    if (link === undefined || !link.dialogue.shares(conferenceId)) return false;
    return link.sendMessage(this.#options.nowMs(), conferenceId, endpointId, isReliable, bytes);
  }

  /**
   * Why a reliable message of this size had better not be sent to that bridge now; undefined when it may be. None of a peer that is gone or does not share the
   * conference: `sendMessage` says so and counts it.
   */
  messageObstacle(
    peer: BridgeId,
    conferenceId: ConferenceId,
    endpointId: EndpointId,
    bytes: number,
  ): LinkObstacle | undefined {
    const link = this.linkTo(peer);
    const nowMs = this.#options.nowMs();
    if (link === undefined || !link.dialogue.shares(conferenceId) || link.isGone(nowMs)) return undefined;
    const obstacle = link.dialogue.obstacle(nowMs, conferenceId, endpointId, bytes);
    return obstacle !== undefined && link.state !== 'up' ? 'link-down' : obstacle;
  }

  /** Whether a sender that met an obstacle on the way to that bridge may go on. */
  isDrained(peer: BridgeId, conferenceId: ConferenceId, endpointId: EndpointId): boolean {
    const link = this.linkTo(peer);
    if (link === undefined || !link.dialogue.shares(conferenceId)) return true;
    return link.isGone(this.#options.nowMs()) || link.dialogue.isDrained(conferenceId, endpointId);
  }

  /** Makes that bridge keep the messages of one of its senders, or no longer: a receiver here does not keep up. */
  holdSender(peer: BridgeId, conferenceId: ConferenceId, endpointId: EndpointId, isHeld: boolean): void {
    this.linkTo(peer)?.dialogue.hold(this.#options.nowMs(), conferenceId, endpointId, isHeld);
  }

  /** Asks that bridge for a key frame of one layer. Repeats within 50 ms are merged. */
  requestKeyFrame(
    peer: BridgeId,
    conferenceId: ConferenceId,
    endpointId: EndpointId,
    sourceId: SourceId,
    layer: number,
  ): void {
    const link = this.linkTo(peer);
    link?.requestKeyFrame(this.#options.nowMs(), conferenceId, endpointId, sourceId, layer);
  }

  /** Every 10 ms. */
  handleTimeout(nowMs: number): void {
    for (const entry of this.#entries.values()) entry.link.handleTimeout(nowMs);
  }

  snapshot(): readonly LinkSnapshot[] {
    const nowMs = this.#options.nowMs();
    return [...this.#entries.values()].map(({ link }) => ({
      bridgeId: link.peerId,
      region: link.region,
      state: link.state,
      rttMs: link.meter.rttMs,
      clockOffsetMs: link.meter.clockOffsetMs,
      lossIn: link.meter.lossIn,
      lossOut: link.meter.lossOut,
      burstLengthOut: link.meter.burstLengthOut,
      fec: link.fec.states(),
      residualIn: link.meter.residualIn,
      reorderMs: link.reorderMs,
      conferences: link.dialogue.conferenceCount,
      layersWanted: link.layers.wanted,
      layersSent: link.layers.sent,
      layersWithheld: link.layers.withheld,
      messagesQueued: link.dialogue.queued,
      messagesQueuedBytes: link.dialogue.queuedBytes,
      messagesUnderWay: link.dialogue.underWay,
      messagesUnfinishedBytes: link.dialogue.unfinishedBytes,
      sendersHeldByPeer: link.dialogue.heldByPeer(nowMs),
      sendersHeldHere: link.dialogue.heldHere,
      ...link.counters,
    }));
  }

  /** Says good-bye on all links. The port stays open: it is its owner's to close. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const nowMs = this.#options.nowMs();
    this.#meshes.clear();
    for (const entry of [...this.#entries.values()]) this.#end(nowMs, entry);
    this.#options.port.flush();
  }

  *#allLinks(): Iterable<Link> {
    for (const { link } of this.#entries.values()) yield link;
  }

  #linkFor(nowMs: number, peer: BridgePeer): Link | undefined {
    const peerId = peer.bridgeId as BridgeId;
    const entry = this.#entries.get(peerId);
    if (entry !== undefined) {
      this.#refresh(entry, peer);
      return entry.link;
    }
    const { self, port, startHandshake, ciphers, sink, random, nowMs: clock, log, rekeyAgeMs } = this.#options;
    const { fec = DEFAULT_FEC_SETTINGS } = this.#options;
    if (this.#entries.size >= LINKS_MAX) {
      log.warn({ peer: peerId, linksMax: LINKS_MAX }, 'too many links');
      return undefined;
    }
    const wire = new PeerWire(port);
    sink.onLinkState(peerId, 'connecting');
    const link = new Link({
      selfId: self.bridgeId as BridgeId,
      peer,
      wire,
      startHandshake,
      ciphers,
      sink,
      fec,
      random,
      nowMs: clock,
      rekeyAgeMs,
      onFailed: reason => log.warn({ peer: peerId, reason }, 'link handshake failed'),
    });
    wire.peer = port.adopt(peer.octo.address, peer.octo.port, link);
    this.#entries.set(peerId, { peer, link, wire });
    link.handleTimeout(nowMs);
    return link;
  }

  #refresh(entry: Entry, peer: BridgePeer): void {
    const { octo, fingerprint } = entry.peer;
    const isMoved = octo.address !== peer.octo.address || octo.port !== peer.octo.port;
    entry.peer = peer;
    if (isMoved) {
      const { port } = this.#options;
      if (entry.wire.peer !== undefined) port.release(entry.wire.peer);
      entry.wire.peer = port.adopt(peer.octo.address, peer.octo.port, entry.link);
    }
    if (isMoved || fingerprint.value !== peer.fingerprint.value) entry.link.handlePeerChanged(peer.fingerprint.value);
  }

  #leave(nowMs: number, conferenceId: ConferenceId, link: Link): void {
    link.dialogue.removeConference(nowMs, conferenceId);
    // The peer is to stop sending at once.
    link.flush(nowMs);
    const entry = this.#entries.get(link.peerId);
    if (entry !== undefined && link.dialogue.conferenceCount === 0) this.#end(nowMs, entry);
  }

  #end(nowMs: number, entry: Entry): void {
    this.#entries.delete(entry.link.peerId);
    entry.link.close(nowMs);
    if (entry.wire.peer !== undefined) this.#options.port.release(entry.wire.peer);
    this.#options.sink.onLinkState(entry.link.peerId, 'down');
  }
}

const NONE: readonly Link[] = [];

/** The Octo port, seen from one link. */
class PeerWire implements LinkWire {
  peer: Peer<Link> | undefined;
  readonly #port: DatagramPort<Link>;

  constructor(port: DatagramPort<Link>) {
    this.#port = port;
  }

  get outgoing(): Buffer {
    return this.#port.outgoing;
  }

  get sendsRuns(): boolean {
    return this.#port.sendsRuns;
  }

  reserve(): number {
    return this.#port.reserve();
  }

  commit(offset: number, length: number): void {
    if (this.peer === undefined) this.#port.cancel(offset);
    else this.#port.commit(offset, length, this.peer);
  }
}

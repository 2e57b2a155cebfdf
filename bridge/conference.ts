import type { BridgePeer, ConferenceSpec } from '../protocol/control/spec.ts';
import {
  type BridgeId,
  type ConferenceId,
  type EndpointId,
  LAYERS_MAX,
  parseId,
  type SourceId,
} from '../protocol/ids.ts';
import { layerMaskOf, type Want } from '../protocol/octo/wants.ts';
import type { Withheld } from '../protocol/octo/withheld.ts';
import type { Endpoint } from './endpoint.ts';
import { type LinkHooks, LinkSupply } from './link-supply.ts';
import { MediaCounts } from './media-counts.ts';
import type { Link } from './relay/link.ts';
import { type Layer, Source } from './source.ts';
import { ActiveSpeakers } from './speech/active-speakers.ts';
import { DominantSpeaker } from './speech/dominant-speaker.ts';
import { type Subscription, sourceKey } from './subscription.ts';
import type { TaskDeadline, TaskWheel } from './task.ts';

/** A layer begins anew fewer times than this in its life. */
const GENERATIONS_PER_SOURCE = 0x10000;
/** A deadline that has passed: due with the next tick. */
const AT_ONCE = 0;

/** Ask for key frames beside those that {@link Conference.newRequester} numbers: the bridge, for all its subscribers, and for those that a loss has left with half a picture. */
export const BRIDGE_REQUESTER = 0;
const MENDER = -1;

interface RemoteEndpoint {
  readonly bridgeId: BridgeId;
  readonly identity: string;
  /** Where it was before it moved there. */
  before: BridgeId | undefined;
}

/** One conference as this bridge has it: its own endpoints, everybody else's sources that somebody here watches, and who speaks. */
export class Conference {
  readonly id: ConferenceId;
  readonly endpoints = new Map<EndpointId, Endpoint>();
  readonly dominantSpeaker = new DominantSpeaker();
  readonly activeSpeakers = new ActiveSpeakers();
  /** The version in force, 0 before the first document. */
  version = 0;
  bridges: readonly BridgePeer[] = [];
  /** Where everything in this conference keeps its deadlines. */
  readonly wheel: TaskWheel;
  /** When other bridges are next told what this one wants of them; set when that may have changed. */
  readonly wantsDue: TaskDeadline;
  /** When it is next decided who speaks; set while anybody sends audio. */
  readonly speakersDue: TaskDeadline;
  readonly qualityDue: TaskDeadline;
  /** What streams and subscriptions counted that have ended. */
  readonly ended = new MediaCounts();
  /** What other bridges want of this conference here, and are sent. */
  readonly supply: LinkSupply;
  /** When the last audio packet came. */
  heardMs = Number.NEGATIVE_INFINITY;
  readonly #selfId: string;
  readonly #sources = new Map<number, Source>();
  readonly #waiting = new Map<number, Set<Subscription>>();
  /** Endpoints of other bridges: which bridge serves them. */
  readonly #remote = new Map<EndpointId, RemoteEndpoint>();
  /** Who is on the way from this bridge to another one, by identity. */
  readonly #leaving = new Set<string>();
  /** Bridges that others, by identity, are on the way to. */
  readonly #destinations = new Map<string, BridgeId>();
  /** Sources of endpoints that are here although another bridge serves them: they are coming or going. By key; nobody is sent anything of them. */
  readonly #parked = new Map<number, Source>();
  /** What other bridges hold back of their sources, by key of the source: kept so that a source that is watched later starts from it. */
  readonly #withheldBy = new Map<BridgeId, ReadonlyMap<number, Withheld>>();
  readonly #requesters = new WeakMap<Link, number>();
  #nextRequester = 1;
  #nextGeneration = 0;

  constructor(id: ConferenceId, selfId: string, wheel: TaskWheel, hooks: LinkHooks) {
    this.id = id;
    this.wheel = wheel;
    this.wantsDue = wheel.deadline({ kind: 'wants', conference: this });
    this.speakersDue = wheel.deadline({ kind: 'speakers', conference: this });
    this.qualityDue = wheel.deadline({ kind: 'quality', conference: this });
    this.#selfId = selfId;
    this.supply = new LinkSupply(this, hooks);
  }

  get sources(): Iterable<Source> {
    return this.#sources.values();
  }

  /**
   * Takes the mesh document. Sources of endpoints that left end here. Of an endpoint that moves, both its bridges have sources for a while: the ones that count, for
   * everybody, are those of the bridge that the document names.
   */
  apply(spec: ConferenceSpec): void {
    this.version = spec.version;
    this.bridges = spec.bridges.filter(({ bridgeId }) => bridgeId !== this.#selfId);
    for (const id of this.#withheldBy.keys())
      if (!this.bridges.some(({ bridgeId }) => bridgeId === id)) this.#withheldBy.delete(id);
    const named = new Map<EndpointId, RemoteEndpoint>();
    this.#leaving.clear();
    this.#destinations.clear();
    for (const { endpointId, bridgeId, identity, movingTo } of spec.endpoints) {
      if (movingTo !== undefined && bridgeId === this.#selfId) this.#leaving.add(identity);
      if (movingTo !== undefined && movingTo !== this.#selfId) this.#destinations.set(identity, movingTo as BridgeId);
      const id = parseId<EndpointId>(endpointId);
      if (id === undefined || bridgeId === this.#selfId) continue;
      named.set(id, { bridgeId: bridgeId as BridgeId, identity, before: undefined });
    }
    for (const id of this.#remote.keys()) {
      if (named.has(id)) continue;
      this.#remote.delete(id);
      const isHere = this.endpoints.has(id);
      if (!isHere) {
        this.dominantSpeaker.removeEndpoint(id);
        this.activeSpeakers.removeEndpoint(id);
      }
      for (const source of this.#sources.values())
        if (source.endpointId === id && !source.isLocal) this.removeSource(source);
      if (isHere) this.#unpark(id);
    }
    for (const [id, remote] of named) {
      const before = this.#remote.get(id);
      remote.before = before?.bridgeId === remote.bridgeId ? before.before : before?.bridgeId;
      this.#remote.set(id, remote);
      if (before === undefined) {
        this.#park(id);
        this.#adoptWaiting(id);
      } else if (before.bridgeId !== remote.bridgeId) this.#handleMoved(id, remote.bridgeId);
    }
  }

  /** The RFC 6464 level of one audio packet, of this bridge or relayed. */
  handleAudioLevel(nowMs: number, source: Source, level: number, timestamp: number): void {
    this.dominantSpeaker.handleLevel(nowMs, source.endpointId, level);
    this.activeSpeakers.handleLevel(nowMs, source.endpointId, source.sourceId, level, timestamp);
    this.heardMs = nowMs;
    if (!this.speakersDue.isSet) this.speakersDue.moveTo(nowMs);
  }

  /** Forgets an endpoint of this bridge; its sources and subscriptions end with {@link Endpoint.close}. */
  removeEndpoint(endpoint: Endpoint): void {
    this.endpoints.delete(endpoint.id);
    this.dominantSpeaker.removeEndpoint(endpoint.id);
    this.activeSpeakers.removeEndpoint(endpoint.id);
  }

  /** Adds what everything in this conference has counted to `counts`. */
  countMedia(counts: MediaCounts): void {
    counts.add(this.ended);
    for (const { needs } of this.#sources.values()) if (needs !== undefined) counts.addNeeds(needs);
    for (const endpoint of this.endpoints.values()) {
      counts.addFeedback(endpoint.feedback);
      for (const { receiver } of endpoint.streams.all()) counts.addStream(receiver);
      for (const { projection } of endpoint.subscriptions.values()) counts.addProjection(projection.counters);
    }
  }

  /** Gives up all deadlines of the conference itself: it has ended. */
  close(): void {
    this.wantsDue.clear();
    this.speakersDue.clear();
    this.qualityDue.clear();
  }

  /** A number for one who asks for key frames in this conference; none is given twice. */
  newRequester(): number {
    return this.#nextRequester++;
  }

  /** The number under which the bridge behind `link` asks. */
  requesterOf(link: Link): number {
    let requester = this.#requesters.get(link);
    if (requester === undefined) {
      requester = this.newRequester();
      this.#requesters.set(link, requester);
    }
    return requester;
  }

  bridgeOf(id: EndpointId): BridgeId | undefined {
    return this.#remote.get(id)?.bridgeId;
  }

  /** The bridge that served an endpoint of another bridge before it moved: what it has taken from it may still be on the way. */
  bridgeBefore(id: EndpointId): BridgeId | undefined {
    return this.#remote.get(id)?.before;
  }

  /** True for who is on the way to another bridge, which keeps the reliable messages for it. */
  isLeaving(identity: string): boolean {
    return this.#leaving.has(identity);
  }

  /** The other bridges that serve one of `identities`; all of them when `identities` is empty. */
  bridgesFor(identities: readonly string[]): readonly BridgeId[] {
    if (identities.length === 0) return this.bridges.map(({ bridgeId }) => bridgeId as BridgeId);
    const bridges = new Set<BridgeId>();
    for (const { bridgeId, identity } of this.#remote.values())
      if (identities.includes(identity)) bridges.add(bridgeId);
    for (const [identity, bridgeId] of this.#destinations) if (identities.includes(identity)) bridges.add(bridgeId);
    return [...bridges];
  }

  source(endpointId: number, sourceId: number): Source | undefined {
    return this.sourceOf(sourceKey(endpointId, sourceId));
  }

  sourceOf(key: number): Source | undefined {
    return this.#sources.get(key);
  }

  /** A source of this bridge; it counts from now on, or when the document says that its endpoint is here. */
  addSource(source: Source): void {
    const key = sourceKey(source.endpointId, source.sourceId);
    if (this.#remote.has(source.endpointId as EndpointId)) this.#parked.set(key, source);
    else this.#serve(key, source);
  }

  #serve(key: number, source: Source): void {
    this.#take(key, source);
    for (const subscription of this.#waiting.get(key) ?? []) this.#connect(subscription, source);
    this.#waiting.delete(key);
    this.supply.handleSourceChanged(0, source);
    source.handleDemand();
  }

  removeSource(source: Source): void {
    const key = sourceKey(source.endpointId, source.sourceId);
    if (this.#sources.get(key) === source) this.#sources.delete(key);
    if (this.#parked.get(key) === source) this.#parked.delete(key);
    if (source.needs !== undefined) this.ended.addNeeds(source.needs);
    source.close();
    if (!source.isLocal) this.wantsDue.bringForward(AT_ONCE);
    this.#passOn(source);
    this.supply.handleSourceEnded(source);
  }

  /** Connects a subscription to its source, now or as soon as the source is there. */
  attach(subscription: Subscription): void {
    const source = this.#sources.get(subscription.key) ?? this.#remoteSource(subscription);
    if (source === undefined) this.#wait(subscription);
    else this.#connect(subscription, source);
  }

  /** Ends a subscription. */
  detach(subscription: Subscription): void {
    subscription.viewDue.clear();
    this.ended.addProjection(subscription.projection.counters);
    const waiting = this.#waiting.get(subscription.key);
    waiting?.delete(subscription);
    if (waiting?.size === 0) this.#waiting.delete(subscription.key);
    const source = subscription.source;
    if (source === undefined) return;
    subscription.source = undefined;
    for (const layer of source.layers) layer.keyFrames.removeRequester(subscription.requester);
    source.subscriptions.splice(source.subscriptions.indexOf(subscription), 1);
    source.handleDemand();
    if (source.isLocal) return;
    source.linger.handleEnded(source.shownMask);
    this.wantsDue.bringForward(AT_ONCE);
    if (source.subscriptions.length === 0) this.removeSource(source);
  }

  /** What this bridge wants from another one now; complete. What lingers is looked at again when it ends. */
  wants(nowMs: number, bridgeId: BridgeId): Want[] {
    const wants: Want[] = [];
    const isFull = this.#withheldBy.has(bridgeId);
    for (const source of this.#sources.values()) {
      if (source.isLocal || this.bridgeOf(source.endpointId) !== bridgeId) continue;
      const want = { endpointId: source.endpointId, sourceId: source.sourceId, viewers: source.viewers() };
      if (isFull) source.linger.clear();
      else this.wantsDue.bringForward(source.linger.apply(nowMs, want.viewers));
      if (layerMaskOf(want) !== 0) wants.push(want);
    }
    return wants;
  }

  /** Takes what another bridge holds back of what this one wants; complete. */
  applyWithheld(nowMs: number, bridgeId: BridgeId, withheld: readonly Withheld[]): void {
    const held = new Map(withheld.map(each => [sourceKey(each.endpointId, each.sourceId), each]));
    if (held.size === 0) this.#withheldBy.delete(bridgeId);
    else this.#withheldBy.set(bridgeId, held);
    this.wantsDue.bringForward(AT_ONCE);
    for (const [key, source] of this.#sources) {
      if (source.isLocal || this.bridgeOf(source.endpointId) !== bridgeId) continue;
      if (!source.setWithheld(nowMs, held.get(key))) continue;
      source.flowDue.bringForward(AT_ONCE);
      for (const { viewDue } of source.subscriptions) viewDue.bringForward(AT_ONCE);
    }
  }

  /** Key frames of all video from `bridgeId` that is watched here, at once: the link to it is up again. */
  requestKeyFramesOf(nowMs: number, bridgeId: BridgeId): void {
    for (const { keyFrames } of this.#picturesFrom(bridgeId)) {
      keyFrames.forgetUnanswered();
      keyFrames.request(nowMs, BRIDGE_REQUESTER, 'bridge');
    }
  }

  /**
   * Key frames of the video from `bridgeId` that has holes since its last one. As seldom as one subscriber may ask: a path that loses for good all the time is
   * not made better by key frames.
   */
  mendPicturesOf(nowMs: number, bridgeId: BridgeId): void {
    for (const { holes, keyFrames } of this.#picturesFrom(bridgeId)) if (holes > 0) keyFrames.request(nowMs, MENDER);
  }

  *#picturesFrom(bridgeId: BridgeId): Iterable<Layer> {
    for (const source of this.#sources.values()) {
      if (source.isLocal || source.kind !== 'video' || this.bridgeOf(source.endpointId) !== bridgeId) continue;
      const viewers = source.viewers();
      for (const layer of source.layers) if (viewers[layer.index] > 0) yield layer;
    }
  }

  /** Who watches `source` here watches it where else it is, or waits for it. */
  #passOn(source: Source): void {
    for (const subscription of source.subscriptions.splice(0)) {
      subscription.source = undefined;
      for (const { keyFrames } of source.layers) keyFrames.removeRequester(subscription.requester);
      this.attach(subscription);
    }
  }

  /** The endpoint is another bridge's now: its own sources here have had their time, or it is still to come. */
  #park(id: EndpointId): void {
    for (const [key, source] of [...this.#sources]) {
      if (source.endpointId !== id || !source.isLocal) continue;
      this.#sources.delete(key);
      this.#parked.set(key, source);
      this.#passOn(source);
      this.supply.handleSourceEnded(source);
      source.handleDemand();
    }
  }

  /** The endpoint is this bridge's now. */
  #unpark(id: EndpointId): void {
    for (const [key, source] of [...this.#parked]) {
      if (source.endpointId !== id) continue;
      this.#parked.delete(key);
      this.#serve(key, source);
    }
  }

  /** From one other bridge to another: who watches it here goes on with what comes from there. */
  #handleMoved(id: EndpointId, bridgeId: BridgeId): void {
    this.wantsDue.bringForward(AT_ONCE);
    for (const [key, source] of this.#sources) {
      if (source.endpointId !== id || source.isLocal) continue;
      source.setWithheld(AT_ONCE, this.#withheldBy.get(bridgeId)?.get(key));
      source.flowDue.bringForward(AT_ONCE);
      for (const { keyFrames } of source.layers) keyFrames.forgetUnanswered();
    }
  }

  #remoteSource(subscription: Subscription): Source | undefined {
    const origin = parseId<EndpointId>(subscription.spec.origin);
    if (origin === undefined || !this.#remote.has(origin)) return undefined;
    const { sourceId, kind } = subscription.spec;
    const layers = kind === 'video' ? LAYERS_MAX : 1;
    const source = new Source(this, origin, sourceId as SourceId, kind, false, layers);
    const bridgeId = this.bridgeOf(origin);
    if (bridgeId !== undefined) source.setWithheld(0, this.#withheldBy.get(bridgeId)?.get(subscription.key));
    this.#take(subscription.key, source);
    return source;
  }

  #take(key: number, source: Source): void {
    // A source that comes back under its old number must not look like the same stream to projections that knew it before.
    for (const layer of source.layers) layer.history.generation = this.#nextGeneration;
    this.#nextGeneration += GENERATIONS_PER_SOURCE;
    this.#sources.set(key, source);
  }

  #adoptWaiting(id: EndpointId): void {
    for (const subscriptions of [...this.#waiting.values()]) {
      for (const subscription of [...subscriptions]) {
        if (parseId<EndpointId>(subscription.spec.origin) !== id) continue;
        this.#waiting.delete(subscription.key);
        for (const each of subscriptions) this.attach(each);
        break;
      }
    }
  }

  #connect(subscription: Subscription, source: Source): void {
    subscription.source = source;
    source.subscriptions.push(subscription);
    subscription.viewDue.bringForward(AT_ONCE);
    source.handleDemand();
    if (!source.isLocal) this.wantsDue.bringForward(AT_ONCE);
  }

  #wait(subscription: Subscription): void {
    let waiting = this.#waiting.get(subscription.key);
    if (waiting === undefined) {
      waiting = new Set();
      this.#waiting.set(subscription.key, waiting);
    }
    waiting.add(subscription);
  }
}

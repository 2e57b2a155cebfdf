/**
 * One bridge: its conferences, its endpoints, its links. Takes desired state from the control API, frames from the relay and time from whoever drives it;
 * datagrams come through `ingress.ts`. Opens no socket and reads no clock.
 */
import type { BridgeEvent } from '../protocol/control/events.ts';
import type { ConferenceSpec, EndpointSpec, Transport } from '../protocol/control/spec.ts';
import { type BridgeId, type ConferenceId, type EndpointId, formatId } from '../protocol/ids.ts';
import type { Want } from '../protocol/octo/wants.ts';
import type { Withheld } from '../protocol/octo/withheld.ts';
import { Conference } from './conference.ts';
import type { BridgeCounters } from './counters.ts';
import { describeConference } from './describe.ts';
import { describeLinks } from './describe-links.ts';
import { neededLayersEvent } from './dynacast/dynacast.ts';
import type { Egress } from './egress.ts';
import { Endpoint } from './endpoint.ts';
import { BridgeError } from './errors.ts';
import type { EndpointTransport, EndpointTransportSink } from './io/endpoint-transport.ts';
import { LinkBudgets } from './link-budgets.ts';
import type { LinkHooks } from './link-supply.ts';
import { MediaCounts } from './media-counts.ts';
import { Messages } from './messages.ts';
import type { Link } from './relay/link.ts';
import type { Relay } from './relay/relay.ts';
import type { RtcpEgress } from './rtcp-egress.ts';
import { Schedule } from './schedule.ts';
import type { Layer } from './source.ts';
import { streamsEvent } from './streams-event.ts';
import type { Task } from './task.ts';
import { TimerWheel } from './timers/timer-wheel.ts';

export interface BridgeOptions {
  readonly bridgeId: string;
  readonly fingerprint: Transport['dtls']['fingerprint'];
  readonly candidates: Transport['candidates'];
  readonly endpointsMax: number;
  readonly conferencesMax: number;
  readonly relay: Relay;
  readonly egress: Egress;
  readonly rtcp: RtcpEgress;
  readonly counters: BridgeCounters;
  /** Opens the transport of a new endpoint: ICE-lite, DTLS, SRTP and data channels on the media port. */
  readonly openTransport: (owner: Endpoint, sink: EndpointTransportSink) => EndpointTransport<Endpoint>;
  readonly emit: (event: BridgeEvent) => void;
  readonly nowMs: () => number;
  readonly randomUint32: () => number;
}

export class Bridge {
  readonly conferences = new Map<ConferenceId, Conference>();
  readonly messages: Messages;
  readonly #options: BridgeOptions;
  readonly #wheel = new TimerWheel<Task>();
  readonly #schedule: Schedule;
  readonly #budgets: LinkBudgets;
  /** What conferences counted that have ended. */
  readonly #ended = new MediaCounts();
  readonly #linkHooks: LinkHooks = {
    startLink: (...layer) => this.#startLink(...layer),
    handleDemandChanged: link => this.#budgets.handleDemandChanged(link),
  };
  #endpoints = 0;
  #isDraining = false;

  constructor(options: BridgeOptions) {
    this.#options = options;
    this.messages = new Messages(options.relay, options.counters);
    this.#schedule = new Schedule(this.#wheel, options);
    this.#budgets = new LinkBudgets(options.relay, this.conferences);
  }

  get endpointCount(): number {
    return this.#endpoints;
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** Takes the mesh of a conference. Throws BridgeError `stale-version` for an older document and `conference-limit` when full. */
  putConference(id: ConferenceId, spec: ConferenceSpec): void {
    const conference = this.#conference(id);
    if (spec.version < conference.version) throw staleVersion(conference.version, spec.version);
    conference.apply(spec);
    const { relay } = this.#options;
    relay.setPeers(id, conference.bridges);
    conference.supply.retainLinks(relay.linksOf(id));
    this.#schedule.tellWants(this.#options.nowMs(), conference);
  }

  /** Ends a conference with all its endpoints here. Unknown ones are fine. */
  deleteConference(id: ConferenceId): void {
    const conference = this.conferences.get(id);
    if (conference === undefined) return;
    for (const endpoint of conference.endpoints.values()) this.#close(endpoint);
    this.#forget(conference);
    this.#options.relay.removeConference(id);
  }

  /**
   * Makes an endpoint what `spec` says and answers with the bridge's side of its transport. Throws BridgeError `stale-version`, `endpoint-limit`,
   * `conference-limit`, or `draining` for a new endpoint on a bridge that is being emptied.
   */
  putEndpoint(nowMs: number, conferenceId: ConferenceId, id: EndpointId, spec: EndpointSpec): Transport {
    const conference = this.#conference(conferenceId);
    let endpoint = conference.endpoints.get(id);
    const version = endpoint?.spec?.version ?? 0;
    if (spec.version < version) throw staleVersion(version, spec.version);
    endpoint ??= this.#open(nowMs, conference, id);
    endpoint.apply(nowMs, spec);
    this.#schedule.tellWants(nowMs, conference);
    const { ufrag, password, setup } = endpoint.transport.local;
    const { fingerprint, candidates } = this.#options;
    return { version: spec.version, ice: { ufrag, password }, dtls: { setup, fingerprint }, candidates };
  }

  /** Ends an endpoint. Unknown ones are fine. */
  deleteEndpoint(conferenceId: ConferenceId, id: EndpointId): void {
    const endpoint = this.conferences.get(conferenceId)?.endpoints.get(id);
    if (endpoint === undefined) return;
    this.#close(endpoint);
    this.#forgetIfEmpty(endpoint.conference);
  }

  /** A data message from the server itself to endpoints of this bridge. Throws BridgeError `unknown-conference`. */
  sendServerMessage(id: ConferenceId, isReliable: boolean, packet: Uint8Array, destinations: readonly string[]): void {
    const conference = this.conferences.get(id);
    if (conference === undefined) throw unknownConference(id);
    this.messages.deliver(conference, isReliable, packet, destinations);
  }

  /** Refuses new endpoints while true; those that are here stay. */
  setDraining(isDraining: boolean): void {
    this.#isDraining = isDraining;
  }

  /** Call every 10 ms, and again in the next turn of the event loop while it answers true: then more is due than one turn should take. */
  handleTimeout(nowMs: number): boolean {
    this.messages.handleTimeout(nowMs);
    this.#budgets.handleTimeout(nowMs);
    return this.#schedule.handleTimeout(nowMs);
  }

  /** The other bridge's complete wishes in one conference; layers new to it start with a key frame. */
  handleWanted(nowMs: number, peer: BridgeId, id: ConferenceId, wants: readonly Want[]): void {
    const conference = this.conferences.get(id);
    const link = this.#options.relay.linkTo(peer);
    if (conference === undefined || link === undefined) return;
    conference.supply.applyWanted(nowMs, link, wants);
  }

  /** What the other bridge holds back of what this one wants in one conference; complete. */
  handleWithheld(nowMs: number, peer: BridgeId, id: ConferenceId, withheld: readonly Withheld[]): void {
    this.conferences.get(id)?.applyWithheld(nowMs, peer, withheld);
  }

  handleKeyFrameRequest(
    nowMs: number,
    peer: BridgeId,
    id: ConferenceId,
    endpointId: EndpointId,
    sourceId: number,
    layer: number,
  ): void {
    const conference = this.conferences.get(id);
    const source = conference?.source(endpointId, sourceId);
    const link = this.#options.relay.linkTo(peer);
    if (conference === undefined || link === undefined || source === undefined || !source.isLocal) return;
    const asked = source.layers[layer];
    if (asked === undefined || conference.supply.isWithheld(link, source, layer)) return;
    // They cannot have seen the one that is on its way, and it serves them.
    if (asked.links.includes(link) && asked.hasKeyFrameOf(nowMs, link.meter.rttMs ?? 0)) return;
    asked.keyFrames.request(nowMs, conference.requesterOf(link), 'bridge');
  }

  /** Media flows over the link to `peer`, maybe for the first time after an outage. Nobody waits for somebody to ask: both ends begin with key frames. */
  handleLinkUp(nowMs: number, peer: BridgeId): void {
    const link = this.#options.relay.linkTo(peer);
    for (const conference of this.conferences.values()) {
      if (link !== undefined) conference.supply.restart(nowMs, link);
      conference.requestKeyFramesOf(nowMs, peer);
    }
  }

  /** Frames from `peer` are lost for good: pictures that have a hole since their last key frame need another. */
  handleFramesLost(nowMs: number, peer: BridgeId): void {
    for (const conference of this.conferences.values()) conference.mendPicturesOf(nowMs, peer);
  }

  /** What a focus that has just connected must know: one event per endpoint that is here, and what is needed of its sources. */
  endpointEvents(): BridgeEvent[] {
    const events: BridgeEvent[] = [];
    for (const conference of this.conferences.values()) {
      for (const endpoint of conference.endpoints.values()) {
        events.push(endpointEvent(endpoint, endpoint.state, 'snapshot'));
        const streams = streamsEvent(endpoint);
        if (streams !== undefined) events.push(streams);
      }
      for (const source of conference.sources) {
        const event = neededLayersEvent(source);
        if (event !== undefined) events.push(event);
      }
    }
    return events;
  }

  /** Layers that publishers here were told not to send, because nobody watches them. */
  pausedLayerCount(): number {
    let count = 0;
    for (const conference of this.conferences.values())
      for (const { needs } of conference.sources) count += needs?.pausedLayers ?? 0;
    return count;
  }

  sourceCount(): number {
    let count = 0;
    for (const conference of this.conferences.values())
      for (const source of conference.sources) if (source.isLocal) count++;
    return count;
  }

  /** What all streams and subscriptions have counted, those that have ended included. */
  countMedia(): MediaCounts {
    const counts = new MediaCounts();
    counts.add(this.#ended);
    for (const conference of this.conferences.values()) conference.countMedia(counts);
    return counts;
  }

  describe() {
    return [...this.conferences.values()].map(conference => ({
      conferenceId: formatId(conference.id),
      version: conference.version,
      endpoints: conference.endpoints.size,
      bridges: conference.bridges.length + 1,
    }));
  }

  /** Throws BridgeError `unknown-conference`. */
  describeConference(nowMs: number, id: ConferenceId) {
    const conference = this.conferences.get(id);
    if (conference === undefined) throw unknownConference(id);
    return describeConference(nowMs, conference, this.messages);
  }

  /** Each link, and what it carries. */
  describeLinks() {
    return describeLinks(this.#options.nowMs(), this.conferences, this.#options.relay);
  }

  /** Ends every endpoint and link; the caller then closes the ports. */
  async close(): Promise<void> {
    for (const id of [...this.conferences.keys()]) this.deleteConference(id);
    await this.#options.relay.close();
  }

  #conference(id: ConferenceId): Conference {
    let conference = this.conferences.get(id);
    if (conference === undefined) {
      const { conferencesMax, bridgeId } = this.#options;
      if (this.conferences.size >= conferencesMax) {
        throw new BridgeError(
          'conference-limit',
          `this bridge takes at most ${conferencesMax} conferences (limits.conferences)`,
        );
      }
      conference = new Conference(id, bridgeId, this.#wheel, this.#linkHooks);
      this.conferences.set(id, conference);
    }
    return conference;
  }

  #startLink(nowMs: number, conference: Conference, link: Link, layer: Layer): boolean {
    if (this.#options.egress.relayFromHistory(nowMs, conference.id, link, layer)) return true;
    layer.keyFrames.request(nowMs, conference.requesterOf(link), 'bridge');
    return false;
  }

  #open(nowMs: number, conference: Conference, id: EndpointId): Endpoint {
    const { endpointsMax, openTransport, randomUint32 } = this.#options;
    if (this.#isDraining) throw new BridgeError('draining', 'this bridge is being emptied and takes no new endpoints');
    if (this.#endpoints >= endpointsMax) {
      throw new BridgeError('endpoint-limit', `this bridge takes at most ${endpointsMax} endpoints (limits.endpoints)`);
    }
    const endpoint = new Endpoint(
      nowMs,
      conference,
      id,
      owner => openTransport(owner, this.#sink(owner)),
      randomUint32,
    );
    this.#schedule.handleOpened(nowMs, endpoint, randomUint32());
    conference.endpoints.set(id, endpoint);
    this.#endpoints++;
    return endpoint;
  }

  #sink(endpoint: Endpoint): EndpointTransportSink {
    return {
      onConnected: () => {
        this.#change(endpoint, 'connected', '');
        this.#schedule.handleConnected(this.#options.nowMs(), endpoint);
      },
      onFailed: reason => this.#change(endpoint, 'failed', reason),
      onClosed: reason => this.#change(endpoint, 'gone', reason),
      onData: (kind, bytes) => {
        this.messages.handleClientMessage(this.#options.nowMs(), endpoint, kind === 'reliable', bytes);
      },
    };
  }

  #change(endpoint: Endpoint, state: Endpoint['state'], reason: string): void {
    if (endpoint.state === state || endpoint.conference.endpoints.get(endpoint.id) !== endpoint) return;
    endpoint.state = state;
    if (state !== 'connected') this.messages.handleGone(endpoint);
    endpoint.conference.wantsDue.bringForward(this.#options.nowMs());
    for (const { source } of endpoint.subscriptions.values()) source?.handleDemand();
    this.#options.emit(endpointEvent(endpoint, state, reason));
  }

  #close(endpoint: Endpoint): void {
    this.messages.handleGone(endpoint);
    endpoint.conference.removeEndpoint(endpoint);
    this.#endpoints--;
    endpoint.close();
  }

  #forgetIfEmpty(conference: Conference): void {
    // A conference that no document describes was only there for its endpoints.
    if (conference.endpoints.size === 0 && conference.version === 0) this.#forget(conference);
  }

  #forget(conference: Conference): void {
    this.conferences.delete(conference.id);
    conference.supply.retainLinks([]);
    conference.close();
    this.#ended.add(conference.ended);
  }
}

function endpointEvent(endpoint: Endpoint, state: Endpoint['state'], reason: string): BridgeEvent {
  return {
    kind: 'endpoint',
    conferenceId: formatId(endpoint.conference.id),
    endpointId: formatId(endpoint.id),
    state,
    reason,
  };
}

function staleVersion(inForce: number, offered: number): BridgeError {
  return new BridgeError(
    'stale-version',
    `version ${offered} is older than version ${inForce}, which is in force`,
    inForce,
  );
}

function unknownConference(id: ConferenceId): BridgeError {
  return new BridgeError('unknown-conference', `no conference ${formatId(id)} on this bridge`);
}

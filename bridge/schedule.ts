/**
 * What a bridge does because time passes. Called every 10 ms by its driver. Everything has its deadline on one wheel (timers/README.md), set by what makes it
 * necessary: nobody is visited for whom there is nothing to do. What comes round again keeps the phase it was given at random, so a thousand endpoints do not
 * report in one turn.
 */
import type { BridgeEvent, SpeakerLevel } from '../protocol/control/events.ts';
import { formatId } from '../protocol/ids.ts';
import { BRIDGE_REQUESTER, type Conference } from './conference.ts';
import { lookAtNeeds } from './dynacast/dynacast.ts';
import type { Egress } from './egress.ts';
import type { Endpoint } from './endpoint.ts';
import type { Relay } from './relay/relay.ts';
import type { RtcpEgress } from './rtcp-egress.ts';
import type { Layer, Source } from './source.ts';
import type { Stream } from './streams.ts';
import { streamsEvent } from './streams-event.ts';
import type { Subscription } from './subscription.ts';
import type { Task, TaskWheel } from './task.ts';
import { WantsTeller } from './wants-teller.ts';

/** Tasks of one turn of the event loop, about a millisecond of work: what is left lets packets pass first. */
export const TASKS_PER_TURN = 128;

const REPORT_PERIOD_MS = 1_000;
/** Reports that are wanted sooner come this far apart. */
const EARLY_REPORT_MS = 200;
/** How often a subscriber's key frame is asked for again. */
const RETRY_MS = 100;
/** Changes of what is wanted that come within this time are told together. */
const WANTS_SETTLE_MS = 20;
const QUALITY_PERIOD_MS = 2_000;
/** Endpoints measured in one task, and told in one event. */
const QUALITY_ENDPOINTS_MAX = 100;
/** Waits of a transport are 15 s and more. */
const TRANSPORT_PERIOD_MS = 500;
/** Half a tick: in the next one, whatever the driver's jitter. */
const NEXT_TICK_MS = 5;
/** Nobody has anything to say when no audio packet has come for this long: above all that the speakers' memory reaches back. */
const SPEECH_ENDS_MS = 3_000;

export interface ScheduleOptions {
  readonly relay: Relay;
  readonly egress: Egress;
  readonly rtcp: RtcpEgress;
  readonly emit: (event: BridgeEvent) => void;
}

export class Schedule {
  readonly #wheel: TaskWheel;
  readonly #relay: Relay;
  readonly #egress: Egress;
  readonly #rtcp: RtcpEgress;
  readonly #emit: (event: BridgeEvent) => void;
  readonly #wants: WantsTeller;
  /** Where a measurement of quality that takes several turns goes on. */
  readonly #measuring = new WeakMap<Conference, IterableIterator<Endpoint>>();

  constructor(wheel: TaskWheel, options: ScheduleOptions) {
    this.#wheel = wheel;
    this.#relay = options.relay;
    this.#wants = new WantsTeller(options.relay);
    this.#egress = options.egress;
    this.#rtcp = options.rtcp;
    this.#emit = options.emit;
  }

  /** Does what is due, as much as one turn should take. True when more is due. */
  handleTimeout(nowMs: number): boolean {
    let left = TASKS_PER_TURN;
    for (; left > 0; left--) {
      const task = this.#wheel.poll(nowMs);
      if (task === undefined) break;
      this.#perform(nowMs, task);
    }
    this.#relay.handleTimeout(nowMs);
    return left === 0;
  }

  /** Begins what goes on for as long as an endpoint is here. `random` spreads it. */
  handleOpened(nowMs: number, endpoint: Endpoint, random: number): void {
    const { qualityDue } = endpoint.conference;
    endpoint.nextReportMs = nowMs + (random % REPORT_PERIOD_MS);
    endpoint.transportDue.moveTo(nowMs + (random % TRANSPORT_PERIOD_MS));
    if (!qualityDue.isSet) qualityDue.moveTo(nowMs + (random % QUALITY_PERIOD_MS));
  }

  /** An endpoint can be sent media from now on: what it is to see first is asked for at once. */
  handleConnected(nowMs: number, endpoint: Endpoint): void {
    for (const subscription of endpoint.subscriptions.values()) {
      this.#lookAt(nowMs, subscription);
      for (const layer of subscription.source?.layers ?? []) this.#askForKeyFrame(nowMs, layer);
    }
    endpoint.reportsDue.moveTo(endpoint.nextReportMs);
    this.tellWants(nowMs, endpoint.conference);
  }

  /** Tells every other bridge of the conference what this one wants from it, when that has changed. */
  tellWants(nowMs: number, conference: Conference): void {
    this.#wants.tell(nowMs, conference);
  }

  #perform(nowMs: number, task: Task): void {
    switch (task.kind) {
      case 'transport':
        return this.#checkTransport(nowMs, task.endpoint);
      case 'feedback':
        return this.#sendFeedback(nowMs, task.endpoint);
      case 'reports':
        return this.#sendReports(nowMs, task.endpoint);
      case 'streams':
        return this.#tellStreams(task.endpoint);
      case 'repairs':
        return this.#askForRepairs(nowMs, task.endpoint, task.stream);
      case 'view':
        return this.#lookAt(nowMs, task.subscription);
      case 'flow':
        return this.#lookAtFlow(nowMs, task.source);
      case 'needs':
        return this.#lookAtNeeds(nowMs, task.source);
      case 'key-frame':
        return this.#askForKeyFrame(nowMs, task.layer);
      case 'wants':
        return this.tellWants(nowMs, task.conference);
      case 'speakers':
        return this.#tellSpeakers(nowMs, task.conference);
      case 'quality':
        return this.#tellQuality(nowMs, task.conference);
    }
  }

  #checkTransport(nowMs: number, endpoint: Endpoint): void {
    endpoint.transport.handleTimeout(nowMs);
    const isOver = endpoint.state === 'gone' || endpoint.state === 'failed';
    if (!isOver) endpoint.transportDue.moveTo(nowMs + TRANSPORT_PERIOD_MS);
  }

  #sendFeedback(nowMs: number, endpoint: Endpoint): void {
    if (endpoint.state !== 'connected') return;
    const isTold = this.#rtcp.sendTransportFeedback(nowMs, endpoint);
    if (!isTold) endpoint.feedbackDue.bringForward(nowMs + NEXT_TICK_MS);
  }

  #sendReports(nowMs: number, endpoint: Endpoint): void {
    if (endpoint.state !== 'connected') return;
    // Whatever came early or late, the phase stays its own.
    const behindMs = nowMs + REPORT_PERIOD_MS / 2 - endpoint.nextReportMs;
    if (behindMs > 0) endpoint.nextReportMs += Math.ceil(behindMs / REPORT_PERIOD_MS) * REPORT_PERIOD_MS;
    endpoint.lastReportMs = nowMs;
    endpoint.reportsDue.moveTo(endpoint.nextReportMs);
    this.#rtcp.sendReports(nowMs, endpoint);
  }

  #tellStreams(endpoint: Endpoint): void {
    const event = streamsEvent(endpoint);
    if (event !== undefined) this.#emit(event);
  }

  #askForRepairs(nowMs: number, endpoint: Endpoint, { receiver, layer, repairsDue }: Stream): void {
    if (endpoint.state !== 'connected') return;
    this.#rtcp.sendNacks(nowMs, endpoint, receiver);
    if (receiver.pollKeyFrameNeed()) layer.keyFrames.request(nowMs, BRIDGE_REQUESTER, 'bridge');
    if (receiver.isMissingPackets) repairsDue.bringForward(nowMs + NEXT_TICK_MS);
  }

  /** Chooses what a subscriber is to get, and asks for what that needs. */
  #lookAt(nowMs: number, subscription: Subscription): void {
    const { endpoint, projection, source } = subscription;
    if (source === undefined || endpoint.state !== 'connected') return;
    if (source.kind === 'video') this.#chooseLayer(nowMs, subscription, source);
    if (projection.currentLayer >= 0) source.linger.handleShown(projection.currentLayer);
    if (projection.wantedMask !== subscription.wantedMask) {
      subscription.wantedMask = projection.wantedMask;
      if (!source.isLocal) endpoint.conference.wantsDue.bringForward(nowMs + WANTS_SETTLE_MS);
      source.handleDemand();
    }
    if (needsSenderReport(subscription)) hastenReports(nowMs, endpoint);
  }

  #chooseLayer(nowMs: number, subscription: Subscription, source: Source): void {
    const { projection } = subscription;
    projection.chooseLayer(nowMs, source.layers);
    const layer = source.layers[projection.waitingForLayer];
    if (layer === undefined || this.#egress.startFromHistory(nowMs, subscription, layer)) return;
    layer.keyFrames.request(nowMs, subscription.requester, 'bridge');
    subscription.viewDue.bringForward(nowMs + RETRY_MS);
  }

  #lookAtFlow(nowMs: number, source: Source): void {
    if (!source.updateFlow(nowMs) || source.kind === 'audio') return;
    for (const subscription of source.subscriptions) subscription.viewDue.bringForward(nowMs);
    source.handleDemand();
    for (const { keyFrames, keyFramesDue } of source.layers) if (keyFrames.isWaiting) keyFramesDue.bringForward(nowMs);
    if (source.isLocal) source.conference.supply.handleSourceChanged(nowMs, source);
  }

  #lookAtNeeds(nowMs: number, source: Source): void {
    const event = lookAtNeeds(nowMs, source);
    if (event !== undefined) this.#emit(event);
  }

  #askForKeyFrame(nowMs: number, layer: Layer): void {
    const comesByMs = layer.keyFrameComesByMs(nowMs);
    if (comesByMs > nowMs) return layer.keyFramesDue.moveTo(comesByMs);
    // What is held back is begun with a key frame when it is released; who waits for it waits on.
    if (layer.isWithheld || !layer.keyFrames.poll(nowMs)) return;
    const { conference, endpointId, sourceId, isLocal } = layer.source;
    if (isLocal) {
      const endpoint = conference.endpoints.get(endpointId);
      if (layer.ssrc !== 0 && endpoint?.state === 'connected') this.#rtcp.sendPli(endpoint, layer.ssrc);
      return;
    }
    const peer = conference.bridgeOf(endpointId);
    if (peer !== undefined) this.#relay.requestKeyFrame(peer, conference.id, endpointId, sourceId, layer.index);
  }

  #tellSpeakers(nowMs: number, conference: Conference): void {
    const { dominantSpeaker, activeSpeakers, speakersDue } = conference;
    dominantSpeaker.handleTimeout(nowMs);
    const speakers = activeSpeakers.poll(nowMs, dominantSpeaker.dominant);
    if (nowMs - conference.heardMs < SPEECH_ENDS_MS) {
      speakersDue.moveTo(Math.min(dominantSpeaker.dueMs, activeSpeakers.dueMs));
    }
    if (speakers === undefined) return;
    const levels: SpeakerLevel[] = speakers.map(({ endpointId, level, active }) => ({
      endpointId: formatId(endpointId),
      level,
      active,
    }));
    this.#emit({ kind: 'speakers', conferenceId: formatId(conference.id), speakers: levels });
  }

  /** Tells of the next endpoints, and of all of them every two seconds. */
  #tellQuality(nowMs: number, conference: Conference): void {
    if (conference.endpoints.size === 0) return;
    const rest = this.#measuring.get(conference) ?? conference.endpoints.values();
    const measured: Endpoint[] = [];
    let next = rest.next();
    while (next.done !== true) {
      measured.push(next.value);
      if (measured.length === QUALITY_ENDPOINTS_MAX) break;
      next = rest.next();
    }
    if (next.done === true) {
      this.#measuring.delete(conference);
      conference.qualityDue.moveTo(nowMs + QUALITY_PERIOD_MS);
    } else {
      this.#measuring.set(conference, rest);
      conference.qualityDue.moveTo(nowMs + NEXT_TICK_MS);
    }
    if (measured.length > 0) this.#emitQuality(nowMs, conference, measured);
  }

  #emitQuality(nowMs: number, conference: Conference, endpoints: readonly Endpoint[]): void {
    const links = new Map(this.#relay.snapshot().map(link => [link.bridgeId as string, link]));
    this.#emit({
      kind: 'quality',
      conferenceId: formatId(conference.id),
      endpoints: endpoints.map(endpoint => {
        const { smoothedMs } = endpoint.roundTrip;
        const rttMs = smoothedMs < 0 ? null : Math.round(smoothedMs * 10) / 10;
        return { endpointId: formatId(endpoint.id), ...endpoint.quality.measure(nowMs), rttMs };
      }),
      links: conference.bridges.map(({ bridgeId }) => {
        const link = links.get(bridgeId);
        return { bridgeId, rttMs: link?.rttMs ?? null, state: link?.state ?? 'down' };
      }),
    });
  }
}

/** After a start or a switch the subscriber knows how audio and video belong together only from the next report: it comes sooner. */
function needsSenderReport({ projection, source }: Subscription): boolean {
  if (!projection.wantsSenderReport || projection.currentLayer < 0) return false;
  return source?.layers[projection.currentLayer]?.senderReport !== undefined;
}

function hastenReports(nowMs: number, endpoint: Endpoint): void {
  endpoint.reportsDue.bringForward(Math.max(nowMs, endpoint.lastReportMs + EARLY_REPORT_MS));
}

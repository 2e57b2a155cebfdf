/**
 * What a bridge does because time passes. Called every 10 ms by its driver; each task has its own period, and the once-a-second ones are spread over
 * the endpoints so that they never come in one turn.
 */
import type { BridgeEvent, SpeakerLevel } from '../protocol/control/events.ts';
import { type BridgeId, formatId } from '../protocol/ids.ts';
import type { Want } from '../protocol/octo/wants.ts';
import type { Conference } from './conference.ts';
import type { Egress } from './egress.ts';
import type { Endpoint } from './endpoint.ts';
import type { Relay } from './relay/relay.ts';
import type { RtcpEgress } from './rtcp-egress.ts';
import type { Source } from './source.ts';
import type { Stream } from './streams.ts';

const REPORT_PERIOD_MS = 1_000;
/** Layer choice and what is wanted of other bridges. */
const CHOICE_PERIOD_MS = 100;
const QUALITY_PERIOD_MS = 2_000;
/** The bridge itself, when a stream has lost more than retransmission can repair. Conferences number their requesters from 1. */
const BRIDGE_REQUESTER = 0;

export interface ScheduleOptions {
  readonly relay: Relay;
  readonly egress: Egress;
  readonly rtcp: RtcpEgress;
  readonly emit: (event: BridgeEvent) => void;
}

export class Schedule {
  readonly #relay: Relay;
  readonly #egress: Egress;
  readonly #rtcp: RtcpEgress;
  readonly #emit: (event: BridgeEvent) => void;
  /** What each other bridge was last told that we want, by conference. */
  readonly #told = new WeakMap<Conference, Map<BridgeId, readonly Want[]>>();
  #nextChoiceMs = 0;
  #nextQualityMs = 0;

  constructor(options: ScheduleOptions) {
    this.#relay = options.relay;
    this.#egress = options.egress;
    this.#rtcp = options.rtcp;
    this.#emit = options.emit;
  }

  handleTimeout(nowMs: number, conferences: Iterable<Conference>): void {
    const isChoiceDue = nowMs >= this.#nextChoiceMs;
    if (isChoiceDue) this.#nextChoiceMs = nowMs + CHOICE_PERIOD_MS;
    const isQualityDue = nowMs >= this.#nextQualityMs;
    if (isQualityDue) this.#nextQualityMs = nowMs + QUALITY_PERIOD_MS;
    for (const conference of conferences) {
      for (const endpoint of conference.endpoints.values()) this.#tickEndpoint(nowMs, endpoint, isChoiceDue);
      if (isChoiceDue) {
        conference.adaptLinks(nowMs);
        this.tellWants(conference);
      }
      for (const source of conference.sources)
        if (source.kind === 'video') this.#askForKeyFrames(nowMs, conference, source);
      this.#tickSpeakers(nowMs, conference);
      if (isQualityDue) this.#tellQuality(nowMs, conference);
    }
    this.#relay.handleTimeout(nowMs);
  }

  /** An endpoint can be sent media from now on: what it is to see first is asked for at once. */
  handleConnected(nowMs: number, endpoint: Endpoint): void {
    this.#chooseLayers(nowMs, endpoint);
    for (const { source } of endpoint.subscriptions.values()) {
      if (source !== undefined) this.#askForKeyFrames(nowMs, endpoint.conference, source);
    }
    this.tellWants(endpoint.conference);
  }

  /** Tells every other bridge of the conference what this one wants from it, when that has changed. */
  tellWants(conference: Conference): void {
    let told = this.#told.get(conference);
    if (told === undefined) {
      told = new Map();
      this.#told.set(conference, told);
    }
    for (const { bridgeId } of conference.bridges) {
      const peer = bridgeId as BridgeId;
      const wants = conference.wants(peer);
      if (isSame(told.get(peer) ?? [], wants)) continue;
      if (this.#relay.setWanted(conference.id, peer, wants)) told.set(peer, wants);
    }
    for (const peer of told.keys())
      if (!conference.bridges.some(({ bridgeId }) => bridgeId === peer)) told.delete(peer);
  }

  #tickEndpoint(nowMs: number, endpoint: Endpoint, isChoiceDue: boolean): void {
    endpoint.transport.handleTimeout(nowMs);
    if (endpoint.state !== 'connected') return;
    for (const stream of endpoint.streams.all()) this.#tickStream(nowMs, endpoint, stream);
    this.#rtcp.sendTransportFeedback(nowMs, endpoint);
    if (isChoiceDue) {
      this.#chooseLayers(nowMs, endpoint);
      if (needsSenderReport(endpoint)) endpoint.nextReportMs -= REPORT_PERIOD_MS / 2;
    }
    if (nowMs < endpoint.nextReportMs) return;
    endpoint.nextReportMs = Math.max(endpoint.nextReportMs + REPORT_PERIOD_MS, nowMs + REPORT_PERIOD_MS / 2);
    this.#rtcp.sendReports(nowMs, endpoint);
  }

  #chooseLayers(nowMs: number, endpoint: Endpoint): void {
    for (const subscription of endpoint.subscriptions.values()) {
      const { projection, source } = subscription;
      if (source === undefined || source.kind === 'audio') continue;
      projection.chooseLayer(nowMs, source.layers);
      const layer = source.layers[projection.waitingForLayer];
      if (layer === undefined || this.#egress.startFromHistory(nowMs, subscription, layer)) continue;
      layer.keyFrames.request(nowMs, subscription.requester, 'bridge');
    }
  }

  #tickStream(nowMs: number, endpoint: Endpoint, stream: Stream): void {
    if (stream.receiver.nacks === undefined) return;
    this.#rtcp.sendNacks(nowMs, endpoint, stream);
    if (stream.receiver.pollKeyFrameNeed()) stream.layer.keyFrames.request(nowMs, BRIDGE_REQUESTER, 'bridge');
  }

  #askForKeyFrames(nowMs: number, conference: Conference, source: Source): void {
    for (const layer of source.layers) {
      if (!layer.keyFrames.poll(nowMs)) continue;
      if (source.isLocal) {
        const endpoint = conference.endpoints.get(source.endpointId);
        if (layer.ssrc !== 0 && endpoint?.state === 'connected') this.#rtcp.sendPli(endpoint, layer.ssrc);
        continue;
      }
      const peer = conference.bridgeOf(source.endpointId);
      if (peer !== undefined) {
        this.#relay.requestKeyFrame(peer, conference.id, source.endpointId, source.sourceId, layer.index);
      }
    }
  }

  #tickSpeakers(nowMs: number, conference: Conference): void {
    conference.dominantSpeaker.handleTimeout(nowMs);
    const speakers = conference.activeSpeakers.poll(nowMs, conference.dominantSpeaker.dominant);
    if (speakers === undefined) return;
    const levels: SpeakerLevel[] = speakers.map(({ endpointId, level, active }) => ({
      endpointId: formatId(endpointId),
      level,
      active,
    }));
    this.#emit({ kind: 'speakers', conferenceId: formatId(conference.id), speakers: levels });
  }

  #tellQuality(nowMs: number, conference: Conference): void {
    if (conference.endpoints.size === 0) return;
    const links = new Map(this.#relay.snapshot().map(link => [link.bridgeId as string, link]));
    this.#emit({
      kind: 'quality',
      conferenceId: formatId(conference.id),
      endpoints: [...conference.endpoints.values()].map(endpoint => {
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
function needsSenderReport(endpoint: Endpoint): boolean {
  for (const { projection, source } of endpoint.subscriptions.values()) {
    if (!projection.wantsSenderReport || projection.currentLayer < 0) continue;
    if (source?.layers[projection.currentLayer]?.senderReport !== undefined) return true;
  }
  return false;
}

function isSame(a: readonly Want[], b: readonly Want[]): boolean {
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index++) {
    const left = a[index];
    const right = b[index];
    if (left.endpointId !== right.endpointId || left.sourceId !== right.sourceId || left.layerMask !== right.layerMask)
      return false;
  }
  return true;
}

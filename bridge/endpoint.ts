import { isDeepStrictEqual } from 'node:util';
import type { EndpointSpec, ProjectionSpec } from '../protocol/control/spec.ts';
import { readStamp } from '../protocol/datachannel/data-packet.ts';
import { type EndpointId, parseId, type SourceId } from '../protocol/ids.ts';
import { CodecTable } from './codec-table.ts';
import type { Conference } from './conference.ts';
import { EndpointQuality } from './endpoint-quality.ts';
import { Projection } from './forward/projection.ts';
import { subscriberFormat } from './forward/subscriber-format.ts';
import type { EndpointTransport } from './io/endpoint-transport.ts';
import { RoundTrip } from './receive/round-trip.ts';
import { TransportFeedback } from './receive/transport-feedback.ts';
import { Source } from './source.ts';
import { type KnownSource, Streams } from './streams.ts';
import { Subscription, sourceKey } from './subscription.ts';
import type { TaskDeadline } from './task.ts';

/**
 * A participant served by this bridge: what it sends (sources, streams) and what it is sent (subscriptions), over one transport. A participant with two PeerConnections is two
 * endpoints of one sid, one of which sends and one of which receives (decision 0014).
 */
export class Endpoint {
  readonly conference: Conference;
  readonly id: EndpointId;
  readonly transport: EndpointTransport<Endpoint>;
  readonly streams: Streams;
  readonly subscriptions = new Map<number, Subscription>();
  readonly subscriptionBySsrc = new Map<number, Subscription>();
  readonly feedback: TransportFeedback;
  /** One of the client's own SSRCs: libwebrtc takes transport-wide feedback only under one of them. */
  feedbackSsrc = 0;
  roundTrip = new RoundTrip();
  readonly quality: EndpointQuality;
  table: CodecTable = new CodecTable({ codecs: [], extensions: [] });
  spec: EndpointSpec | undefined;
  state: 'new' | 'connected' | 'gone' | 'failed' = 'new';
  /** LiveKit's number of the last reliable message taken from this client: a resumed client sends again what it is not sure of. */
  lastReliableSequence = 0;
  readonly transportDue: TaskDeadline;
  readonly feedbackDue: TaskDeadline;
  readonly reportsDue: TaskDeadline;
  /** When the focus is told which SSRCs its packets have made known. */
  readonly streamsDue: TaskDeadline;
  /** When reports are next due by their period; spread so that a thousand endpoints do not report in one turn. */
  nextReportMs = 0;
  lastReportMs = Number.NEGATIVE_INFINITY;
  readonly #sources = new Map<number, KnownSource>();
  readonly #randomUint32: () => number;
  #format = subscriberFormat([], []);

  constructor(
    nowMs: number,
    conference: Conference,
    id: EndpointId,
    openTransport: (owner: Endpoint) => EndpointTransport<Endpoint>,
    randomUint32: () => number,
  ) {
    this.conference = conference;
    this.id = id;
    this.#randomUint32 = randomUint32;
    this.feedback = new TransportFeedback(randomUint32());
    this.streams = new Streams(this, this.#sources);
    this.transportDue = conference.wheel.deadline({ kind: 'transport', endpoint: this });
    this.feedbackDue = conference.wheel.deadline({ kind: 'feedback', endpoint: this });
    this.reportsDue = conference.wheel.deadline({ kind: 'reports', endpoint: this });
    this.streamsDue = conference.wheel.deadline({ kind: 'streams', endpoint: this });
    this.feedback.alarm = this.feedbackDue;
    this.quality = new EndpointQuality(nowMs, this);
    this.transport = openTransport(this);
  }

  get sources(): Iterable<KnownSource> {
    return this.#sources.values();
  }

  /** Makes this endpoint what `spec` says. Idempotent; what `spec` no longer names ends. */
  apply(nowMs: number, spec: EndpointSpec): void {
    if (this.spec === undefined && spec.dataChannels !== undefined) this.#shareRoundTrip(spec.sid);
    const isReformatted = !isDeepStrictEqual(tableOf(this.spec), tableOf(spec));
    this.spec = spec;
    if (isReformatted) {
      this.table = new CodecTable(spec);
      this.#format = subscriberFormat(spec.codecs, spec.extensions);
    }
    if (spec.openChannels !== undefined) this.transport.resumeChannels(spec.openChannels, receivedBy(spec));
    else if (spec.dataChannels === 'to-client') this.transport.openData();
    this.transport.setRemote(nowMs, spec.ice, spec.dtls, spec.iceGeneration);
    this.#applySources(spec);
    this.#applyProjections(nowMs, spec, isReformatted);
  }

  /** Ends everything this endpoint sends and receives. */
  close(): void {
    for (const { source } of this.#sources.values()) this.conference.removeSource(source);
    this.#sources.clear();
    for (const subscription of this.subscriptions.values()) this.conference.detach(subscription);
    this.subscriptions.clear();
    this.subscriptionBySsrc.clear();
    this.streams.close();
    this.conference.ended.addFeedback(this.feedback);
    this.transport.close();
    this.transportDue.clear();
    this.feedbackDue.clear();
    this.reportsDue.clear();
    this.streamsDue.clear();
  }

  /** Round trips are measured by what is sent to a client. Where that is another endpoint of its own, repairs of what it publishes go by the same figure. */
  #shareRoundTrip(sid: string): void {
    for (const other of this.conference.endpoints.values()) {
      if (other !== this && other.spec?.sid === sid) this.roundTrip = other.roundTrip;
    }
  }

  #applySources(spec: EndpointSpec): void {
    const named = new Map(spec.sources.map(source => [source.sourceId, source]));
    for (const [sourceId, known] of this.#sources) {
      const next = named.get(sourceId);
      const isSame =
        next !== undefined && next.kind === known.spec.kind && layersOf(next.rids) === known.source.layers.length;
      if (isSame) continue;
      this.streams.removeSource(known.source);
      this.conference.removeSource(known.source);
      this.#sources.delete(sourceId);
    }
    for (const source of spec.sources) {
      const known = this.#sources.get(source.sourceId);
      if (known !== undefined) {
        known.spec = source;
        if (!known.source.isForwarded) known.source.setMuted(source.muted);
        continue;
      }
      const layers = layersOf(source.rids);
      const isForwarded = spec.forwards !== undefined;
      const { conference, id } = this;
      const created = new Source(conference, id, source.sourceId as SourceId, source.kind, true, layers, isForwarded);
      // A forwarded one is muted when its original is: what is dropped there has no place here either.
      if (!isForwarded) created.setMuted(source.muted);
      this.#sources.set(source.sourceId, { source: created, spec: source });
      this.conference.addSource(created);
    }
  }

  #applyProjections(nowMs: number, spec: EndpointSpec, isReformatted: boolean): void {
    const named = new Map(spec.projections.map(projection => [keyOf(projection), projection]));
    for (const [key, subscription] of this.subscriptions) {
      const next = named.get(key);
      if (next !== undefined && next.ssrc === subscription.spec.ssrc && next.rtxSsrc === subscription.spec.rtxSsrc)
        continue;
      this.conference.detach(subscription);
      this.subscriptions.delete(key);
      this.subscriptionBySsrc.delete(subscription.spec.ssrc);
    }
    for (const [key, projectionSpec] of named) {
      let subscription = this.subscriptions.get(key);
      if (subscription === undefined) {
        subscription = new Subscription(key, this, this.#project(projectionSpec), projectionSpec);
        this.subscriptions.set(key, subscription);
        this.subscriptionBySsrc.set(projectionSpec.ssrc, subscription);
        this.conference.attach(subscription);
      } else if (isReformatted) subscription.projection.setFormat(this.#format);
      subscription.spec = projectionSpec;
      subscription.projection.configure(projectionSpec);
      if (subscription.source !== undefined) subscription.projection.chooseLayer(nowMs, subscription.source.layers);
      subscription.viewDue.bringForward(nowMs);
      subscription.source?.handleDemand();
    }
  }

  #project(spec: ProjectionSpec): Projection {
    return new Projection({
      kind: spec.kind,
      ssrc: spec.ssrc,
      rtxSsrc: spec.rtxSsrc,
      mid: spec.mid,
      format: this.#format,
      randomUint32: this.#randomUint32,
    });
  }
}

/** True for a message that the client had before it came here. */
function receivedBy({ received = [] }: EndpointSpec): (bytes: Uint8Array) => boolean {
  const last = new Map(received.map(({ sid, sequence }) => [sid, sequence]));
  return bytes => {
    const { sid, sequence } = readStamp(bytes);
    return sequence > 0 && sequence <= (last.get(sid) ?? 0);
  };
}

function tableOf(spec: EndpointSpec | undefined) {
  return { codecs: spec?.codecs, extensions: spec?.extensions };
}

function layersOf(rids: readonly string[]): number {
  return Math.max(1, rids.length);
}

function keyOf(spec: ProjectionSpec): number {
  return sourceKey(parseId<EndpointId>(spec.origin) ?? 0, spec.sourceId);
}

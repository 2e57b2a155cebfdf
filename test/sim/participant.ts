import type { EndpointSpec, ProjectionSpec, SourceSpec } from '../../protocol/control/spec.ts';
import { type ConferenceId, type EndpointId, formatId } from '../../protocol/ids.ts';
import { readNack, writeNack, writePli } from '../../protocol/rtcp/feedback.ts';
import { PSFB_PLI, RTCP_PSFB, RTCP_RTPFB, RTPFB_NACK, RtcpPacket } from '../../protocol/rtcp/packet.ts';
import { RtpPacket } from '../../protocol/rtp/packet.ts';
import { EXT_AUDIO_LEVEL } from '../../protocol/rtp/table.ts';
import type { ClientLeg, LegUser } from './client-leg.ts';
import { AUDIO_LEVEL_ID, newName, OPUS, originalSequence, readName, VP8, VP8_RTX } from './media-packets.ts';
import type { Publication } from './publication.ts';
import type { SimBridge } from './sim-bridge.ts';
import { StreamViewer } from './stream-viewer.ts';

/** How often a client that misses something looks again. */
const LOOK_MS = 50;
const OWN_SSRC = 1;

/** A source as a participant asks to see it. */
export interface Subscription {
  readonly origin: Participant;
  readonly sourceId: number;
  readonly kind: 'audio' | 'video';
  readonly ssrc: number;
  readonly rtxSsrc: number | null;
  enabled: boolean;
  layerMax: number;
  temporalMax: number;
}

/** A projection of the document in force at the bridge, and since when it says what it says. */
export interface AppliedProjection {
  readonly spec: ProjectionSpec;
  readonly sinceMs: number;
}

export interface AppliedSource {
  readonly spec: SourceSpec;
  readonly sinceMs: number;
}

export interface ParticipantHost {
  readonly nowMs: number;
  after(delayMs: number, action: () => void): void;
  fail(text: string): void;
  publication(uid: number): { readonly owner: Participant; readonly sourceId: number } | undefined;
  handleMessage(receiver: Participant, kind: 'reliable' | 'lossy', bytes: Uint8Array): void;
}

const rtp = new RtpPacket();
const rtcp = new RtcpPacket();
const name = newName();
const out = Buffer.alloc(1_500);
const nacks = new Uint16Array(128);

/** Somebody in a conference: what they publish and watch, and the client that does it. */
export class Participant implements LegUser {
  readonly uid: number;
  readonly conferenceId: ConferenceId;
  readonly endpointId: EndpointId;
  readonly bridge: SimBridge;
  readonly publications = new Map<number, Publication>();
  readonly subscriptions = new Map<string, Subscription>();
  version = 0;
  /** The document in force at the bridge; undefined before the first, after a restart, and once it is gone. */
  applied: EndpointSpec | undefined;
  readonly appliedProjections = new Map<number, AppliedProjection>();
  readonly appliedSources = new Map<number, AppliedSource>();
  /** By SSRC: what the bridge has been told to send. */
  readonly viewers = new Map<number, StreamViewer>();
  leg: ClientLeg | undefined;
  connectedMs = Number.POSITIVE_INFINITY;
  hasLeft = false;
  /** Counts its transports: what one of them was sent does not go on in the next. */
  epoch = 0;
  /** Another one has come under its endpoint ID. */
  isSuperseded = false;
  messagesSent = 0;
  nextSourceId = 1;
  nacksSent = 0;
  plisSent = 0;
  readonly #host: ParticipantHost;
  #isLooking = false;
  #nextTimerEpoch = 0;

  constructor(
    host: ParticipantHost,
    uid: number,
    conferenceId: ConferenceId,
    endpointId: EndpointId,
    bridge: SimBridge,
  ) {
    this.#host = host;
    this.uid = uid;
    this.conferenceId = conferenceId;
    this.endpointId = endpointId;
    this.bridge = bridge;
  }

  get identity(): string {
    return `user-${this.endpointId}`;
  }

  get isConnected(): boolean {
    return this.leg?.isConnected === true;
  }

  /** What the focus says of it, complete. */
  describe(): EndpointSpec {
    return {
      version: ++this.version,
      identity: this.identity,
      sid: `PA_${this.uid}`,
      iceGeneration: 0,
      ice: null,
      dtls: null,
      codecs: [
        { codec: 'opus', payloadType: OPUS, rtxPayloadType: null },
        { codec: 'vp8', payloadType: VP8, rtxPayloadType: VP8_RTX },
      ],
      extensions: [{ id: AUDIO_LEVEL_ID, uri: EXT_AUDIO_LEVEL }],
      sources: [...this.publications.values()].map(({ spec }) => ({ ...spec })),
      projections: [...this.subscriptions.values()].map(each => ({
        origin: formatId(each.origin.endpointId),
        sourceId: each.sourceId,
        kind: each.kind,
        mid: '5',
        ssrc: each.ssrc,
        rtxSsrc: each.rtxSsrc,
        enabled: each.enabled,
        layerMax: each.layerMax,
        temporalMax: each.temporalMax,
      })),
      mayPublishData: true,
    };
  }

  /** The bridge has taken this document. */
  handleApplied(spec: EndpointSpec): void {
    const { nowMs } = this.#host;
    this.applied = spec;
    refresh(this.appliedSources, spec.sources, source => source.sourceId, nowMs, isSameSource);
    refresh(this.appliedProjections, spec.projections, projection => projection.ssrc, nowMs, isSameProjection);
    for (const ssrc of this.viewers.keys()) if (!this.appliedProjections.has(ssrc)) this.viewers.delete(ssrc);
    for (const { ssrc, kind } of spec.projections) {
      if (this.viewers.has(ssrc)) continue;
      const fail = (text: string) => this.#host.fail(`${this.show()} gets ${kind} ${text}`);
      this.viewers.set(ssrc, new StreamViewer(kind, ssrc, fail));
    }
  }

  /** A transport has been opened for it; a former one is gone with its process. */
  handleLeg(leg: ClientLeg): void {
    this.leg = leg;
    this.epoch++;
    this.viewers.clear();
    this.connectedMs = Number.POSITIVE_INFINITY;
  }

  /** Its endpoint is gone at the bridge, or the bridge is. */
  handleGone(): void {
    this.leg = undefined;
    this.applied = undefined;
    this.appliedProjections.clear();
    this.appliedSources.clear();
    this.viewers.clear();
    this.connectedMs = Number.POSITIVE_INFINITY;
  }

  handleConnected(): void {
    this.connectedMs = this.#host.nowMs;
    for (const publication of this.publications.values()) {
      publication.forgetRequests();
      this.startEncoding(publication);
    }
  }

  /** Sends what `publication` encodes, for as long as this transport is there and the source is published. */
  startEncoding(publication: Publication): void {
    const { leg } = this;
    if (leg === undefined || !leg.isConnected) return;
    const timer = ++this.#nextTimerEpoch;
    publication.timer = timer;
    const encode = () => {
      const isCurrent = publication.timer === timer && this.leg === leg && leg.isConnected && !leg.isClosed;
      if (!isCurrent || this.publications.get(publication.spec.sourceId) !== publication) return;
      publication.encode(this.#host.nowMs, (bytes, length) => this.bridge.receiveFromClient(leg, bytes, length));
      this.bridge.endBurst();
      this.#host.after(publication.nextFrameMs - this.#host.nowMs, encode);
    };
    const { nowMs } = this.#host;
    while (publication.nextFrameMs < nowMs) publication.nextFrameMs += publication.frameMs;
    this.#host.after(publication.nextFrameMs - nowMs, encode);
  }

  sendMessage(kind: 'reliable' | 'lossy', bytes: Uint8Array): void {
    this.leg?.deliver(kind, bytes);
  }

  handleRtp(bytes: Buffer, offset: number, length: number): void {
    const { nowMs } = this.#host;
    rtp.decode(bytes, offset, length);
    const isRtx = rtp.payloadType === VP8_RTX;
    const ssrc = isRtx ? rtp.ssrc - 1 : rtp.ssrc;
    const viewer = this.viewers.get(ssrc);
    const projection = this.appliedProjections.get(ssrc)?.spec;
    if (viewer === undefined || projection === undefined) {
      return this.#host.fail(`${this.show()} is sent ssrc ${rtp.ssrc}, which no document names`);
    }
    if (!projection.enabled) return this.#host.fail(`${this.show()} is sent ssrc ${ssrc}, which is disabled`);
    if (!this.isConnected) return this.#host.fail(`${this.show()} is sent media before it is connected`);
    const sequence = isRtx ? originalSequence(bytes, rtp.payloadOffset) : rtp.sequence;
    const skipped = isRtx ? 2 : 0;
    if (rtp.payloadLength === skipped) return viewer.handleFiller(nowMs, sequence);
    const isVideo = viewer.kind === 'video';
    if (isVideo === (rtp.payloadType === OPUS)) {
      return this.#host.fail(
        `${this.show()} is sent payload type ${rtp.payloadType} on ${viewer.kind} ssrc ${ssrc} of ${projection.origin}/${projection.sourceId}`,
      );
    }
    const pictureId = readName(bytes, rtp.payloadOffset + skipped, rtp.payloadLength - skipped, isVideo, name);
    const publication = this.#host.publication(name.uid);
    const isAsked =
      publication !== undefined &&
      formatId(publication.owner.endpointId) === projection.origin &&
      publication.sourceId === projection.sourceId &&
      publication.owner.conferenceId === this.conferenceId;
    if (!isAsked)
      return this.#host.fail(`${this.show()} is sent publication ${name.uid} on ssrc ${ssrc}: not asked for`);
    viewer.handlePacket(nowMs, sequence, rtp.timestamp, pictureId, name, isRtx);
    if (viewer.isNeedy) this.#look();
  }

  handleRtcp(bytes: Buffer, offset: number, length: number): void {
    rtcp.begin(bytes, offset, length);
    while (rtcp.next()) {
      if (rtcp.type === RTCP_PSFB && rtcp.count === PSFB_PLI) this.#handleKeyFrameRequest(rtcp.mediaSsrc);
      // Nothing is lost on its way to the bridge, so nothing may be missed there.
      else if (rtcp.type === RTCP_RTPFB && rtcp.count === RTPFB_NACK) {
        const count = readNack(rtcp, nacks);
        this.#host.fail(`${this.show()} is asked again for ${count} packets of ssrc ${rtcp.mediaSsrc}`);
      }
    }
  }

  handleMessage(kind: 'reliable' | 'lossy', bytes: Uint8Array): void {
    if (this.isConnected) this.#host.handleMessage(this, kind, bytes);
  }

  show(): string {
    return `${this.identity}@${this.bridge.id}`;
  }

  #handleKeyFrameRequest(ssrc: number): void {
    for (const publication of this.publications.values()) {
      if (!publication.owns(ssrc)) continue;
      const problem = publication.handleKeyFrameRequest(this.#host.nowMs, ssrc);
      if (problem !== undefined) this.#host.fail(`${this.show()}: ${problem}`);
    }
  }

  /** Asks for what is missing, soon and again while anything is. */
  #look(): void {
    if (this.#isLooking) return;
    this.#isLooking = true;
    this.#host.after(LOOK_MS, () => {
      this.#isLooking = false;
      this.#askForMissing();
    });
  }

  #askForMissing(): void {
    const { nowMs } = this.#host;
    let isNeedy = false;
    for (const viewer of this.viewers.values()) {
      viewer.handleTimeout(nowMs);
      const count = viewer.takeNacks(nowMs, nacks);
      if (count > 0) {
        this.nacksSent++;
        this.#send(writeNack(out, 0, OWN_SSRC, viewer.ssrc, nacks, count));
      }
      if (viewer.takeKeyFrameRequest(nowMs)) {
        this.plisSent++;
        this.#send(writePli(out, 0, OWN_SSRC, viewer.ssrc));
      }
      isNeedy ||= viewer.isNeedy;
    }
    if (isNeedy) this.#look();
  }

  #send(length: number): void {
    const { leg } = this;
    if (leg?.isConnected !== true) return;
    this.bridge.receiveFromClient(leg, out, length);
    this.bridge.endBurst();
  }
}

/** Takes over `specs`, keeping since when each says what it says. */
function refresh<Spec>(
  known: Map<number, { readonly spec: Spec; readonly sinceMs: number }>,
  specs: readonly Spec[],
  keyOf: (spec: Spec) => number,
  nowMs: number,
  isSame: (a: Spec, b: Spec) => boolean,
): void {
  const named = new Set(specs.map(keyOf));
  for (const key of known.keys()) if (!named.has(key)) known.delete(key);
  for (const spec of specs) {
    const before = known.get(keyOf(spec));
    if (before === undefined || !isSame(before.spec, spec)) known.set(keyOf(spec), { spec, sinceMs: nowMs });
  }
}

function isSameSource(a: SourceSpec, b: SourceSpec): boolean {
  return a.muted === b.muted && a.ssrcs.length === b.ssrcs.length && a.ssrcs.every((ssrc, at) => ssrc === b.ssrcs[at]);
}

function isSameProjection(a: ProjectionSpec, b: ProjectionSpec): boolean {
  return a.enabled === b.enabled && a.layerMax === b.layerMax && a.temporalMax === b.temporalMax;
}

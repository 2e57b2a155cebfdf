import { type EndpointId, LAYERS_MAX, type SourceId } from '../protocol/ids.ts';
import type { Withheld } from '../protocol/octo/withheld.ts';
import { Extender16 } from '../protocol/sequence.ts';
import type { Conference } from './conference.ts';
import { LayerNeeds } from './dynacast/layer-needs.ts';
import { endEchoes, NO_ECHOES } from './echo.ts';
import { HISTORY_AGE_MS_MAX, PacketHistory } from './forward/packet-history.ts';
import type { ProjectionLayer } from './forward/projection-options.ts';
import type { SenderReportPoint } from './forward/timeline.ts';
import { Linger } from './linger.ts';
import { KeyFrameRequests } from './receive/key-frame-requests.ts';
import { RateWindow } from './receive/rate-window.ts';
import type { Link } from './relay/link.ts';
import type { Subscription } from './subscription.ts';
import type { TaskDeadline } from './task.ts';

/** A layer that was silent for longer is not flowing while its siblings still are: the sender has turned it off. */
const SILENT_BESIDE_SIBLINGS_MS = 500;
/** Without siblings to compare with, a still screen share is silent for this long at the most. */
const SILENT_ALONE_MS = 2_500;
const SIBLING_IS_LIVE_MS = 250;
/** What flows is looked at this long after a silent layer has been heard, so that layers which begin together are seen together. */
const FLOW_SETTLES_MS = 50;
/** Of a subscriber that has not reported yet. */
const RTT_MS_UNKNOWN = 100;
/** While a layer is neither surely flowing nor surely silent. */
const FLOW_UNSURE_MS = 100;
/** A deadline that has passed: due with the next tick. */
const AT_ONCE = 0;

/** Further behind than any history reaches. */
const OLD_PACKETS = 512;
const OLD_RUN_RESTART = 16;

/** What is released begins with a key frame: nobody asks for one before that can have come. */
const RELEASED_MS = 300;

/** A picture that begins further back would be shown late, and run after the present for a while. */
const YOUNG_KEY_FRAME_MS = 400;
const YOUNG_KEY_FRAME_PACKETS = 100;

/** A source of one endpoint, on this bridge (`isLocal`) or behind a link, with its layers and everybody here who watches it. */
export class Source {
  readonly conference: Conference;
  readonly endpointId: EndpointId;
  readonly sourceId: SourceId;
  readonly kind: 'audio' | 'video';
  readonly isLocal: boolean;
  readonly layers: readonly Layer[];
  readonly subscriptions: Subscription[] = [];
  /** Layers of another bridge's source that go on being wanted for a moment. */
  readonly linger = new Linger();
  /** When it is next seen which layers have media. Not set while none has had for so long that its history is gone. */
  readonly flowDue: TaskDeadline;
  /** Which layers its publisher is to send; undefined for audio, and for what another bridge has to decide on. */
  readonly needs: LayerNeeds | undefined;
  /** When that is next decided. */
  readonly needsDue: TaskDeadline;
  isMuted = false;
  /** It has no client here: another conference's source feeds it (echo.ts). */
  readonly isForwarded: boolean;
  /** What feeds it, while that is there. */
  origin: Source | undefined = undefined;
  /** As whom it asks that one for key frames. */
  originRequester = 0;
  /** What it feeds. */
  echoes = NO_ECHOES;
  /** Normalised payload type of the last packet, 0 before the first. */
  payloadType = 0;

  /** Bit n: layer n had media when that was looked at last. */
  #flowingMask = 0;

  constructor(
    conference: Conference,
    endpointId: EndpointId,
    sourceId: SourceId,
    kind: 'audio' | 'video',
    isLocal: boolean,
    layers: number,
    isForwarded = false,
  ) {
    this.conference = conference;
    this.isForwarded = isForwarded;
    this.flowDue = conference.wheel.deadline({ kind: 'flow', source: this });
    this.needsDue = conference.wheel.deadline({ kind: 'needs', source: this });
    this.needs = isLocal && kind === 'video' && !isForwarded ? new LayerNeeds(layers) : undefined;
    this.endpointId = endpointId;
    this.sourceId = sourceId;
    this.kind = kind;
    this.isLocal = isLocal;
    this.layers = Array.from({ length: layers }, (_, index) => new Layer(this, index, kind));
  }

  /** While muted, what the client sends is dropped. What comes after is taken up anew: nobody is to look for what was dropped. */
  setMuted(isMuted: boolean): void {
    if (this.isMuted && !isMuted) for (const layer of this.layers) layer.history.clear();
    this.isMuted = isMuted;
    for (const echo of this.echoes) echo.setMuted(isMuted);
    this.handleDemand();
  }

  /** Who watches it, or how, may have changed. */
  handleDemand(): void {
    if (this.needs !== undefined) this.needsDue.bringForward(AT_ONCE);
    else this.origin?.handleDemand();
  }

  /** Looks which layers have media, and says when to look again. True when that has changed since the last look. */
  updateFlow(nowMs: number): boolean {
    const rttMs = this.#roundTripMs();
    let mask = 0;
    let nextMs = Number.POSITIVE_INFINITY;
    for (const layer of this.layers) {
      if (layer.isFlowing(nowMs)) mask |= 1 << layer.index;
      nextMs = Math.min(nextMs, layer.nextLookMs(nowMs));
      layer.history.keepFor(rttMs);
    }
    this.flowDue.moveTo(nextMs);
    const isChanged = mask !== this.#flowingMask;
    this.#flowingMask = mask;
    return isChanged;
  }

  /** The longest round trip to a subscriber here. */
  #roundTripMs(): number {
    let longestMs = 0;
    for (const { endpoint } of this.subscriptions) {
      const { smoothedMs } = endpoint.roundTrip;
      longestMs = Math.max(longestMs, smoothedMs < 0 ? RTT_MS_UNKNOWN : smoothedMs);
    }
    return longestMs;
  }

  /** A packet has come on a layer that was silent. */
  handleSound(nowMs: number): void {
    this.flowDue.bringForward(nowMs + FLOW_SETTLES_MS);
  }

  /** Gives up its deadlines: it has ended. */
  close(): void {
    endEchoes(this);
    this.flowDue.clear();
    this.needsDue.clear();
    for (const layer of this.layers) layer.keyFramesDue.clear();
  }

  /**
   * How many subscribers here need each layer. One that is still connecting needs none: the key frame that a new want brings would come too early for it, and the
   * next one later.
   */
  viewers(): number[] {
    const viewers: number[] = new Array(LAYERS_MAX).fill(0);
    for (const { projection, endpoint } of this.subscriptions) {
      if (endpoint.state !== 'connected') continue;
      const mask = projection.wantedMask;
      for (let layer = 0; layer < LAYERS_MAX; layer++) if ((mask & (1 << layer)) !== 0) viewers[layer]++;
    }
    return viewers;
  }

  /** Bit n: layer n is shown to somebody here. */
  get shownMask(): number {
    let mask = 0;
    for (const { projection } of this.subscriptions)
      if (projection.currentLayer >= 0) mask |= 1 << projection.currentLayer;
    return mask;
  }

  /**
   * Takes which layers the source's own bridge holds back; undefined: none. What is held back ceases to flow at once. True when that changed something.
   */
  setWithheld(nowMs: number, withheld: Withheld | undefined): boolean {
    let isChanged = false;
    for (const layer of this.layers) {
      const isWithheld = withheld !== undefined && (withheld.withheldMask & (1 << layer.index)) !== 0;
      if (layer.isWithheld === isWithheld) continue;
      layer.setWithheld(nowMs, isWithheld);
      isChanged = true;
    }
    return isChanged;
  }
}

/** One encoding of a source: the packets lately received, and who is to get them. */
export class Layer implements ProjectionLayer {
  readonly source: Source;
  readonly index: number;
  readonly clockRateHz: number;
  readonly history: PacketHistory;
  readonly keyFrames = new KeyFrameRequests();
  /** When the publisher may have to be asked for a key frame. */
  readonly keyFramesDue: TaskDeadline;
  /** Links that carry this layer; only of local sources. */
  readonly links: Link[] = [];
  /** Links that are to carry it from its next key frame on. */
  readonly waitingLinks: Link[] = [];
  /** The source's own bridge holds it back: the link is full. */
  isWithheld = false;
  /** The origin's last sender report; its NTP time is the origin's clock. Overwritten by the next. */
  senderReport: SenderReportPoint | undefined;
  /** SSRC at the origin, 0 before the first packet. */
  ssrc = 0;
  lastPacketMs = Number.NEGATIVE_INFINITY;
  /** RTP timestamp of the newest key frame, -1 before the first: packets that bear it are its parts. */
  keyFrameTimestamp = -1;
  /** Relayed packets missing since the newest key frame. */
  holes = 0;
  readonly #report = { ntpSeconds: 0, ntpFraction: 0, rtpTimestamp: 0, arrivedMs: 0 };
  readonly #extender = new Extender16();
  #oldRun = 0;
  #keyFrameMs = Number.NEGATIVE_INFINITY;
  #keyFrameSequence = -1;
  #isRepeat = false;
  #keyFrameGeneration = -1;
  readonly #bits = new RateWindow();
  readonly #frames = new RateWindow();

  constructor(source: Source, index: number, kind: 'audio' | 'video') {
    this.source = source;
    this.index = index;
    this.clockRateHz = kind === 'audio' ? 48_000 : 90_000;
    this.history = new PacketHistory(kind);
    this.keyFramesDue = source.conference.wheel.deadline({ kind: 'key-frame', layer: this });
    this.keyFrames.alarm = this.keyFramesDue;
  }

  isFlowing(nowMs: number): boolean {
    if (this.isWithheld) return false;
    const silentMs = nowMs - this.lastPacketMs;
    if (silentMs < SILENT_BESIDE_SIBLINGS_MS) return true;
    if (silentMs > SILENT_ALONE_MS) return false;
    for (const sibling of this.source.layers) {
      if (sibling !== this && nowMs - sibling.lastPacketMs < SIBLING_IS_LIVE_MS) return false;
    }
    return true;
  }

  /** When its silence may next mean something else than now. Gives the history's memory back when nobody may have it any more. */
  nextLookMs(nowMs: number): number {
    const silentMs = nowMs - this.lastPacketMs;
    // The sum may be rounded to now although the difference is not there yet: never now, or the look would be due for ever.
    if (silentMs < SILENT_BESIDE_SIBLINGS_MS) return Math.max(nowMs + 1, this.lastPacketMs + SILENT_BESIDE_SIBLINGS_MS);
    if (silentMs <= SILENT_ALONE_MS) return nowMs + FLOW_UNSURE_MS;
    if (silentMs <= HISTORY_AGE_MS_MAX) return this.lastPacketMs + HISTORY_AGE_MS_MAX + 1;
    this.history.release();
    return Number.POSITIVE_INFINITY;
  }

  /**
   * Extends the 16-bit sequence number of a relayed packet. A new SSRC is a source that began anew; so is a run of numbers far behind, which the
   * origin's bridge has let pass and no late packet makes.
   */
  extend(ssrc: number, sequence16: number): number {
    if (ssrc !== this.ssrc) this.restart(ssrc);
    const { highest } = this.#extender;
    const extended = this.#extender.extend(sequence16);
    const isSinceKeyFrame = extended >= this.#keyFrameSequence && this.#keyFrameGeneration === this.history.generation;
    this.#isRepeat = extended <= highest && isSinceKeyFrame && this.#keyFrameSequence >= 0 && this.holes === 0;
    if (extended > highest) this.holes += highest < 0 ? 0 : extended - highest - 1;
    else if (extended > this.#keyFrameSequence && this.holes > 0) this.holes--;
    this.#oldRun = extended <= this.#extender.highest - OLD_PACKETS ? this.#oldRun + 1 : 0;
    if (this.#oldRun < OLD_RUN_RESTART) return extended;
    this.restart(ssrc);
    return this.#extender.extend(sequence16);
  }

  /**
   * The packet that was numbered last has come before: nothing was missing since the newest key frame. The other bridge begins with a young key frame when somebody
   * asks, also where this one has had that key frame, and has forgotten it since.
   */
  get isRepeat(): boolean {
    return this.#isRepeat;
  }

  /** The last packet was far behind: a run of them makes {@link extend} begin the layer anew. */
  get isInOldRun(): boolean {
    return this.#oldRun > 0;
  }

  /** Another SSRC now feeds this layer: its numbers do not follow the old ones. */
  restart(ssrc: number): void {
    if (this.ssrc !== 0) this.history.clear();
    this.ssrc = ssrc;
    this.senderReport = undefined;
    this.keyFrameTimestamp = -1;
    this.#keyFrameSequence = -1;
    this.#extender.highest = -1;
    this.holes = 0;
    this.#oldRun = 0;
  }

  /** A sender report of the origin has come: subscribers that wait for one are told soon. */
  setSenderReport(nowMs: number, ntpSeconds: number, ntpFraction: number, rtpTimestamp: number): void {
    const report = this.#report;
    report.ntpSeconds = ntpSeconds;
    report.ntpFraction = ntpFraction;
    report.rtpTimestamp = rtpTimestamp;
    report.arrivedMs = nowMs;
    this.senderReport = report;
    for (const { projection, viewDue } of this.source.subscriptions) {
      if (projection.wantsSenderReport) viewDue.bringForward(nowMs);
    }
  }

  bitrateBps(nowMs: number): number {
    return Math.round(this.#bits.perSecond(nowMs));
  }

  framesPerSecond(nowMs: number): number {
    return Math.round(this.#frames.perSecond(nowMs));
  }

  /** Until when asking for a key frame is of no use: the publisher was told to pause this layer, or to begin it again, which it does with one. 0: it is. */
  keyFrameComesByMs(nowMs: number): number {
    const { needs } = this.source;
    return needs === undefined || this.isFlowing(nowMs) ? 0 : needs.keyFrameComesByMs(nowMs, this.index);
  }

  /**
   * Its own bridge holds it back, or does so no more. What was asked for meanwhile is then asked for again, unless the key frame that it begins with answers it.
   */
  setWithheld(nowMs: number, isWithheld: boolean): void {
    this.isWithheld = isWithheld;
    if (!isWithheld && this.keyFrames.isWaiting) this.keyFramesDue.bringForward(nowMs + RELEASED_MS);
  }

  /** True when a key frame began less than `ageMs` ago. */
  hasKeyFrameOf(nowMs: number, ageMs: number): boolean {
    return nowMs - this.#keyFrameMs < ageMs;
  }

  /** The first packet of a key frame has come: whoever waits for one has it. */
  handleKeyFrame(nowMs: number, sequence: number, timestamp: number): void {
    this.keyFrames.handleKeyFrame(nowMs);
    this.source.needs?.handleKeyFrame(nowMs, this.index);
    for (const link of this.waitingLinks) {
      this.links.push(link);
      link.layers.sent++;
    }
    this.waitingLinks.length = 0;
    this.keyFrameTimestamp = timestamp;
    this.holes = 0;
    this.#keyFrameMs = nowMs;
    this.#keyFrameSequence = sequence;
    this.#keyFrameGeneration = this.history.generation;
  }

  /**
   * Sequence number of the newest key frame while it is so young that it serves as the beginning for somebody who comes now; -1 otherwise. A publisher
   * that has just sent one would not make another (libwebrtc: not within 300 ms), and what follows it is still little.
   */
  youngKeyFrame(nowMs: number): number {
    const { history } = this;
    if (nowMs - this.#keyFrameMs > YOUNG_KEY_FRAME_MS || this.#keyFrameGeneration !== history.generation) return -1;
    const isNear = history.highest - this.#keyFrameSequence < YOUNG_KEY_FRAME_PACKETS;
    return isNear && history.offsetOf(this.#keyFrameSequence) >= 0 ? this.#keyFrameSequence : -1;
  }

  /** Counts one packet for rates and liveness. */
  count(nowMs: number, bytes: number, startsFrame: boolean): void {
    if (nowMs - this.lastPacketMs >= SILENT_BESIDE_SIBLINGS_MS) {
      this.source.handleSound(nowMs);
      if (this.keyFrames.isWaiting) this.keyFrames.forgetUnanswered();
    }
    this.lastPacketMs = nowMs;
    this.#bits.add(nowMs, bytes * 8);
    if (startsFrame) this.#frames.add(nowMs, 1);
  }
}

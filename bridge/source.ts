import type { EndpointId, SourceId } from '../protocol/ids.ts';
import { Extender16 } from '../protocol/sequence.ts';
import { PacketHistory } from './forward/packet-history.ts';
import type { ProjectionLayer } from './forward/projection-options.ts';
import type { SenderReportPoint } from './forward/timeline.ts';
import { KeyFrameRequests } from './receive/key-frame-requests.ts';
import { RateWindow } from './receive/rate-window.ts';
import type { Link } from './relay/link.ts';
import type { Subscription } from './subscription.ts';

/** A layer that was silent for longer is not flowing while its siblings still are: the sender has turned it off. */
const SILENT_BESIDE_SIBLINGS_MS = 500;
/** Without siblings to compare with, a still screen share is silent for this long at the most. */
const SILENT_ALONE_MS = 2_500;
const SIBLING_IS_LIVE_MS = 250;

/** Further behind than any history reaches. */
const OLD_PACKETS = 512;
const OLD_RUN_RESTART = 16;

/** A picture that begins further back would be shown late, and run after the present for a while. */
const YOUNG_KEY_FRAME_MS = 400;
const YOUNG_KEY_FRAME_PACKETS = 100;

/** A source of one endpoint, on this bridge (`isLocal`) or behind a link, with its layers and everybody here who watches it. */
export class Source {
  readonly endpointId: EndpointId;
  readonly sourceId: SourceId;
  readonly kind: 'audio' | 'video';
  readonly isLocal: boolean;
  readonly layers: readonly Layer[];
  readonly subscriptions: Subscription[] = [];
  isMuted = false;
  /** Normalised payload type of the last packet, 0 before the first. */
  payloadType = 0;

  constructor(endpointId: EndpointId, sourceId: SourceId, kind: 'audio' | 'video', isLocal: boolean, layers: number) {
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
  }

  /**
   * Layers that subscribers here need, as a bit mask (bit 0: layer 0). One that is still connecting needs none: the key frame that a new want brings
   * would come too early for it, and the next one later.
   */
  wantedMask(): number {
    let mask = 0;
    for (const { projection, endpoint } of this.subscriptions) {
      if (endpoint.state === 'connected') mask |= projection.wantedMask;
    }
    return mask;
  }
}

/** One encoding of a source: the packets lately received, and who is to get them. */
export class Layer implements ProjectionLayer {
  readonly source: Source;
  readonly index: number;
  readonly clockRateHz: number;
  readonly history: PacketHistory;
  readonly keyFrames = new KeyFrameRequests();
  /** Links whose bridge wants this layer; only of local sources. */
  readonly links: Link[] = [];
  /** The origin's last sender report; its NTP time is the origin's clock. */
  senderReport: SenderReportPoint | undefined;
  /** SSRC at the origin, 0 before the first packet. */
  ssrc = 0;
  lastPacketMs = Number.NEGATIVE_INFINITY;
  readonly #extender = new Extender16();
  #oldRun = 0;
  #keyFrameMs = Number.NEGATIVE_INFINITY;
  #keyFrameSequence = -1;
  #keyFrameGeneration = -1;
  readonly #bits = new RateWindow();
  readonly #frames = new RateWindow();

  constructor(source: Source, index: number, kind: 'audio' | 'video') {
    this.source = source;
    this.index = index;
    this.clockRateHz = kind === 'audio' ? 48_000 : 90_000;
    this.history = new PacketHistory(kind);
  }

  isFlowing(nowMs: number): boolean {
    const silentMs = nowMs - this.lastPacketMs;
    if (silentMs < SILENT_BESIDE_SIBLINGS_MS) return true;
    if (silentMs > SILENT_ALONE_MS) return false;
    for (const sibling of this.source.layers) {
      if (sibling !== this && nowMs - sibling.lastPacketMs < SIBLING_IS_LIVE_MS) return false;
    }
    return true;
  }

  /**
   * Extends the 16-bit sequence number of a relayed packet. A new SSRC is a source that began anew; so is a run of numbers far behind, which the
   * origin's bridge has let pass and no late packet makes.
   */
  extend(ssrc: number, sequence16: number): number {
    if (ssrc !== this.ssrc) this.restart(ssrc);
    const extended = this.#extender.extend(sequence16);
    this.#oldRun = extended <= this.#extender.highest - OLD_PACKETS ? this.#oldRun + 1 : 0;
    if (this.#oldRun < OLD_RUN_RESTART) return extended;
    this.restart(ssrc);
    return this.#extender.extend(sequence16);
  }

  /** Another SSRC now feeds this layer: its numbers do not follow the old ones. */
  restart(ssrc: number): void {
    if (this.ssrc !== 0) this.history.clear();
    this.ssrc = ssrc;
    this.senderReport = undefined;
    this.#extender.highest = -1;
    this.#oldRun = 0;
  }

  bitrateBps(nowMs: number): number {
    return Math.round(this.#bits.perSecond(nowMs));
  }

  framesPerSecond(nowMs: number): number {
    return Math.round(this.#frames.perSecond(nowMs));
  }

  /** The first packet of a key frame has come: whoever waits for one has it. */
  handleKeyFrame(nowMs: number, sequence: number): void {
    this.keyFrames.handleKeyFrame(nowMs);
    this.#keyFrameMs = nowMs;
    this.#keyFrameSequence = sequence;
    this.#keyFrameGeneration = this.history.generation;
  }

  /**
   * Sequence number of the newest key frame while it is so young that it serves as the beginning for somebody who comes now; -1 otherwise. A publisher
   * that has just sent one would not make another (libwebrtc: not within 300 ms), and what follows it is still little.
   */
  youngKeyFrame(nowMs: number): number {
    if (nowMs - this.#keyFrameMs > YOUNG_KEY_FRAME_MS || this.#keyFrameGeneration !== this.history.generation)
      return -1;
    return this.history.highest - this.#keyFrameSequence < YOUNG_KEY_FRAME_PACKETS ? this.#keyFrameSequence : -1;
  }

  /** Counts one packet for rates and liveness. */
  count(nowMs: number, bytes: number, startsFrame: boolean): void {
    this.lastPacketMs = nowMs;
    this.#bits.add(nowMs, bytes * 8);
    if (startsFrame) this.#frames.add(nowMs, 1);
  }
}

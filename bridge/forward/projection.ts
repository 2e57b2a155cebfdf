import type { ReportBlock } from '../../protocol/rtcp/report.ts';
import { RtpPacket } from '../../protocol/rtp/packet.ts';
import { PT_VP8 } from '../../protocol/rtp/table.ts';
import { Vp8Descriptor } from '../../protocol/rtp/vp8.ts';
import { EXTENDED_START, extend16 } from '../../protocol/sequence.ts';
import type { MediaPacket } from '../media-packet.ts';
import { type Alarm, NO_ALARM } from '../timers/alarm.ts';
import { NO_LAYER } from './layer-choice.ts';
import { LayerSwitch } from './layer-switch.ts';
import { HISTORY_AGE_MS_MAX } from './packet-history.ts';
import { PacketWriter } from './packet-writer.ts';
import type {
  ProjectionCounters,
  ProjectionLayer,
  ProjectionOptions,
  ProjectionSettings,
} from './projection-options.ts';
import { ResendLimiter } from './resend-limiter.ts';
import { RunReplay } from './run-replay.ts';
import { Segment } from './segment.ts';
import { SenderReports } from './sender-reports.ts';
import type { SubscriberFormat } from './subscriber-format.ts';
import { TemporalFilter } from './temporal-filter.ts';
import { Timeline } from './timeline.ts';

/** A jump ahead by more than this is not repaired on any hop (NACK generators give up at 100): the stream is taken up anew. */
const GAP_PACKETS_MAX = 100;

const CLOCKS = {
  /** A join is one Opus frame of 20 ms behind what was sent before. */
  audio: { clockRateHz: 48_000, stepTicksMin: 960 },
  /** Any distance tells two frames apart. */
  video: { clockRateHz: 90_000, stepTicksMin: 1 },
} as const;

/** After a run has begun, its next packets come first; then its report and what it needs no longer. */
const RUN_SETTLES_MS = 50;

/** Weight of a new round trip in the smoothed one (as TCP's, RFC 6298 section 2). */
const RTT_WEIGHT = 1 / 8;

/** Cursors of this module, refilled for each packet. */
const descriptor = new Vp8Descriptor();
const resent = new RtpPacket();

/**
 * A source as one subscriber sees it: one stream with one SSRC, whatever its layers do. See README.md for how. Packets are written out, never
 * changed. The hot path is `project`, once per packet and subscriber.
 */
export class Projection {
  readonly ssrc: number;
  readonly counters: ProjectionCounters = {
    packetsSent: 0,
    octetsSent: 0,
    retransmitted: 0,
    retransmissionsSuppressed: 0,
    retransmissionsMissed: 0,
    droppedTemporal: 0,
    droppedLate: 0,
    droppedCodec: 0,
    layerSwitches: 0,
  };
  /** What the subscriber reported last; 0 until then. */
  rttMs = 0;
  fractionLost = 0;
  jitterTicks = 0;
  /** A sender report is worth sending now: the timestamps have a new relation to the origin's clock. */
  wantsSenderReport = false;
  /** Rung when the choice of a layer, what is wanted, or a sender report is worth another look. */
  alarm: Alarm = NO_ALARM;

  private readonly isVideo: boolean;
  private readonly layerSwitch: LayerSwitch;
  private readonly ticksPerMs: number;
  private readonly writer: PacketWriter;
  private readonly timeline: Timeline;
  private readonly temporal = new TemporalFilter();
  private readonly resends = new ResendLimiter();
  private readonly reports = new SenderReports();
  private readonly replay = new RunReplay();
  /** The run being forwarded (or that ended last), and the one before it: late packets and NACKs reach back to both. */
  private segment = new Segment();
  private previous = new Segment();
  private readonly sequenceOutFirst: number;
  private hasReport = false;
  /** Earlier packets were written in another format and must not leave again under the same SRTP index with other bytes. */
  private plainResendMin = 0;
  private isCodecMissing = false;

  /** Nothing is sent before `configure` enables it. */
  constructor(options: ProjectionOptions) {
    const { kind } = options;
    const clock = CLOCKS[kind];
    this.ssrc = options.ssrc;
    this.isVideo = kind === 'video';
    this.layerSwitch = new LayerSwitch(this.isVideo);
    this.ticksPerMs = clock.clockRateHz / 1000;
    this.writer = new PacketWriter(options, options.randomUint32() & 0x7fff, this.counters);
    this.timeline = new Timeline(clock.clockRateHz, options.randomUint32(), clock.stepTicksMin);
    // The upper half is left out so that the first wrap is far from the first packets, whose loss would confuse SRTP's (RFC 3711 section 3.3.1).
    this.sequenceOutFirst = EXTENDED_START + (options.randomUint32() & 0x7fff);
    this.segment.vp8.seed(options.randomUint32());
  }

  configure(settings: ProjectionSettings): void {
    if (this.layerSwitch.isEnabled && !settings.enabled) {
      // Enabled again, it may begin in the past: what was sent before must not leave once more under its old number.
      this.segment.forget();
      this.previous.forget();
    }
    this.layerSwitch.configure(settings);
    this.temporal.max = settings.temporalMax;
  }

  /** The client's numbers changed. Packets sent before can be had again by RTX only. */
  setFormat(format: SubscriberFormat): void {
    this.writer.setFormat(format);
    this.plainResendMin = this.segment.sequences.highestOut + 1;
  }

  /** Decides anew which layer is to be forwarded: when the alarm rings, when a layer begins or ceases to flow, and after `configure`. */
  chooseLayer(nowMs: number, layers: readonly ProjectionLayer[]): void {
    this.layerSwitch.choose(nowMs, layers);
  }

  /** Layer that is being forwarded, or NO_LAYER (-1). */
  get currentLayer(): number {
    return this.layerSwitch.current;
  }

  /** Layer that is to be forwarded, or NO_LAYER. */
  get targetLayer(): number {
    return this.layerSwitch.target;
  }

  /** Name of the rule that chose the target. */
  get reason(): string {
    return this.layerSwitch.reason;
  }

  /** Layer whose key frame it waits for, or NO_LAYER: ask for one, and again until this changes. */
  get waitingForLayer(): number {
    return this.isCodecMissing ? NO_LAYER : this.layerSwitch.waitingFor;
  }

  /** Bit n: layer n is needed here. */
  get wantedMask(): number {
    return this.layerSwitch.wantedMask;
  }

  /**
   * Writes the packet as the subscriber gets it at `out[outOffset]`, where a slot of SLOT_BYTES must be free; returns its length, 0 when
   * it is not for them. Now is the packet's arrival: a time of its own among the arguments would be a number on the heap for every call.
   * `packet.rtp` must have passed `describePayload`.
   */
  project(packet: MediaPacket, layers: readonly ProjectionLayer[], out: Uint8Array, outOffset: number): number {
    if (!this.layerSwitch.isEnabled) return 0;
    const payloadType = packet.rtp.payloadType;
    if (this.writer.sentPayloadType(payloadType) < 0) return this.refuseCodec();
    if (this.isCodecMissing) this.acceptCodec(packet.arrivedMs);
    const layer = packet.layer;
    const sequence = packet.sequence;
    const generation = layers[layer].history.generation;
    const segment = this.segment;
    if (layer === this.layerSwitch.current) {
      const ahead = sequence - segment.sequences.highest;
      const isSameStream = generation === segment.generation && (!this.isVideo || payloadType === segment.payloadType);
      if (isSameStream && ahead > 0 && ahead <= GAP_PACKETS_MAX) {
        return this.projectNext(packet, layers, out, outOffset);
      }
      if (!isSameStream || ahead > GAP_PACKETS_MAX) this.end(packet.arrivedMs);
    }
    if (!packet.isRepeat) {
      if (segment.owns(layer, generation, sequence)) return this.projectLate(segment, packet, out, outOffset);
      if (this.previous.owns(layer, generation, sequence))
        return this.projectLate(this.previous, packet, out, outOffset);
    }
    if (this.mayBegin(packet, layers)) return this.begin(packet, layers, false, out, outOffset);
    return 0;
  }

  /**
   * Answers one entry of a NACK: writes the packet again, in RTX (RFC 4588) if the client does it, else as it was. Returns its length; 0 when it is
   * too soon after the last time, or the packet is not here.
   */
  retransmit(
    nowMs: number,
    sequence16: number,
    rttMs: number,
    layers: readonly ProjectionLayer[],
    out: Uint8Array,
    outOffset: number,
  ): number {
    const counters = this.counters;
    if (!this.layerSwitch.isEnabled || this.segment.layer === NO_LAYER) return 0;
    const sequenceOut = extend16(sequence16, this.segment.sequences.highestOut);
    const segment = sequenceOut >= this.segment.sequences.startOut ? this.segment : this.previous;
    const sequence = segment.sequences.valueOf(sequenceOut);
    const history = layers[segment.layer]?.history;
    const isKnown = history !== undefined && segment.owns(segment.layer, history.generation, sequence);
    const offset = isKnown ? history.offsetOf(sequence) : -1;
    if (offset < 0 || nowMs - history.arrivedMsOf(sequence) > HISTORY_AGE_MS_MAX) {
      counters.retransmissionsMissed++;
      return 0;
    }
    if (!this.resends.allows(nowMs, sequenceOut, rttMs)) {
      counters.retransmissionsSuppressed++;
      return 0;
    }
    resent.decode(history.bytes, offset, history.lengthOf(sequence));
    const isRtx = this.writer.canRtx(resent.payloadType);
    const isLost = this.writer.sentPayloadType(resent.payloadType) < 0 || (!isRtx && sequenceOut < this.plainResendMin);
    if (isLost) {
      counters.retransmissionsMissed++;
      return 0;
    }
    counters.retransmitted++;
    return this.writer.writeAgain(segment, resent, sequence, sequenceOut, isRtx, out, outOffset);
  }

  /**
   * Answers a client's key-frame request from the history: how many packets, from 16-bit sequence number {@link runStart} on, are to be retransmitted for it to
   * have the current run from its beginning. 0 when a new key frame is needed; see run-replay.ts.
   */
  takeReplay(nowMs: number): number {
    const { startOut, highestOut } = this.segment.sequences;
    if (this.currentLayer === NO_LAYER || !this.isVideo || !this.writer.canRtx(this.segment.payloadType)) return 0;
    const packets = highestOut - startOut + 1;
    return this.replay.take(nowMs, packets) ? packets : 0;
  }

  /** True while the first packet of the current run can still be had: without it the rest shows nothing. */
  holdsRun(layers: readonly ProjectionLayer[]): boolean {
    const { layer, generation, sequences } = this.segment;
    const history = layers[layer]?.history;
    return history !== undefined && history.generation === generation && history.offsetOf(sequences.start) >= 0;
  }

  /** Outgoing sequence number, 16 bits, of the first packet of the current run. */
  get runStart(): number {
    return this.segment.sequences.startOut % 0x10000;
  }

  /** Writes a sender report about this projection (28 bytes, RTCP, no other part of a compound); returns its length, 0 while nothing is known to report. */
  writeSenderReport(nowMs: number, layers: readonly ProjectionLayer[], out: Uint8Array, outOffset: number): number {
    const segment = this.segment;
    const report = segment.layer === NO_LAYER ? undefined : layers[segment.layer]?.senderReport;
    if (report === undefined || !this.timeline.describes(report)) return 0;
    this.wantsSenderReport = false;
    const timestamp = report.rtpTimestamp + Math.round((nowMs - report.arrivedMs) * this.ticksPerMs);
    const timestampOut = segment.timestampOf(segment.sequences.highest, timestamp);
    const { packetsSent, octetsSent } = this.counters;
    return this.reports.write(nowMs, report, timestampOut, this.ssrc, packetsSent, octetsSent, out, outOffset);
  }

  /** Takes the block about this projection's SSRC from one of the subscriber's reports. Returns the round trip it measures, ms; -1 when it measures none. */
  handleReceiverReport(nowMs: number, block: ReportBlock): number {
    this.fractionLost = block.fractionLost / 256;
    this.jitterTicks = block.jitter;
    if (!this.hasReport) this.writer.midUntil = this.segment.sequences.highestOut;
    this.hasReport = true;
    const sampleMs = this.reports.roundTripMs(nowMs, block.lastSr, block.delaySinceLastSr);
    if (sampleMs >= 0) {
      this.rttMs = this.rttMs === 0 ? sampleMs : this.rttMs + (sampleMs - this.rttMs) * RTT_WEIGHT;
    }
    return sampleMs;
  }

  /** The next packet of the layer being forwarded, or one a small gap ahead. */
  private projectNext(
    packet: MediaPacket,
    layers: readonly ProjectionLayer[],
    out: Uint8Array,
    outOffset: number,
  ): number {
    const { rtp, sequence } = packet;
    const segment = this.segment;
    if (rtp.payloadLength === 0) {
      segment.sequences.remove(sequence);
      return 0;
    }
    let picture = -1;
    if (rtp.payloadType === PT_VP8) {
      descriptor.decode(rtp.bytes, rtp.payloadOffset, rtp.payloadLength);
      if (packet.startsKeyFrame && !segment.vp8.isNext(descriptor, GAP_PACKETS_MAX)) {
        return this.begin(packet, layers, true, out, outOffset);
      }
      if (!this.temporal.accepts(packet)) {
        segment.sequences.remove(sequence);
        segment.vp8.remove(descriptor);
        this.counters.droppedTemporal++;
        return 0;
      }
      segment.vp8.keep(descriptor);
      picture = segment.vp8.pictureOf(descriptor);
    }
    const timestampOut = this.nextTimestamp(packet, sequence, rtp.timestamp);
    const sequenceOut = segment.sequences.keep(sequence);
    return this.writer.write(segment, rtp, sequenceOut, timestampOut, descriptor, picture, false, out, outOffset);
  }

  private nextTimestamp(packet: MediaPacket, sequence: number, timestamp: number): number {
    const { timeline, segment } = this;
    if (timeline.isNewest(timestamp)) {
      timeline.hear(packet.arrivedMs);
      return segment.timestampOf(sequence, timestamp);
    }
    const nowMs = packet.arrivedMs;
    if (!timeline.isContinued(timestamp, nowMs, sequence > segment.sequences.highest + 1)) {
      segment.shiftTimestamps(sequence, timeline.join(timestamp, nowMs, false, undefined, undefined));
      this.wantsSenderReport = true;
      this.alarm.bringForward(nowMs + RUN_SETTLES_MS);
    }
    const timestampOut = segment.timestampOf(sequence, timestamp);
    timeline.advance(timestamp, timestampOut, nowMs);
    return timestampOut;
  }

  /** A packet that comes after newer ones: its place has been kept, unless it was decided against. */
  private projectLate(segment: Segment, packet: MediaPacket, out: Uint8Array, outOffset: number): number {
    const sequenceOut = segment.sequences.outOf(packet.sequence);
    if (sequenceOut < 0) {
      this.counters.droppedLate++;
      return 0;
    }
    return this.writer.writeAgain(segment, packet.rtp, packet.sequence, sequenceOut, false, out, outOffset);
  }

  /** True when a run may begin at this packet: it can be decoded by itself, and what followed it can still be had by NACK. */
  private mayBegin(packet: MediaPacket, layers: readonly ProjectionLayer[]): boolean {
    if (!packet.startsKeyFrame) return false;
    if (!this.layerSwitch.mayBeginOn(packet.layer, layers[packet.layer].isFlowing(packet.arrivedMs))) return false;
    return layers[packet.layer].history.highest - packet.sequence < GAP_PACKETS_MAX;
  }

  /** Begins a run with this packet. `follows`: it is the next of the same stream, and what is missing before it keeps its place. */
  private begin(
    packet: MediaPacket,
    layers: readonly ProjectionLayer[],
    follows: boolean,
    out: Uint8Array,
    outOffset: number,
  ): number {
    const { rtp, layer, sequence } = packet;
    const nowMs = packet.arrivedMs;
    const ended = this.segment;
    const generation = layers[layer].history.generation;
    if (follows) ended.sequences.keep(sequence - 1);
    const sequenceOut = ended.layer === NO_LAYER ? this.sequenceOutFirst : ended.sequences.highestOut + 1;
    const isSameClock = ended.layer === layer && ended.generation === generation;
    const from = layers[ended.layer]?.senderReport;
    const offset = this.timeline.join(rtp.timestamp, nowMs, isSameClock, from, layers[layer].senderReport);
    const segment = this.previous;
    this.segment = segment;
    this.previous = ended;
    segment.begin(layer, generation, rtp.payloadType, sequence, sequenceOut, offset);
    let picture = -1;
    if (rtp.payloadType === PT_VP8) {
      descriptor.decode(rtp.bytes, rtp.payloadOffset, rtp.payloadLength);
      segment.vp8.follow(ended.vp8, descriptor);
      picture = segment.vp8.pictureOf(descriptor);
    }
    this.temporal.restart();
    this.replay.begin(nowMs);
    if (ended.layer !== NO_LAYER && ended.layer !== layer) this.counters.layerSwitches++;
    this.layerSwitch.handleBegun(layer);
    this.wantsSenderReport = true;
    this.alarm.bringForward(nowMs + RUN_SETTLES_MS);
    const timestampOut = segment.timestampOf(sequence, rtp.timestamp);
    this.timeline.advance(rtp.timestamp, timestampOut, nowMs);
    return this.writer.write(segment, rtp, sequenceOut, timestampOut, descriptor, picture, false, out, outOffset);
  }

  /** The run cannot go on: the next packet is not of its stream, or too far ahead. */
  private end(nowMs: number): void {
    this.layerSwitch.current = NO_LAYER;
    this.alarm.bringForward(nowMs);
  }

  private acceptCodec(nowMs: number): void {
    this.isCodecMissing = false;
    this.alarm.bringForward(nowMs);
  }

  private refuseCodec(): number {
    this.isCodecMissing = true;
    this.counters.droppedCodec++;
    return 0;
  }
}

/** One sender report of a layer: the instant `ntpSeconds.ntpFraction` of the origin's clock is `rtpTimestamp` in that layer. */
export interface SenderReportPoint {
  readonly ntpSeconds: number;
  /** In units of 2^-32 s. */
  readonly ntpFraction: number;
  readonly rtpTimestamp: number;
  /** When it came to this bridge. */
  readonly arrivedMs: number;
}

/** Two clocks that disagree by more are not the same clock: a report that is stale, a sender that began anew. Above any delay between layers. */
const DISAGREEMENT_MS_MAX = 1_000;

/** Frames of an outage that come at once, or never, are no further apart. */
const OUTAGE_MS_MAX = 10_000;

/** Without media for so long, the next timestamp is compared with the time gone by. Above the 400 ms of Opus in DTX. */
const PAUSE_MS_MIN = 1_000;

const FRACTIONS_PER_MS = 0x100000000 / 1000;

/**
 * The one clock that a subscriber sees, whichever layer feeds it: decides what is added to a layer's timestamps. A layer joins at the place its
 * sender reports give it, or where the time gone by puts it. It never goes back: what would lie at or before the newest timestamp is moved just
 * behind it, and the next join takes the difference back.
 */
export class Timeline {
  /**
   * Of the newest frame: its own timestamp, what it became, when its first packet came. Timestamps are signed here: V8 keeps those 32 bits in the object itself,
   * and would put an unsigned one into a box of its own, a cache miss per packet and subscriber.
   */
  private lastTimestamp = 0;
  private lastArrivedMs = 0;
  private lastOut: number;
  /** When any packet came last. */
  private lastHeardMs = 0;
  private hasStarted = false;
  /** How far the newest join was moved from its right place, in ticks; never negative. */
  private aheadTicks = 0;
  private readonly ticksPerMs: number;
  private readonly stepTicksMin: number;
  private readonly disagreementTicks: number;

  /** `initialTimestamp` is random (RFC 3550 section 5.1). `stepTicksMin` is the least distance between the last timestamp before a join and the first after it. */
  constructor(clockRateHz: number, initialTimestamp: number, stepTicksMin: number) {
    this.ticksPerMs = clockRateHz / 1000;
    this.lastOut = initialTimestamp | 0;
    this.stepTicksMin = stepTicksMin;
    this.disagreementTicks = DISAGREEMENT_MS_MAX * this.ticksPerMs;
  }

  /** Notes the first packet of a frame. One older than the newest only proves that the stream is alive. */
  advance(timestamp: number, out: number, arrivedMs: number): void {
    this.lastHeardMs = arrivedMs;
    if (((out - this.lastOut) | 0) < 0) return;
    this.lastTimestamp = timestamp | 0;
    this.lastOut = out | 0;
    this.lastArrivedMs = arrivedMs;
  }

  /** True for a packet of the newest frame. */
  isNewest(timestamp: number): boolean {
    return (timestamp | 0) === this.lastTimestamp;
  }

  /** Notes another packet of the newest frame: a large frame may take long to come, and is no pause. */
  hear(arrivedMs: number): void {
    this.lastHeardMs = arrivedMs;
  }

  /**
   * False when a packet of the layer now feeding the timeline must join anew: its clock jumped, or stood still through a pause. `isBehindGap`: packets
   * before it are missing. Then a clock that is ahead of the time gone by is what an outage leaves, and those that are missing may still come: they
   * have their places on this clock.
   */
  isContinued(timestamp: number, arrivedMs: number, isBehindGap: boolean): boolean {
    const step = (timestamp - this.lastTimestamp) | 0;
    const elapsedMs = arrivedMs - this.lastHeardMs;
    if (step >= -this.disagreementTicks && step <= this.disagreementTicks && elapsedMs <= PAUSE_MS_MIN) return true;
    if (this.agrees(step, elapsedMs)) return true;
    const aheadMs = step / this.ticksPerMs - elapsedMs;
    return isBehindGap && aheadMs > 0 && aheadMs <= OUTAGE_MS_MAX;
  }

  /**
   * What to add (modulo 2^32) to the timestamps of a layer whose first packet is this one. `isSameClock`: it is the layer that fed the timeline
   * last, and has not begun anew. `from` and `to`: newest sender reports of the layer before and of this one.
   */
  join(
    timestamp: number,
    arrivedMs: number,
    isSameClock: boolean,
    from: SenderReportPoint | undefined,
    to: SenderReportPoint | undefined,
  ): number {
    if (!this.hasStarted) {
      this.hasStarted = true;
      return (this.lastOut - timestamp) >>> 0;
    }
    const elapsedMs = arrivedMs - this.lastArrivedMs;
    let step = Math.round(elapsedMs * this.ticksPerMs) | 0;
    const own = (timestamp - this.lastTimestamp) | 0;
    if (isSameClock && this.agrees(own, elapsedMs)) {
      step = own;
    } else if (from !== undefined && to !== undefined) {
      const reported = this.reportedStep(timestamp, from, to);
      if (this.agrees(reported, elapsedMs)) step = reported;
    }
    const place = this.lastOut - this.aheadTicks + step;
    const earliest = this.lastOut + this.stepTicksMin;
    const late = (earliest - place) | 0;
    this.aheadTicks = Math.max(late, 0);
    return (place + this.aheadTicks - timestamp) >>> 0;
  }

  /** True when a sender report describes the clock of the packets now feeding the timeline. */
  describes(report: SenderReportPoint): boolean {
    const step = (this.lastTimestamp - report.rtpTimestamp) | 0;
    return this.agrees(step, this.lastArrivedMs - report.arrivedMs);
  }

  /** From the newest packet to one of another layer, in ticks, by the instants the two layers' reports give them. */
  private reportedStep(timestamp: number, from: SenderReportPoint, to: SenderReportPoint): number {
    const seconds = to.ntpSeconds - from.ntpSeconds;
    const apartMs = seconds * 1000 + (to.ntpFraction - from.ntpFraction) / FRACTIONS_PER_MS;
    const sinceTo = (timestamp - to.rtpTimestamp) | 0;
    const sinceFrom = (this.lastTimestamp - from.rtpTimestamp) | 0;
    return (Math.round(apartMs * this.ticksPerMs) + sinceTo - sinceFrom) | 0;
  }

  private agrees(stepTicks: number, elapsedMs: number): boolean {
    const error = (stepTicks - Math.round(elapsedMs * this.ticksPerMs)) | 0;
    return error >= -this.disagreementTicks && error <= this.disagreementTicks;
  }
}

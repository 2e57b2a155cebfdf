import type { Report } from '../../protocol/octo/report.ts';

/** Reports remembered: more than a second at the usual pace. */
const REMEMBERED = 32;
/** Time constant of the smoothed queueing delay: a key frame's burst passes, a queue that grows does not. */
const QUEUE_SMOOTHING_MS = 150;
/** Half of the noise's memory is about two seconds old. */
const NOISE_GAIN = 1 / 40;
/** More than this is no noise of a path but its queue. */
const NOISE_MS_MAX = 15;
/** A queue below this is none: the bottleneck may have been idle. */
const BUSY_MS = 8;
const BUSY_SPAN_MS_MIN = 95;
const BUSY_SPAN_MS_MAX = 1_000;
const DELIVERED_SPAN_MS = 400;
/** A longer silence between two reports says nothing about the time between. */
const SILENCE_MS_MAX = 1_500;

/**
 * The sending end's picture of the path, from the peer's reports: what is delivered, how long the queue is, how much is lost. Times are of
 * this bridge's clock, but for the distances between reports, which are of the peer's: how long a report was under way says nothing.
 */
export class PathMonitor {
  /** Smallest one-way delay of the last report's interval above the base, less what turned out to be another path. */
  queueMs = 0;
  /** The same, smoothed. */
  smoothedQueueMs = 0;
  /** ms of delay per second. */
  trendMsPerSecond = 0;
  jitterMs = 0;
  /** Usual deviation of the queueing delay from its mean while nothing is wrong: what a threshold must stand above. */
  noiseMs = 0;
  /** When the newest frame that the last report knows of was sent. */
  newestSentMs = Number.NEGATIVE_INFINITY;
  /** Time the last report is about; 0 for the first, and after a silence. */
  intervalMs = 0;
  /** Of the last report's interval: frames sent, as far as the peer knows, and those of them that came at the first try. */
  framesSent = 0;
  framesArrived = 0;
  /** Reports taken since keys changed. */
  reports = 0;
  #shiftMs = 0;
  #last: Report | undefined;
  #lastSendTime = 0;
  #next = 0;
  #count = 0;
  #clockMs = 0;
  #bytes = 0;
  readonly #clocksMs = new Float64Array(REMEMBERED);
  readonly #allBytes = new Float64Array(REMEMBERED);
  readonly #queuesMs = new Float64Array(REMEMBERED);

  /** `sendTime`: of the report's header. False: older than another one, or about counts that cannot be; it changes nothing. */
  handleReport(nowMs: number, sendTime: number, report: Report): boolean {
    const last = this.#last;
    const elapsedMs = last === undefined ? 0 : ((sendTime - this.#lastSendTime) | 0) / 1000;
    if (last !== undefined && (elapsedMs <= 0 || isBehind(report, last))) return false;
    this.#last = report;
    this.#lastSendTime = sendTime;
    this.reports++;
    const isContinuous = last !== undefined && elapsedMs <= SILENCE_MS_MAX;
    if (!isContinuous) this.#forget();
    this.intervalMs = isContinuous ? elapsedMs : 0;
    this.framesSent = isContinuous ? (report.highest - last.highest) >>> 0 : 0;
    this.framesArrived = isContinuous ? (report.frames - last.frames) >>> 0 : 0;
    this.newestSentMs = nowMs - ((Math.floor(nowMs * 1000) - report.newestSendTime) >>> 0) / 1000;
    this.jitterMs = report.jitterMicros / 1000;
    this.trendMsPerSecond = report.trendMicrosPerSecond / 1000;
    this.#takeQueue(report.queueMicros / 1000);
    if (isContinuous) {
      this.#clockMs += elapsedMs;
      this.#bytes += (report.bytes - last.bytes) >>> 0;
    }
    this.#remember();
    return true;
  }

  /** Bits per second that came through, over the last 400 ms. */
  get deliveredBps(): number {
    return this.#rateBps(DELIVERED_SPAN_MS, DELIVERED_SPAN_MS, false);
  }

  /** Bits per second that came through while there was a queue, at least over the last 100 ms: this end's share of the bottleneck. */
  get busyBps(): number {
    return this.#rateBps(BUSY_SPAN_MS_MIN, BUSY_SPAN_MS_MAX, true);
  }

  /** The smallest queueing delay of all reports of so long. */
  smallestQueueMs(spanMs: number): number {
    let smallest = this.queueMs;
    for (let back = 1; back < this.#count; back++) {
      const at = (this.#next - 1 - back + REMEMBERED) % REMEMBERED;
      if (this.#clockMs - this.#clocksMs[at] > spanMs) break;
      smallest = Math.min(smallest, this.#queuesMs[at]);
    }
    return smallest;
  }

  /** The delay of now is that of a path without a queue: routes change. */
  takeQueueForPath(): void {
    this.#shiftMs += this.smoothedQueueMs;
    this.#queuesMs.fill(0);
    this.queueMs = 0;
    this.smoothedQueueMs = 0;
  }

  /** New keys: the peer's counts start again, the path is the same. */
  handleNewSession(): void {
    this.#last = undefined;
    this.reports = 0;
    this.framesSent = 0;
    this.framesArrived = 0;
    this.intervalMs = 0;
  }

  #takeQueue(reportedMs: number): void {
    // The peer's own base comes up to the new path half a minute later, or at once when the route is back: then there is no shift any more.
    this.#shiftMs = Math.min(this.#shiftMs, reportedMs);
    this.queueMs = reportedMs - this.#shiftMs;
    const gain = this.intervalMs === 0 ? 0.25 : this.intervalMs / (this.intervalMs + QUEUE_SMOOTHING_MS);
    const deviationMs = Math.abs(this.queueMs - this.smoothedQueueMs);
    this.smoothedQueueMs += (this.queueMs - this.smoothedQueueMs) * gain;
    this.noiseMs += (Math.min(NOISE_MS_MAX, deviationMs) - this.noiseMs) * NOISE_GAIN;
  }

  #remember(): void {
    const at = this.#next;
    this.#clocksMs[at] = this.#clockMs;
    this.#allBytes[at] = this.#bytes;
    this.#queuesMs[at] = this.queueMs;
    this.#next = (at + 1) % REMEMBERED;
    this.#count = Math.min(REMEMBERED, this.#count + 1);
  }

  #forget(): void {
    this.#count = 0;
    this.smoothedQueueMs = 0;
  }

  #rateBps(spanMsMin: number, spanMsMax: number, isBusyOnly: boolean): number {
    let spanMs = 0;
    let bytes = 0;
    for (let back = 1; back < this.#count; back++) {
      const at = (this.#next - 1 - back + REMEMBERED) % REMEMBERED;
      const after = (at + 1) % REMEMBERED;
      if (spanMs >= spanMsMin && (spanMs >= spanMsMax || (isBusyOnly && this.#queuesMs[after] < BUSY_MS))) break;
      spanMs = this.#clockMs - this.#clocksMs[at];
      bytes = this.#bytes - this.#allBytes[at];
    }
    return spanMs === 0 ? 0 : (bytes * 8000) / spanMs;
  }
}

function isBehind(report: Report, last: Report): boolean {
  return (
    ((report.highest - last.highest) | 0) < 0 ||
    ((report.frames - last.frames) | 0) < 0 ||
    ((report.bytes - last.bytes) | 0) < 0
  );
}

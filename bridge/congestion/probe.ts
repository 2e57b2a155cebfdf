import type { PathMonitor } from './path-monitor.ts';

/** At twice the rate of the path this makes a queue of 75 ms, and it spans three reports. */
const LIMIT_PROBE_MS = 150;
/** Long enough to fill one of the intervals that the relation of loss and rate is made of. */
const LOSS_PROBE_MS = 500;
/** A queue that grows by more than this while the probe is under way is the probe's. */
const RISE_MS_MAX = 12;
/** A rise that ends the probe before its time. */
const RISE_MS_ABORT = 30;
/** Share of the probe's frames that may be missing beyond the usual. */
const LOSS_MAX = 0.1;
/** With more, the queue was full. */
const LOSS_OF_QUEUE_MAX = 0.03;
/** No report for so long behind a probe: it has failed. */
const SILENT_MS_MAX = 1_000;

export type ProbeVerdict = 'passed' | 'failed';
type ProbeKind = 'limit' | 'loss';

/**
 * A cluster of padding: for a moment, media and padding together take a rate that is to be tried. Padding, not a layer: nobody sees it when it does
 * not get through. The verdict is the queue's: it has not grown, so the path takes that rate.
 */
export class Probe {
  rateBps = 0;
  /**
   * What the path carries at least, once a probe has failed by the queue it made: a queue that grows by a quarter of the time it grows in has been given a quarter
   * more than that. 0 when the queue was full, for then it says too much.
   */
  carriedBps = 0;
  #kind: ProbeKind = 'limit';
  #state: 'idle' | 'sending' | 'waiting' = 'idle';
  #startedMs = 0;
  #endsMs = 0;
  #sentBefore = 0;
  #queueBeforeMs = 0;
  #lossBefore = 0;
  #framesSent = 0;
  #framesArrived = 0;

  /** Until its verdict. What reports say meanwhile is about the probe. */
  get isUnderWay(): boolean {
    return this.#state !== 'idle';
  }

  /** `bytesOut`: all that the link has ever sent; `lossShare`: the usual one. */
  start(nowMs: number, kind: ProbeKind, rateBps: number, bytesOut: number, path: PathMonitor, lossShare: number): void {
    this.rateBps = rateBps;
    this.#kind = kind;
    this.#state = 'sending';
    this.#startedMs = nowMs;
    this.#endsMs = nowMs + (kind === 'limit' ? LIMIT_PROBE_MS : LOSS_PROBE_MS);
    this.#sentBefore = bytesOut;
    this.#queueBeforeMs = path.smoothedQueueMs;
    this.#lossBefore = lossShare;
    this.#framesSent = 0;
    this.#framesArrived = 0;
    this.carriedBps = 0;
  }

  /** Every 10 ms: bytes of padding to send now, so that everything together keeps the probe's rate. */
  bytesDue(nowMs: number, bytesOut: number): number {
    if (this.#state !== 'sending') return 0;
    if (nowMs >= this.#endsMs) {
      this.#state = 'waiting';
      return 0;
    }
    const elapsedMs = nowMs - this.#startedMs + 10;
    return Math.max(0, (this.rateBps * elapsedMs) / 8000 - (bytesOut - this.#sentBefore));
  }

  /** Every report; the verdict comes once, when the probe's last frames are in, or it is clear before. */
  handleReport(path: PathMonitor): ProbeVerdict | undefined {
    if (this.#state === 'idle' || path.newestSentMs <= this.#startedMs) return undefined;
    this.#framesSent += path.framesSent;
    this.#framesArrived += path.framesArrived;
    const riseMs = path.queueMs - this.#queueBeforeMs - path.noiseMs;
    const lossShare = this.#framesSent === 0 ? 0 : 1 - this.#framesArrived / this.#framesSent - this.#lossBefore;
    const spanMs = Math.min(path.newestSentMs, this.#endsMs) - this.#startedMs;
    const isQueue = riseMs > 0 && lossShare < LOSS_OF_QUEUE_MAX;
    this.carriedBps = isQueue ? this.rateBps / (1 + riseMs / spanMs) : 0;
    if (riseMs > RISE_MS_ABORT) return this.#end('failed');
    if (path.newestSentMs < this.#endsMs - 10) return undefined;
    if (this.#kind === 'loss') return this.#end('passed');
    return this.#end(riseMs > RISE_MS_MAX || lossShare > LOSS_MAX ? 'failed' : 'passed');
  }

  /** Every 10 ms: a probe of which no report tells has failed. */
  handleTimeout(nowMs: number, rttMs: number): ProbeVerdict | undefined {
    return this.#state === 'waiting' && nowMs - this.#endsMs > SILENT_MS_MAX + rttMs ? this.#end('failed') : undefined;
  }

  cancel(): void {
    this.#state = 'idle';
  }

  get kind(): ProbeKind {
    return this.#kind;
  }

  #end(verdict: ProbeVerdict): ProbeVerdict {
    this.#state = 'idle';
    return verdict;
  }
}

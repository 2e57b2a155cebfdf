import { FRAME_FEC, FRAME_LOSSY, FRAME_MEDIA, FRAME_PROBE, FRAME_RELIABLE } from '../../protocol/octo/header.ts';
import type { Report } from '../../protocol/octo/report.ts';
import { PathDelay } from './path-delay.ts';

/** Between two reports: three looks at a queue before a router's usual 200 ms are full. */
const INTERVAL_MS = 50;
/** On a link that carries little, so that reports stay below 3 % of what they are about. */
const INTERVAL_MS_MAX = 250;
const BYTES_PER_REPORT = 2_500;
/** Between two reports when something has happened that the sender should know at once. */
const URGENT_MS = 20;
/** A rise of the delay since the former report that is worth a report of its own. */
const RISE_MICROS = 20_000;
/** A loss since the former report that is. */
const LOSS_BURST = 8;

/** The frame types that somebody outside the link has caused, and probes. The link's own do not keep reports going: two idle ends are silent. */
const REPORTED_TYPES =
  (1 << FRAME_MEDIA) | (1 << FRAME_RELIABLE) | (1 << FRAME_LOSSY) | (1 << FRAME_FEC) | (1 << FRAME_PROBE);

/** What a session has received as its recovery counts it. */
export interface ReceivedSequence {
  readonly highest: number;
  readonly lost: number;
  readonly missing: number;
}

/** The receiving end of a path: counts what arrives in the newest session, and says when the sender should hear of it. */
export class PathReporter {
  readonly delay = new PathDelay();
  #frames = 0;
  #bytes = 0;
  #newestSendTime = 0;
  #isWorthIt = false;
  #reportedMs = Number.NEGATIVE_INFINITY;
  #reportedBytes = 0;
  #reportedQueueMicros = 0;
  #reportedGone = 0;

  /** Hot path: an authentic frame of the newest session. `length`: of the datagram; `isFresh`: the highest number so far; `isRepeat`: it was asked for. */
  handleFrame(
    nowMs: number,
    type: number,
    sendTime: number,
    length: number,
    isFresh: boolean,
    isRepeat: boolean,
  ): void {
    this.#bytes += length;
    if (((REPORTED_TYPES >> type) & 1) !== 0) this.#isWorthIt = true;
    if (isRepeat) return;
    this.#frames++;
    if (!isFresh) return;
    this.#newestSendTime = sendTime;
    this.delay.handleFrame(nowMs, sendTime);
  }

  /** Every 10 ms: true when a report should leave now. */
  handleTimeout(nowMs: number, received: ReceivedSequence): boolean {
    this.delay.handleTimeout(nowMs);
    if (!this.#isWorthIt) return false;
    const elapsedMs = nowMs - this.#reportedMs;
    if (elapsedMs >= INTERVAL_MS_MAX) return true;
    if (elapsedMs >= INTERVAL_MS)
      return this.#bytes - this.#reportedBytes >= BYTES_PER_REPORT || this.#isUrgent(received);
    return elapsedMs >= URGENT_MS && this.#isUrgent(received);
  }

  takeReport(nowMs: number, received: ReceivedSequence): Report {
    const queueMicros = this.delay.takeQueueMicros(nowMs);
    this.#isWorthIt = false;
    this.#reportedMs = nowMs;
    this.#reportedBytes = this.#bytes;
    this.#reportedQueueMicros = queueMicros;
    this.#reportedGone = received.lost + received.missing;
    return {
      highest: Math.max(0, received.highest),
      frames: this.#frames,
      bytes: this.#bytes,
      lost: received.lost,
      newestSendTime: this.#newestSendTime,
      queueMicros,
      jitterMicros: Math.round(this.delay.jitterMicros),
      trendMicrosPerSecond: Math.round(this.delay.trendMicrosPerSecond),
    };
  }

  /** New keys: counts start again, on both sides. The clocks and the path are the same ones. */
  handleNewSession(): void {
    this.#frames = 0;
    this.#bytes = 0;
    this.#reportedBytes = 0;
    this.#reportedGone = 0;
  }

  #isUrgent({ lost, missing }: ReceivedSequence): boolean {
    return (
      this.delay.queueMicrosNow - this.#reportedQueueMicros >= RISE_MICROS ||
      lost + missing - this.#reportedGone >= LOSS_BURST
    );
  }
}

import { REORDER_MS_MAX, REORDER_MS_MIN, ReorderWindow } from './reorder-window.ts';

const REPEAT_MS_MIN = 20;
const ASK_MS_MIN = 200;
const ASK_MS_MAX = 900;
/** A hole shows only when a later frame comes: so long after it, while anything flows. */
const NOTICE_MS = 100;
/** Before the first round trip is measured. */
const RTT_MS_ASSUMED = 100;

/** When a link asks, asks again and gives up, reckoned from its round trip; one for all its sessions. */
export class RepairTiming {
  readonly reorder = new ReorderWindow();
  /** Round trip that all of these are reckoned from. */
  rttMs = 0;
  /** An ask that is not answered by then was lost, or its answer: 1.1 round trips, or one and four mean deviations of it, up to two. */
  repeatMs = 0;
  /**
   * A hole is asked for during this: four round trips, three or four tries. After that a key frame is the quicker repair of a picture, and audio has been
   * concealed: clients' jitter buffers stretch by some hundred milliseconds, hence the least and the most.
   */
  askMs = 0;
  /** A frame that was repeated within this is not repeated: that answer is still on its way. */
  quietMs = 0;
  /** How long a frame can still be asked for after it was sent: it is kept until then. */
  keepMs = 0;
  /** The reordering window goes no further: a quarter of a round trip is what waiting for nothing may cost. */
  reorderMsMax = 0;

  constructor() {
    this.update(RTT_MS_ASSUMED, 0);
  }

  update(rttMs: number, deviationMs: number): void {
    this.rttMs = rttMs;
    this.repeatMs = Math.max(REPEAT_MS_MIN, 1.1 * rttMs, rttMs + Math.min(rttMs, 4 * deviationMs));
    this.askMs = Math.min(ASK_MS_MAX, Math.max(ASK_MS_MIN, 4 * rttMs));
    this.quietMs = 0.9 * rttMs;
    this.keepMs = this.askMs + rttMs + NOTICE_MS;
    this.reorderMsMax = Math.max(REORDER_MS_MIN, Math.min(REORDER_MS_MAX, rttMs / 4));
  }

  /** How long a hole that is noticed now waits before it is asked for. */
  reorderMs(nowMs: number): number {
    return this.reorder.windowMs(nowMs, this.reorderMsMax);
  }
}

import { BRIDGE_ENDPOINT_ID } from '../../protocol/ids.ts';
import {
  FRAME_OVERHEAD_BYTES,
  FRAME_PROBE,
  FRAME_REPORT,
  type FrameHeader,
  HEADER_BYTES,
  PAYLOAD_BYTES_MAX,
} from '../../protocol/octo/header.ts';
import { decodeReport, writeReport } from '../../protocol/octo/report.ts';
import { PathMonitor } from '../congestion/path-monitor.ts';
import { PathReporter } from '../congestion/path-reporter.ts';
import { SendBudget } from '../congestion/send-budget.ts';
import { RateWindow } from '../receive/rate-window.ts';
import type { FrameOutput } from './frame-output.ts';
import type { LinkCounters } from './link-counters.ts';
import type { LinkSession } from './link-session.ts';
import type { Arrival } from './loss-recovery.ts';

/** Padding frames in one tick: a probe of 1.2 Gbit/s. */
const PROBES_PER_TICK_MAX = 128;

/** Both ends of measuring a link's path: reports about what comes in, and the send budget that the peer's reports lead to. */
export class LinkCongestion {
  readonly path = new PathMonitor();
  readonly budget = new SendBudget(this.path);
  readonly reporter = new PathReporter();
  readonly #output: FrameOutput;
  readonly #counters: LinkCounters;
  readonly #sent = new RateWindow();
  #sentBytes = 0;
  #sentBps = 0;

  constructor(output: FrameOutput, counters: LinkCounters) {
    this.#output = output;
    this.#counters = counters;
  }

  /** Bits per second over the last second, without probes. */
  get sentBps(): number {
    return this.#sentBps;
  }

  /** Hot path: an authentic frame of the newest session; `length` is the datagram's. */
  handleFrame(nowMs: number, header: FrameHeader, length: number, arrival: Arrival): void {
    this.reporter.handleFrame(
      nowMs,
      header.type,
      header.sendTime,
      length,
      arrival === 'fresh',
      arrival === 'recovered' || arrival === 'late',
    );
  }

  /** A report about the newest session. Throws DecodeError. True when the budget is another one. */
  handleReport(nowMs: number, sendTime: number, bytes: Uint8Array, offset: number, length: number): boolean {
    const report = decodeReport(bytes, offset, length);
    if (!this.path.handleReport(nowMs, sendTime, report)) return false;
    this.#counters.reportsIn++;
    return this.budget.handleReport(nowMs, this.#sentBps);
  }

  /** Every 10 ms while the link is up. True when the budget is another one. */
  handleTimeout(nowMs: number, session: LinkSession, rttMs: number, demandBps: number): boolean {
    const media = this.#counters.bytesOut - this.#counters.probeBytesOut;
    this.#sent.add(nowMs, media - this.#sentBytes);
    this.#sentBytes = media;
    this.#sentBps = this.#sent.perSecond(nowMs) * 8;
    if (this.reporter.handleTimeout(nowMs, session.recovery)) this.#sendReport(nowMs, session);
    const isChanged = this.budget.handleTimeout(nowMs, demandBps, this.#sentBps, this.#counters.bytesOut, rttMs);
    this.#sendProbe(nowMs, session);
    return isChanged;
  }

  /** New keys: counts on both sides start again. */
  handleNewSession(): void {
    this.path.handleNewSession();
    this.reporter.handleNewSession();
  }

  handleDown(): void {
    this.budget.handleDown();
  }

  #sendReport(nowMs: number, session: LinkSession): void {
    const slot = this.#output.begin(nowMs, FRAME_REPORT, 0, 0, 0, BRIDGE_ENDPOINT_ID);
    if (slot < 0) return;
    const report = this.reporter.takeReport(nowMs, session.recovery);
    this.#counters.reportsOut++;
    this.#output.finish(nowMs, session, slot, writeReport(this.#output.bytes, slot + HEADER_BYTES, report), false);
  }

  #sendProbe(nowMs: number, session: LinkSession): void {
    let due = this.budget.probe.bytesDue(nowMs, this.#counters.bytesOut);
    for (let frames = 0; frames < PROBES_PER_TICK_MAX && due > FRAME_OVERHEAD_BYTES; frames++) {
      const padding = Math.min(PAYLOAD_BYTES_MAX, Math.floor(due) - FRAME_OVERHEAD_BYTES);
      const slot = this.#output.begin(nowMs, FRAME_PROBE, 0, 0, 0, BRIDGE_ENDPOINT_ID);
      if (slot < 0) return;
      this.#output.bytes.fill(0, slot + HEADER_BYTES, slot + HEADER_BYTES + padding);
      this.#counters.probesOut++;
      this.#counters.probeBytesOut += padding + FRAME_OVERHEAD_BYTES;
      this.#output.finish(nowMs, session, slot, padding, false);
      due -= padding + FRAME_OVERHEAD_BYTES;
    }
  }
}

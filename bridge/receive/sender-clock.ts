import { ntpMiddle } from '../../protocol/rtcp/report.ts';

/** DLSR counts 1/65536 s (RFC 3550 section 6.4.1). */
const DELAY_UNITS_PER_MS = 65.536;

/** The last sender report of a stream: which moment of the sender's clock a timestamp stands for. */
export class SenderClock {
  /** When it arrived, ms of the bridge's clock; -1 before the first, and then the rest means nothing. */
  atMs = -1;
  ntpSeconds = 0;
  /** 1/2^32 s. */
  ntpFraction = 0;
  rtpTimestamp = 0;

  handleReport(nowMs: number, ntpSeconds: number, ntpFraction: number, rtpTimestamp: number): void {
    this.atMs = nowMs;
    this.ntpSeconds = ntpSeconds;
    this.ntpFraction = ntpFraction;
    this.rtpTimestamp = rtpTimestamp;
  }

  /** LSR of a report block; 0 before the first report. */
  get ntpMiddle(): number {
    return this.atMs < 0 ? 0 : ntpMiddle(this.ntpSeconds, this.ntpFraction);
  }

  /** DLSR of a report block, 1/65536 s; 0 before the first report. */
  delaySinceReport(nowMs: number): number {
    return this.atMs < 0 ? 0 : Math.min(0xffffffff, Math.floor((nowMs - this.atMs) * DELAY_UNITS_PER_MS));
  }
}

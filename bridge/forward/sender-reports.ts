import { ntpMiddle, writeSenderReport } from '../../protocol/rtcp/report.ts';
import type { SenderReportPoint } from './timeline.ts';

/** Reports whose sending time is remembered; at one a second, more than any round trip. */
const REMEMBERED = 8;

const FRACTIONS = 0x100000000;

/**
 * The sender reports (RFC 3550 section 6.4.1) that a subscriber gets about one projection. They tell the origin's clock, not the bridge's: audio
 * and video of one origin keep their relation through any number of bridges. Round trips are measured against our own sending times.
 */
export class SenderReports {
  private readonly ntpMiddles = new Float64Array(REMEMBERED);
  private readonly sentMs = new Float64Array(REMEMBERED);
  private count = 0;

  /**
   * Writes a 28-byte SR: the instant of `report`, moved on to now, is `rtpTimestamp`. Returns its length.
   */
  write(
    nowMs: number,
    report: SenderReportPoint,
    rtpTimestamp: number,
    ssrc: number,
    packets: number,
    octets: number,
    out: Uint8Array,
    outOffset: number,
  ): number {
    const fractions = report.ntpFraction + Math.round(((nowMs - report.arrivedMs) * FRACTIONS) / 1000);
    const carry = Math.floor(fractions / FRACTIONS);
    const ntpSeconds = (report.ntpSeconds + carry) >>> 0;
    const ntpFraction = fractions - carry * FRACTIONS;
    const slot = this.count++ % REMEMBERED;
    this.ntpMiddles[slot] = ntpMiddle(ntpSeconds, ntpFraction);
    this.sentMs[slot] = nowMs;
    return writeSenderReport(out, outOffset, ssrc, ntpSeconds, ntpFraction, rtpTimestamp, packets, octets) - outOffset;
  }

  /** Round trip by a report block's LSR and DLSR (1/65536 s), or -1 when it answers none of the last {@link REMEMBERED} reports. */
  roundTripMs(nowMs: number, lastSr: number, delaySinceLastSr: number): number {
    if (lastSr === 0) return -1;
    const known = Math.min(this.count, REMEMBERED);
    for (let slot = 0; slot < known; slot++) {
      if (this.ntpMiddles[slot] !== lastSr) continue;
      return Math.max(0, nowMs - this.sentMs[slot] - (delaySinceLastSr * 1000) / 0x10000);
    }
    return -1;
  }
}

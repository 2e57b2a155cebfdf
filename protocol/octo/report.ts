/**
 * What a receiver has seen of the path (frame type 12), about the session the report is sealed with. Counts and times are the low 32 bits of
 * numbers that only grow: a reader takes differences, so a lost report loses nothing.
 *
 * |        highest sequence number received, low 32 of 48 bits    |
 * |    frames received, answers to NACKs left out, low 32 bits    |
 * |        bytes received, answers included, low 32 bits          |
 * |      frames that did not arrive at the first try, low 32      |
 * |      send time of the frame with the highest number           |
 * |           queueing delay, microseconds                        |
 * |           interarrival jitter, microseconds                   |
 * |     trend of the delay, microseconds per second, signed       |
 */
import { DecodeError } from '../errors.ts';
import { readUint32, writeUint32 } from '../rtp/packet.ts';

export const REPORT_BYTES = 32;

export interface Report {
  readonly highest: number;
  readonly frames: number;
  readonly bytes: number;
  readonly lost: number;
  readonly newestSendTime: number;
  /** Smallest one-way delay since the former report, above the smallest of half a minute. */
  readonly queueMicros: number;
  readonly jitterMicros: number;
  /** Below 0 while the delay falls. */
  readonly trendMicrosPerSecond: number;
}

/** Throws DecodeError. */
export function decodeReport(bytes: Uint8Array, offset: number, length: number): Report {
  if (length !== REPORT_BYTES) throw new DecodeError('octo-report-length');
  return {
    highest: readUint32(bytes, offset),
    frames: readUint32(bytes, offset + 4),
    bytes: readUint32(bytes, offset + 8),
    lost: readUint32(bytes, offset + 12),
    newestSendTime: readUint32(bytes, offset + 16),
    queueMicros: readUint32(bytes, offset + 20),
    jitterMicros: readUint32(bytes, offset + 24),
    trendMicrosPerSecond: readUint32(bytes, offset + 28) | 0,
  };
}

/** Writes the payload at `offset`, each number's low 32 bits; returns its length. */
export function writeReport(bytes: Uint8Array, offset: number, report: Report): number {
  writeUint32(bytes, offset, report.highest);
  writeUint32(bytes, offset + 4, report.frames);
  writeUint32(bytes, offset + 8, report.bytes);
  writeUint32(bytes, offset + 12, report.lost);
  writeUint32(bytes, offset + 16, report.newestSendTime);
  writeUint32(bytes, offset + 20, report.queueMicros);
  writeUint32(bytes, offset + 24, report.jitterMicros);
  writeUint32(bytes, offset + 28, report.trendMicrosPerSecond);
  return REPORT_BYTES;
}

/** What this bridge knows of one received RTP stream: order, loss, jitter, rates, and what to ask for again. README.md has the story. */
import { writeReportBlock } from '../../protocol/rtcp/report.ts';
import { distance16, distance32, EXTENDED_START, extend16 } from '../../protocol/sequence.ts';
import { type Alarm, NO_ALARM } from '../timers/alarm.ts';
import { NackGenerator } from './nack-generator.ts';
import { RateWindow } from './rate-window.ts';
import { SenderClock } from './sender-clock.ts';

/** Packets behind the highest that may still arrive. A power of two: it is also the mask of the window. */
export const HISTORY_PACKETS = 512;
/** RFC 3550 appendix A.1, MAX_DROPOUT: a jump this large is an error or a new stream, and the next packet tells which. */
export const DROPOUT_MAX = 3000;

/** Answers of {@link StreamReceiver.handlePacket} in place of a sequence: the packet is not to be forwarded. */
export const DUPLICATE = -1;
export const TOO_OLD = -2;
/** Far from its stream: kept out until the next packet follows it. */
export const SUSPECT = -3;

/** A sender that restarts a little behind looks like a run of late packets; this many in order are no coincidence. */
const OLD_RUN_RESTART = 16;
/** Two frames are never this far apart in a stream that goes on: such a step is no jitter. */
const JITTER_STEP_SECONDS_MAX = 5;

const NOTHING = new Uint8Array(0);

export interface StreamReceiverOptions {
  readonly ssrc: number;
  readonly clockRateHz: number;
  /** The sender answers NACKs for this stream. */
  readonly hasNack: boolean;
}

/** One received SSRC of a local client. Sequences in and out are extended; they grow for ever, restarts of the sender included. */
export class StreamReceiver {
  readonly ssrc: number;
  readonly clockRateHz: number;
  /** The sender's clock, from its sender reports. */
  readonly senderClock = new SenderClock();
  /** Packets that came by themselves, once each. Recovered ones are apart: the sender shall hear of the loss. */
  received = 0;
  /** Packets that came as retransmissions of what was missing. */
  recovered = 0;
  duplicates = 0;
  tooOld = 0;
  /** Times the sender began anew, or jumped. */
  restarts = 0;
  /** Highest extended sequence; -1 before the first packet. */
  highest = -1;
  /** Arrival of the newest packet, ms; -1 before the first. */
  lastPacketMs = -1;
  readonly nacks: NackGenerator | undefined;
  /** Rung when something is missing: `pollNacks` and `pollKeyFrameNeed` have an answer now. */
  alarm: Alarm = NO_ALARM;
  readonly #bits = new RateWindow();
  readonly #frames = new RateWindow();
  /** Which of the last 512 sequences are here. Made with the first: an RTX stream has no use for it. */
  #seen = NOTHING;
  #base = 0;
  #expectedBeforeRestart = 0;
  #strayNext = -1;
  #strayRun = 0;
  #needsKeyFrame = false;
  /** RFC 3550 appendix A.8: timestamp units. */
  #jitter = 0;
  #timestamp = 0;
  #arrivalTicks = 0;
  #reportedExpected = 0;
  #reportedReceived = 0;

  constructor(options: StreamReceiverOptions) {
    this.ssrc = options.ssrc;
    this.clockRateHz = options.clockRateHz;
    this.nacks = options.hasNack ? new NackGenerator() : undefined;
  }

  /** Packets the sender has sent as far as their numbers tell, over all restarts. */
  get expected(): number {
    return this.highest < 0 ? 0 : this.#expectedBeforeRestart + this.highest - this.#base + 1;
  }

  /** Interarrival jitter, ms (RFC 3550 section 6.4.1). */
  get jitterMs(): number {
    return (this.#jitter * 1000) / this.clockRateHz;
  }

  bitrateBps(nowMs: number): number {
    return this.#bits.perSecond(nowMs);
  }

  /** Different timestamps per second: frames for video, packets for audio. */
  framesPerSecond(nowMs: number): number {
    return this.#frames.perSecond(nowMs);
  }

  /**
   * A packet of the stream itself, `bytes` long. Returns its extended sequence, or DUPLICATE, TOO_OLD or SUSPECT. The order of calls
   * is the order of arrival.
   */
  handlePacket(nowMs: number, sequence: number, timestamp: number, bytes: number): number {
    if (this.highest < 0) return this.#start(nowMs, EXTENDED_START + sequence, timestamp, bytes);
    const ahead = distance16(sequence, this.highest % 0x10000);
    if (ahead > 0 && ahead < DROPOUT_MAX) {
      this.received++;
      return this.#advance(nowMs, this.highest + ahead, timestamp, bytes);
    }
    if (ahead <= 0 && ahead > -HISTORY_PACKETS) {
      const extended = this.#fillIn(nowMs, this.highest + ahead, bytes);
      if (extended >= 0) this.received++;
      return extended;
    }
    return this.#handleStray(nowMs, sequence, Math.abs(ahead) < DROPOUT_MAX, timestamp, bytes);
  }

  /** A packet of the stream that nobody is to have: it counts as here, and nothing before it is asked for any more. */
  skipPacket(nowMs: number, sequence: number, timestamp: number, bytes: number): void {
    this.handlePacket(nowMs, sequence, timestamp, bytes);
    this.nacks?.clear();
    this.#needsKeyFrame = false;
  }

  /**
   * A packet of this stream that came as a retransmission on the RTX stream (rtx.ts). As above, but it is not counted as received,
   * has no part in jitter, and never starts or restarts a stream.
   */
  handleRecovered(nowMs: number, sequence: number, timestamp: number, bytes: number): number {
    if (this.highest < 0) return TOO_OLD;
    const extended = extend16(sequence, this.highest);
    const ahead = extended - this.highest;
    if (ahead <= -HISTORY_PACKETS || ahead >= DROPOUT_MAX) {
      this.tooOld++;
      return TOO_OLD;
    }
    const result = ahead > 0 ? this.#advance(nowMs, extended, timestamp, bytes) : this.#fillIn(nowMs, extended, bytes);
    if (result >= 0) this.recovered++;
    return result;
  }

  /** Fills `out` with the 16-bit sequences to ask for now; see NackGenerator.poll. 0 without NACK. */
  pollNacks(nowMs: number, rttMs: number, out: Uint16Array): number {
    if (this.nacks === undefined) return 0;
    return this.nacks.poll(nowMs, rttMs, this.highest - HISTORY_PACKETS + 1, out);
  }

  /** True while something may have to be asked for again. */
  get isMissingPackets(): boolean {
    return this.nacks !== undefined && this.nacks.outstanding > 0;
  }

  /** True once after a gap too large to be asked for, or a restart: only a key frame repairs those. */
  pollKeyFrameNeed(): boolean {
    const needs = this.#needsKeyFrame;
    this.#needsKeyFrame = false;
    return needs;
  }

  /**
   * Writes the report block about this stream and begins the next reporting interval (RFC 3550 appendix A.3). Returns the offset
   * after it: `offset + 24`, or `offset` when no packet has come yet.
   */
  writeReportBlock(nowMs: number, bytes: Uint8Array, offset: number): number {
    if (this.highest < 0) return offset;
    const expected = this.expected;
    const expectedInterval = expected - this.#reportedExpected;
    const lostInterval = expectedInterval - (this.received - this.#reportedReceived);
    this.#reportedExpected = expected;
    this.#reportedReceived = this.received;
    const fractionLost = lostInterval <= 0 ? 0 : Math.min(255, Math.floor((lostInterval * 256) / expectedInterval));
    return writeReportBlock(
      bytes,
      offset,
      this.ssrc,
      fractionLost,
      expected - this.received,
      (this.highest - EXTENDED_START) >>> 0,
      Math.floor(this.#jitter),
      this.senderClock.ntpMiddle,
      this.senderClock.delaySinceReport(nowMs),
    );
  }

  #start(nowMs: number, extended: number, timestamp: number, bytes: number): number {
    this.#base = extended;
    this.highest = extended;
    if (this.#seen.length === 0) this.#seen = new Uint8Array(HISTORY_PACKETS);
    this.#seen.fill(0);
    this.#seen[extended & (HISTORY_PACKETS - 1)] = 1;
    this.received++;
    this.#timestamp = timestamp;
    this.#arrivalTicks = this.#ticks(nowMs);
    this.#frames.add(nowMs, 1);
    this.#countArrival(nowMs, bytes);
    return extended;
  }

  #advance(nowMs: number, extended: number, timestamp: number, bytes: number): number {
    const expectedNext = this.highest + 1;
    for (let missing = expectedNext; missing < extended; missing++) this.#seen[missing & (HISTORY_PACKETS - 1)] = 0;
    this.#seen[extended & (HISTORY_PACKETS - 1)] = 1;
    this.highest = extended;
    this.#strayNext = -1;
    if (extended > expectedNext) this.#handleGap(nowMs, expectedNext, extended);
    if (timestamp !== this.#timestamp) this.#measureFrame(nowMs, timestamp);
    this.#countArrival(nowMs, bytes);
    return extended;
  }

  #fillIn(nowMs: number, extended: number, bytes: number): number {
    const slot = extended & (HISTORY_PACKETS - 1);
    if (this.#seen[slot] === 1) {
      this.duplicates++;
      return DUPLICATE;
    }
    this.#seen[slot] = 1;
    // Older than the first packet: the stream began earlier than it seemed.
    if (extended < this.#base) this.#base = extended;
    this.nacks?.handleArrival(extended);
    this.#countArrival(nowMs, bytes);
    return extended;
  }

  #handleStray(nowMs: number, sequence: number, isNear: boolean, timestamp: number, bytes: number): number {
    this.#strayRun = sequence === this.#strayNext ? this.#strayRun + 1 : 1;
    this.#strayNext = (sequence + 1) & 0xffff;
    if (this.#strayRun < (isNear ? OLD_RUN_RESTART : 2)) {
      if (!isNear) return SUSPECT;
      this.tooOld++;
      return TOO_OLD;
    }
    return this.#restart(nowMs, sequence, timestamp, bytes);
  }

  /** The sender goes on elsewhere: always upwards in extended numbers, so that those behind never see one twice. */
  #restart(nowMs: number, sequence: number, timestamp: number, bytes: number): number {
    const step = (sequence - this.highest) & 0xffff;
    const extended = this.highest + (step <= 1 ? step + 0x10000 : step);
    this.#expectedBeforeRestart = this.expected;
    this.restarts++;
    this.#strayNext = -1;
    this.#needsKeyFrame = true;
    this.nacks?.clear();
    this.#start(nowMs, extended, timestamp, bytes);
    // The one that was kept out, and may have opened a key frame, is the first to ask for.
    this.#base = extended - 1;
    this.#handleGap(nowMs, extended - 1, extended);
    return extended;
  }

  #handleGap(nowMs: number, from: number, to: number): void {
    if (this.nacks === undefined) return;
    if (!this.nacks.handleGap(from, to)) this.#needsKeyFrame = true;
    this.alarm.bringForward(nowMs);
  }

  /** RFC 3550 appendix A.8, once per frame: packets of one frame leave together, and their spacing is the sender's pacer. */
  #measureFrame(nowMs: number, timestamp: number): void {
    const step = distance32(timestamp, this.#timestamp);
    if (step < 0) return;
    this.#frames.add(nowMs, 1);
    const arrivalTicks = this.#ticks(nowMs);
    const difference = Math.abs(arrivalTicks - this.#arrivalTicks - step);
    if (difference < JITTER_STEP_SECONDS_MAX * this.clockRateHz) this.#jitter += (difference - this.#jitter) / 16;
    this.#timestamp = timestamp;
    this.#arrivalTicks = arrivalTicks;
  }

  #countArrival(nowMs: number, bytes: number): void {
    this.#bits.add(nowMs, bytes * 8);
    this.lastPacketMs = nowMs;
  }

  #ticks(nowMs: number): number {
    return (nowMs * this.clockRateHz) / 1000;
  }
}

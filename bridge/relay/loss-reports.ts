import { DecodeError } from '../../protocol/errors.ts';
import { BRIDGE_ENDPOINT_ID } from '../../protocol/ids.ts';
import { FRAME_NACK, HEADER_BYTES } from '../../protocol/octo/header.ts';
import {
  countNackBlocks,
  NACK_ASKS,
  NACK_BLOCK_NUMBERS,
  NACK_BLOCKS_MAX,
  NACK_GONE,
  NACK_NEVER_REPEATED,
  readNackFirst,
  readNackMask,
  writeNack,
} from '../../protocol/octo/nack.ts';
import { extend32 } from '../../protocol/sequence.ts';
import type { FrameOutput } from './frame-output.ts';
import type { LinkCounters } from './link-counters.ts';
import type { LinkSession } from './link-session.ts';
import { CLASS_AUDIO, CLASS_VIDEO } from './media-class.ts';
import { RepairTiming } from './repair-timing.ts';
import { FRAME_GONE, FRAME_NEVER_REPEATED } from './sent-frames.ts';

/** Asked for at once; more wait for the next time. */
const ASKED_AT_ONCE = 128;
/** Between two NACKs that arrivals bring about: what is due within it goes into one. */
const NACK_INTERVAL_MS = 3;
const NUMBERS_MAX = NACK_BLOCKS_MAX * NACK_BLOCK_NUMBERS;

/** NACKs, both ways: asks for what is missing, and answers what the peer asks for, or says that there is no answer. */
export class LossReports {
  readonly timing = new RepairTiming();
  readonly #output: FrameOutput;
  readonly #counters: LinkCounters;
  readonly #missing = new Float64Array(ASKED_AT_ONCE);
  /** Numbers named by the NACK at hand, and where what they name is kept. */
  readonly #numbers = new Float64Array(NUMBERS_MAX);
  readonly #places = new Int32Array(NUMBERS_MAX);
  #count = 0;
  readonly #refused = new Float64Array(NUMBERS_MAX);
  #nextNackMs = 0;

  constructor(output: FrameOutput, counters: LinkCounters) {
    this.#output = output;
    this.#counters = counters;
  }

  /** Every 10 ms, for each session that is still received on. */
  handleTimeout(nowMs: number, session: LinkSession): void {
    session.sent.handleTimeout(nowMs, this.timing.keepMs);
    this.#ask(nowMs, session);
  }

  /** A frame has come on `session`: what is due by now is asked for, sooner than the next tick would. */
  handleArrival(nowMs: number, session: LinkSession): void {
    if (nowMs >= session.recovery.nextDueMs && nowMs >= this.#nextNackMs) this.#ask(nowMs, session);
  }

  /**
   * A NACK: `kind` is its header's layer. Repeats what is asked for, audio first, then key frames, unless it was repeated within 0.9 round trips: that answer
   * is still on its way. Throws DecodeError.
   */
  handleNack(
    nowMs: number,
    session: LinkSession,
    kind: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void {
    if (kind !== NACK_ASKS && kind !== NACK_NEVER_REPEATED && kind !== NACK_GONE)
      throw new DecodeError('octo-nack-kind');
    this.#read(bytes, offset, length);
    if (kind === NACK_ASKS) this.#answer(nowMs, session);
    else this.#handleRefusal(session, kind === NACK_NEVER_REPEATED);
  }

  /** The NACK goes out on the session it is about. */
  #ask(nowMs: number, session: LinkSession): void {
    const count = session.recovery.poll(nowMs, this.#missing);
    if (count === 0) return;
    this.#nextNackMs = nowMs + NACK_INTERVAL_MS;
    this.#counters.nacksSent += count;
    this.#send(nowMs, session, NACK_ASKS, this.#missing, count);
  }

  #send(nowMs: number, session: LinkSession, kind: number, numbers: Float64Array, count: number): void {
    const slot = this.#output.begin(nowMs, FRAME_NACK, 0, kind, 0, BRIDGE_ENDPOINT_ID);
    if (slot < 0) return;
    const length = writeNack(this.#output.bytes, slot + HEADER_BYTES, numbers, count);
    this.#output.finish(nowMs, session, slot, length, false);
  }

  #read(bytes: Uint8Array, offset: number, length: number): void {
    const blocks = countNackBlocks(length);
    let count = 0;
    for (let block = 0; block < blocks; block++) {
      const first = readNackFirst(bytes, offset, block);
      this.#numbers[count++] = first;
      const mask = readNackMask(bytes, offset, block);
      for (let bit = 0; mask >>> bit !== 0 && bit < 32; bit++) {
        if ((mask & (1 << bit)) !== 0) this.#numbers[count++] = (first + 1 + bit) % 0x100000000;
      }
    }
    this.#count = count;
  }

  #handleRefusal({ recovery }: LinkSession, isHarmless: boolean): void {
    for (let index = 0; index < this.#count; index++) {
      const sequence = extend32(this.#numbers[index], Math.max(0, recovery.highest));
      if (sequence <= recovery.highest) recovery.handleSkip(sequence, isHarmless);
    }
  }

  #answer(nowMs: number, session: LinkSession): void {
    const { sent } = session;
    const { keepMs, quietMs } = this.timing;
    this.#counters.nacksReceived += this.#count;
    for (let index = 0; index < this.#count; index++) {
      const sequence = session.extendSent(this.#numbers[index]);
      this.#numbers[index] = sequence;
      this.#places[index] = sequence < 0 ? UNSENT : sent.find(nowMs, sequence, keepMs);
      if (this.#places[index] === FRAME_GONE) this.#counters.notRetransmitted++;
    }
    for (let mediaClass = CLASS_AUDIO; mediaClass <= CLASS_VIDEO; mediaClass++) {
      for (let index = 0; index < this.#count; index++) {
        const place = this.#places[index];
        if (place < 0 || sent.classAt(place) !== mediaClass || sent.isQuiet(nowMs, place, quietMs)) continue;
        this.#output.repeat(nowMs, session, place);
      }
    }
    this.#refuse(nowMs, session, FRAME_NEVER_REPEATED, NACK_NEVER_REPEATED);
    this.#refuse(nowMs, session, FRAME_GONE, NACK_GONE);
  }

  /** Says which of what was asked for will not come, so that nobody waits for it. */
  #refuse(nowMs: number, session: LinkSession, place: number, kind: number): void {
    let count = 0;
    for (let index = 0; index < this.#count; index++) {
      const sequence = this.#numbers[index];
      // Blocks may come in any order; a number out of it is refused when it is asked for again.
      const isAscending = count === 0 || sequence > this.#refused[count - 1];
      if (this.#places[index] === place && isAscending) this.#refused[count++] = sequence;
    }
    if (count > 0) this.#send(nowMs, session, kind, this.#refused, count);
  }
}

/** In place of a place: no frame of this number was sent. */
const UNSENT = -3;

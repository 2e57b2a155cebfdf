import { BRIDGE_ENDPOINT_ID } from '../../protocol/ids.ts';
import { FRAME_NACK, HEADER_BYTES } from '../../protocol/octo/header.ts';
import { countNackBlocks, readNackFirst, readNackMask, writeNack } from '../../protocol/octo/nack.ts';
import type { FrameOutput } from './frame-output.ts';
import type { LinkCounters } from './link-counters.ts';
import type { LinkSession } from './link-session.ts';

/** Asked for at once; more wait for the next tick. */
const ASKED_PER_TICK = 128;

/** NACKs, both ways: asks for what is missing, and answers what the peer asks for. */
export class LossReports {
  readonly #output: FrameOutput;
  readonly #counters: LinkCounters;
  readonly #missing = new Float64Array(ASKED_PER_TICK);

  constructor(output: FrameOutput, counters: LinkCounters) {
    this.#output = output;
    this.#counters = counters;
  }

  /** Every 10 ms, for each session that is still received on. The NACK goes out on the session it is about. */
  handleTimeout(nowMs: number, session: LinkSession, rttMs: number): void {
    session.sent.handleTimeout();
    const count = session.recovery.poll(nowMs, rttMs, this.#missing);
    if (count === 0) return;
    const slot = this.#output.begin(nowMs, FRAME_NACK, 0, 0, 0, BRIDGE_ENDPOINT_ID);
    if (slot < 0) return;
    this.#counters.nacksSent += count;
    const length = writeNack(this.#output.bytes, slot + HEADER_BYTES, this.#missing, count);
    this.#output.finish(nowMs, session, slot, length, false);
  }

  /** Repeats what is asked for, unless it was repeated within 0.9 round trips: that answer is still on its way. Throws DecodeError. */
  handleNack(
    nowMs: number,
    session: LinkSession,
    rttMs: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void {
    const blocks = countNackBlocks(length);
    const quietMs = 0.9 * rttMs;
    for (let block = 0; block < blocks; block++) {
      const first = session.extendSent(readNackFirst(bytes, offset, block));
      const mask = readNackMask(bytes, offset, block);
      this.#repeat(nowMs, session, first, quietMs);
      for (let bit = 0; bit < 32; bit++) {
        if ((mask & (1 << bit)) !== 0) this.#repeat(nowMs, session, first + 1 + bit, quietMs);
      }
    }
  }

  #repeat(nowMs: number, session: LinkSession, sequence: number, quietMs: number): void {
    this.#counters.nacksReceived++;
    if (sequence >= 0) this.#output.repeat(nowMs, session, sequence, quietMs);
  }
}

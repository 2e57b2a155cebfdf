import { BRIDGE_ENDPOINT_ID } from '../../protocol/ids.ts';
import { PROTECTED_PAYLOAD_BYTES_MAX, SYMBOL_BYTES_MAX, writeSymbol } from '../../protocol/octo/fec.ts';
import { FRAME_FEC, FRAME_OVERHEAD_BYTES, HEADER_BYTES } from '../../protocol/octo/header.ts';
import { DATA_SYMBOLS_MAX } from '../../protocol/octo/reed-solomon.ts';
import type { FecGroup } from './fec-group.ts';
import { FecLane } from './fec-lane.ts';
import { type FecSettings, PART_OF_SHARE } from './fec-policy.ts';
import { FecShare } from './fec-share.ts';
import type { FrameOutput } from './frame-output.ts';
import type { LinkCounters } from './link-counters.ts';
import type { LinkMeter } from './link-meter.ts';
import type { LinkSession } from './link-session.ts';
import { CLASS_AUDIO, CLASS_KEY_FRAME, CLASS_VIDEO, type MediaClass } from './media-class.ts';

/** At each tick (10 ms) groups this old are closed: none is older than 14 ms. */
const CLOSE_AGE_MS = 4;
/** A group may wait for more frames while those it has are still worth repairing: this part of the playout budget. */
const WAIT_OF_BUDGET = 0.7;
/** Sequence numbers that a group may lie across: well within what its parity frames can name. */
const CLOSE_SPAN = 192;
const DECIDE_MS = 250;
const PREVIOUS_MAX = 255;

/** Forward error correction of one class, as `/v1/links` shows it. */
export interface FecClassState {
  readonly class: 'audio' | 'key-frames' | 'video';
  /** The rule that decided (`fec-policy.ts`). */
  readonly reason: string;
  /** Frames of a group, mean, and parity frames for one of that size; 0 while off. */
  readonly frames: number;
  readonly parity: number;
  /** Share of the link's bytes over the last second that was this class's parity, 0 to 1. */
  readonly share: number;
}

const NAMES = ['audio', 'key-frames', 'video'] as const;

/**
 * Adds parity frames to the media that a link sends. One group per class, across all sources and conferences; it is closed when it is full, or at the next
 * tick. Every 250 ms the policy decides anew.
 */
export class FecSender {
  /** While false media goes out without passing here. */
  isOn = false;
  readonly #settings: FecSettings;
  readonly #output: FrameOutput;
  readonly #counters: LinkCounters;
  /** In order of precedence, by `MediaClass`. */
  readonly #lanes = [new FecLane(CLASS_AUDIO), new FecLane(CLASS_KEY_FRAME), new FecLane(CLASS_VIDEO)];
  readonly #share = new FecShare();
  readonly #symbolWords = new Uint32Array(SYMBOL_BYTES_MAX / 4);
  readonly #symbol = new Uint8Array(this.#symbolWords.buffer);
  #session: LinkSession | undefined;
  /** Sequence number of the last FEC frame; -1 before the session's first. */
  #previous = -1;
  #budgetBps = Number.POSITIVE_INFINITY;
  #decideMs = 0;

  constructor(settings: FecSettings, output: FrameOutput, counters: LinkCounters) {
    this.#settings = settings;
    this.#output = output;
    this.#counters = counters;
  }

  /** Finishes the media frame begun at `slot`, in the place of `FrameOutput.finish`. Frames that are too long go out unprotected. */
  finish(nowMs: number, session: LinkSession, mediaClass: MediaClass, slot: number, payloadLength: number): void {
    if (session !== this.#session) this.#changeSession(session);
    const lane = this.#lanes[mediaClass];
    const sequence = session.nextSequence;
    const { group } = lane;
    if (group !== undefined && payloadLength <= PROTECTED_PAYLOAD_BYTES_MAX && group.takes(sequence)) {
      const symbolBytes = writeSymbol(this.#symbol, 0, this.#output.bytes, slot, payloadLength);
      group.add(nowMs, sequence, this.#symbolWords, symbolBytes, lane.rowsMax);
    }
    this.#output.finish(nowMs, session, slot, payloadLength, true, mediaClass);
    this.#share.addMedia(mediaClass, payloadLength + FRAME_OVERHEAD_BYTES);
    for (let index = 0; index < this.#lanes.length; index++) {
      const { group: open } = this.#lanes[index];
      if (open === undefined || open.count === 0) continue;
      const isFull = open.count === DATA_SYMBOLS_MAX || session.nextSequence - open.first >= CLOSE_SPAN;
      if (isFull) this.#close(nowMs, session, index, open, true);
    }
  }

  /** Every 10 ms while the link is up. `reorderMs`: what the path reorders by; `budgetBps`: what it can take; only audio's parity goes beyond it. */
  handleTimeout(nowMs: number, session: LinkSession, meter: LinkMeter, reorderMs: number, budgetBps: number): void {
    this.#share.update(nowMs, this.#counters.bytesOut);
    this.#budgetBps = budgetBps;
    if (nowMs >= this.#decideMs) this.#decide(nowMs, meter, reorderMs);
    if (!this.isOn) return;
    if (session !== this.#session) this.#changeSession(session);
    const waitMs = this.#settings.playoutBudgetMs * WAIT_OF_BUDGET;
    for (let index = 0; index < this.#lanes.length; index++) {
      const { group } = this.#lanes[index];
      if (group === undefined || group.count === 0) continue;
      const ageMs = nowMs - group.openedMs;
      const isDue = ageMs >= (this.#lanes[index].waits ? waitMs : CLOSE_AGE_MS);
      if (isDue) this.#close(nowMs, session, index, group, ageMs >= waitMs);
    }
  }

  states(): readonly FecClassState[] {
    return this.#lanes.map((lane, index) => {
      const frames = lane.isOn ? lane.frames : 0;
      return {
        class: NAMES[index],
        reason: lane.reason,
        frames,
        parity: lane.isOn ? lane.rowsFor(frames) : 0,
        share: this.#share.shareOf(index),
      };
    });
  }

  /** Frames of the former session can no longer be named: its open groups are given up. */
  #changeSession(session: LinkSession): void {
    this.#session = session;
    this.#previous = -1;
    for (const lane of this.#lanes) lane.group?.clear();
  }

  #decide(nowMs: number, meter: LinkMeter, reorderMs: number): void {
    this.#decideMs = nowMs + DECIDE_MS;
    const { share: lossShare, burstLength } = meter.recentLossOut;
    const conditions = { ...this.#settings, rttMs: meter.rttMs, reorderMs, lossShare, burstLength };
    for (let index = 0; index < this.#lanes.length; index++) {
      const shareMax = this.#settings.shareMax * PART_OF_SHARE[index];
      this.#lanes[index].decide(nowMs, conditions, this.#share.parityPerMedia(index, shareMax));
    }
    this.isOn = this.#lanes.some(lane => lane.isOn);
  }

  /** Sends the group's parity and begins the next. With too little room it is left open, unless it `mustClose`: then as much as there is room for. */
  #close(nowMs: number, session: LinkSession, mediaClass: number, group: FecGroup, mustClose: boolean): void {
    const lane = this.#lanes[mediaClass];
    const wanted = Math.min(group.rows, lane.rowsFor(group.count));
    this.#share.update(nowMs, this.#counters.bytesOut);
    const budgetBps = mediaClass === CLASS_AUDIO ? Number.POSITIVE_INFINITY : this.#budgetBps;
    const room = this.#share.room(this.#settings.shareMax * PART_OF_SHARE[mediaClass], budgetBps);
    const affordable = Math.max(0, Math.floor(room / (group.parityBytes + FRAME_OVERHEAD_BYTES)));
    if ((wanted === 0 || affordable < wanted) && !mustClose) return;
    const rows = Math.min(wanted, affordable);
    for (let row = 0; row < rows; row++) {
      if (!this.#sendParity(nowMs, session, mediaClass, group, row)) break;
    }
    this.#counters.fecHeldBack += wanted - rows;
    lane.handleClosed(nowMs, group.count, session.nextSequence - rows - group.first, rows < wanted);
    group.clear();
  }

  #sendParity(nowMs: number, session: LinkSession, mediaClass: number, group: FecGroup, row: number): boolean {
    const slot = this.#output.begin(nowMs, FRAME_FEC, 0, 0, 0, BRIDGE_ENDPOINT_ID);
    if (slot < 0) return false;
    const sequence = session.nextSequence;
    const distance = this.#previous < 0 ? 0 : sequence - this.#previous;
    const length = group.writeParity(
      row,
      distance > PREVIOUS_MAX ? 0 : distance,
      this.#output.bytes,
      slot + HEADER_BYTES,
    );
    this.#output.finish(nowMs, session, slot, length, false);
    this.#previous = sequence;
    this.#counters.fecSent++;
    this.#counters.fecBytesOut += length + FRAME_OVERHEAD_BYTES;
    this.#share.addParity(mediaClass, length + FRAME_OVERHEAD_BYTES);
    return true;
  }
}

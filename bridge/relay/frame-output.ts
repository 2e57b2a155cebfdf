import { HEADER_BYTES, writeHeader } from '../../protocol/octo/header.ts';
import { SLOT_BYTES } from '../arena.ts';
import type { LinkCounters } from './link-counters.ts';
import { toMicros } from './link-meter.ts';
import type { LinkSession } from './link-session.ts';
import { CLASS_AUDIO, CLASS_KEY_FRAME, type MediaClass } from './media-class.ts';
import { RepairBudget } from './repair-budget.ts';

/** Where a link's datagrams go: the Octo port, with the peer's address filled in. */
export interface LinkWire {
  readonly outgoing: Buffer;
  /** See `DatagramPort.sendsRuns`. */
  readonly sendsRuns: boolean;
  reserve(): number;
  commit(offset: number, length: number): void;
}

/** Writes frames straight into the port's slots: `begin`, the payload at {@link HEADER_BYTES} behind the offset, `finish`. */
export class FrameOutput {
  readonly #wire: LinkWire;
  readonly #counters: LinkCounters;
  readonly #budget: RepairBudget;

  constructor(nowMs: number, wire: LinkWire, counters: LinkCounters) {
    this.#wire = wire;
    this.#counters = counters;
    this.#budget = new RepairBudget(nowMs);
  }

  /** The port's arena. */
  get bytes(): Buffer {
    return this.#wire.outgoing;
  }

  /** Reserves a slot and writes the header; returns the slot's offset, or -1 when the port is full (counted). */
  begin(nowMs: number, type: number, source: number, layer: number, conferenceId: number, endpointId: number): number {
    const offset = this.#wire.reserve();
    if (offset < 0) {
      this.#counters.droppedFull++;
      return -1;
    }
    writeHeader(this.#wire.outgoing, offset, type, source, layer, conferenceId, endpointId, toMicros(nowMs) >>> 0);
    return offset;
  }

  /**
   * Seals and queues the frame begun at `offset`. `isRecoverable`: a NACK is answered with it, in the order of `mediaClass`; the link's own state is small,
   * and worth as much as a key frame.
   */
  finish(
    nowMs: number,
    session: LinkSession,
    offset: number,
    payloadLength: number,
    isRecoverable: boolean,
    mediaClass: MediaClass = CLASS_KEY_FRAME,
  ): void {
    const { outgoing } = this.#wire;
    const length = session.seal(nowMs, outgoing, offset, HEADER_BYTES + payloadLength, isRecoverable, mediaClass);
    this.#counters.packetsOut++;
    this.#counters.bytesOut += length;
    this.#budget.handleSent(length);
    this.#wire.commit(offset, length);
  }

  /** Sends the frame at a `place` of what `session` has sent again, the same bytes; counted when the budget refuses, which it never does for audio. */
  repeat(nowMs: number, session: LinkSession, place: number): void {
    const { sent } = session;
    const length = sent.lengthAt(place);
    if (!this.#budget.spend(nowMs, length, sent.classAt(place) === CLASS_AUDIO)) {
      this.#counters.notRetransmitted++;
      return;
    }
    const offset = this.#wire.reserve();
    if (offset < 0) {
      this.#counters.droppedFull++;
      return;
    }
    sent.repeatTo(nowMs, place, this.#wire.outgoing, offset);
    this.#counters.retransmitted++;
    this.#counters.bytesOut += length;
    this.#wire.commit(offset, length);
  }

  /** Sends a datagram that is no Octo frame: a part of a handshake. */
  sendRaw(bytes: Uint8Array): void {
    if (bytes.length > SLOT_BYTES) {
      this.#counters.droppedLarge++;
      return;
    }
    const offset = this.#wire.reserve();
    if (offset < 0) {
      this.#counters.droppedFull++;
      return;
    }
    this.#wire.outgoing.set(bytes, offset);
    this.#wire.commit(offset, bytes.length);
  }
}

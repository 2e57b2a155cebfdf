import { DecodeError } from '../../protocol/errors.ts';
import {
  BRIDGE_ENDPOINT_ID,
  type BridgeId,
  type ConferenceId,
  type EndpointId,
  LAYERS_MAX,
  type SourceId,
} from '../../protocol/ids.ts';
import {
  FRAME_CLOSE,
  FRAME_FEC,
  FRAME_KEY_FRAME_REQUEST,
  FRAME_LOSSY,
  FRAME_MEDIA,
  FRAME_MESSAGE_ACK,
  FRAME_NACK,
  FRAME_PING,
  FRAME_PONG,
  FRAME_RELIABLE,
  FRAME_WANTS,
  FRAME_WANTS_ACK,
  FRAME_WITHHELD,
  FRAME_WITHHELD_ACK,
  type FrameHeader,
  HEADER_BYTES,
} from '../../protocol/octo/header.ts';
import { decodePing, decodePong, writePong } from '../../protocol/octo/ping.ts';
import type { FecReceiver } from './fec-receiver.ts';
import type { FrameOutput } from './frame-output.ts';
import type { LinkCounters } from './link-counters.ts';
import type { LinkDialogue } from './link-dialogue.ts';
import { type LinkMeter, toMicros } from './link-meter.ts';
import type { LinkSession } from './link-session.ts';
import type { LossReports } from './loss-reports.ts';
import type { RelaySink } from './relay-sink.ts';

export interface FrameInputOptions {
  readonly peerId: BridgeId;
  readonly output: FrameOutput;
  readonly counters: LinkCounters;
  readonly meter: LinkMeter;
  readonly dialogue: LinkDialogue;
  readonly reports: LossReports;
  readonly fec: FecReceiver;
  readonly sink: RelaySink;
}

/** Takes authentic frames to whom they concern. */
export class FrameInput {
  readonly #peerId: BridgeId;
  readonly #output: FrameOutput;
  readonly #counters: LinkCounters;
  readonly #meter: LinkMeter;
  readonly #dialogue: LinkDialogue;
  readonly #reports: LossReports;
  readonly #fec: FecReceiver;
  readonly #sink: RelaySink;

  constructor(options: FrameInputOptions) {
    this.#peerId = options.peerId;
    this.#output = options.output;
    this.#counters = options.counters;
    this.#meter = options.meter;
    this.#dialogue = options.dialogue;
    this.#reports = options.reports;
    this.#fec = options.fec;
    this.#sink = options.sink;
  }

  /** An authentic frame: `length` is its payload's. Throws DecodeError for one that is against the specification. */
  handleFrame(
    nowMs: number,
    session: LinkSession,
    isNewest: boolean,
    header: FrameHeader,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void {
    switch (header.type) {
      case FRAME_MEDIA:
        if (this.#fec.isOn) this.#handleKeptMedia(nowMs, session, header, bytes, offset, length);
        else this.#handleMedia(header, bytes, offset, length);
        return;
      case FRAME_FEC:
        this.#fec.handleFec(nowMs, session, isNewest, header, bytes, offset, length);
        this.#handleRepaired();
        return;
      case FRAME_RELIABLE:
      case FRAME_LOSSY:
      case FRAME_MESSAGE_ACK:
      case FRAME_WANTS:
      case FRAME_WANTS_ACK:
      case FRAME_WITHHELD:
      case FRAME_WITHHELD_ACK: {
        const rttMs = this.#meter.rttOrAssumedMs;
        this.#dialogue.handleFrame(nowMs, session, isNewest, rttMs, header, bytes, offset, length);
        return;
      }
      case FRAME_KEY_FRAME_REQUEST:
        this.#handleKeyFrameRequest(header, length);
        return;
      case FRAME_NACK:
        this.#reports.handleNack(nowMs, session, header.layer, bytes, offset, length);
        return;
      case FRAME_PING:
        this.#handlePing(nowMs, session, isNewest, bytes, offset, length);
        return;
      case FRAME_PONG:
        this.#meter.handlePong(nowMs, decodePong(bytes, offset, length));
        return;
      case FRAME_CLOSE:
        // The link itself acts on it, once the frame is accepted.
        if (length !== 0) throw new DecodeError('octo-close');
        return;
      default:
        this.#counters.unknown++;
    }
  }

  /** Kept before it is handled: who handles it may change it. */
  #handleKeptMedia(
    nowMs: number,
    session: LinkSession,
    header: FrameHeader,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void {
    this.#fec.keep(nowMs, session, header, bytes, offset, length);
    this.#handleMedia(header, bytes, offset, length);
    this.#fec.handleKept(nowMs, session, header);
    this.#handleRepaired();
  }

  /** What was repaired goes on as if it had arrived. */
  #handleRepaired(): void {
    const fec = this.#fec;
    while (fec.pollRepaired()) this.#handleMedia(fec.header, fec.bytes, fec.offset, fec.length);
  }

  #handleMedia(header: FrameHeader, bytes: Uint8Array, offset: number, length: number): void {
    const { conferenceId, endpointId, source, layer } = header;
    if (layer >= LAYERS_MAX || endpointId === 0 || endpointId === BRIDGE_ENDPOINT_ID || length === 0) {
      throw new DecodeError('octo-media');
    }
    if (!this.#dialogue.shares(conferenceId as ConferenceId)) {
      this.#counters.foreign++;
      return;
    }
    this.#sink.onRelayedPacket(
      this.#peerId,
      conferenceId as ConferenceId,
      endpointId as EndpointId,
      source as SourceId,
      layer,
      bytes,
      offset,
      length,
    );
  }

  #handleKeyFrameRequest(header: FrameHeader, length: number): void {
    const { conferenceId, endpointId, source, layer } = header;
    if (length !== 0 || layer >= LAYERS_MAX || endpointId === 0) throw new DecodeError('octo-key-frame-request');
    if (!this.#dialogue.shares(conferenceId as ConferenceId)) {
      this.#counters.foreign++;
      return;
    }
    this.#counters.keyFrameRequestsIn++;
    this.#sink.onKeyFrameRequest(
      this.#peerId,
      conferenceId as ConferenceId,
      endpointId as EndpointId,
      source as SourceId,
      layer,
    );
  }

  #handlePing(
    nowMs: number,
    session: LinkSession,
    isNewest: boolean,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void {
    const ping = decodePing(bytes, offset, length);
    const wasKnown = session.peerIncarnation !== 0;
    if (!this.#dialogue.meet(nowMs, session, isNewest, ping.incarnation)) return;
    // Counters of a former session would not go on from those of this one.
    if (isNewest) this.#meter.handlePing(ping);
    const slot = this.#output.begin(nowMs, FRAME_PONG, 0, 0, 0, BRIDGE_ENDPOINT_ID);
    if (slot >= 0) {
      const micros = toMicros(nowMs);
      const pong = { number: ping.number, receivedMicros: micros, sentMicros: micros };
      this.#output.finish(nowMs, session, slot, writePong(this.#output.bytes, slot + HEADER_BYTES, pong), false);
    }
    if (!wasKnown && isNewest) this.#dialogue.flush(nowMs, session, this.#meter.rttOrAssumedMs);
  }
}

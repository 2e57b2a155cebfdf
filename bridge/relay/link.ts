import type { BridgePeer } from '../../protocol/control/spec.ts';
import { isRtcp } from '../../protocol/demux.ts';
import { DecodeError } from '../../protocol/errors.ts';
import {
  BRIDGE_ENDPOINT_ID,
  type BridgeId,
  type ConferenceId,
  type EndpointId,
  type SourceId,
} from '../../protocol/ids.ts';
import type { FrameCiphers } from '../../protocol/octo/aead.ts';
import {
  FRAME_CLOSE,
  FRAME_KEY_FRAME_REQUEST,
  FRAME_MEDIA,
  FRAME_OVERHEAD_BYTES,
  FRAME_PING,
  FRAME_REPORT,
  FrameHeader,
  HEADER_BYTES,
  isFrame,
} from '../../protocol/octo/header.ts';
import type { LinkRole, SessionKeys } from '../../protocol/octo/keys.ts';
import { writePing } from '../../protocol/octo/ping.ts';
import { padRtp } from '../../protocol/rtp/padding.ts';
import { SLOT_BYTES } from '../arena.ts';
import type { FecSettings } from './fec-policy.ts';
import { FecReceiver } from './fec-receiver.ts';
import { FecSender } from './fec-sender.ts';
import { FrameInput } from './frame-input.ts';
import { FrameOutput, type LinkWire } from './frame-output.ts';
import type { StartHandshake } from './handshake.ts';
import { HandshakeAttempts } from './handshake-attempts.ts';
import { KeyFrameMerge } from './key-frame-merge.ts';
import { LinkCongestion } from './link-congestion.ts';
import { createLinkCounters } from './link-counters.ts';
import { LinkDialogue } from './link-dialogue.ts';
import { LinkMeter } from './link-meter.ts';
import { LinkSession, REKEY_AGE_MS } from './link-session.ts';
import type { Arrival } from './loss-recovery.ts';
import { LossReports } from './loss-reports.ts';
import type { MediaClass } from './media-class.ts';
import type { LinkStateName, RelaySink } from './relay-sink.ts';
import { SessionSet } from './session-set.ts';
import { TailRepeats } from './tail-repeats.ts';

/** Media packets are padded to a multiple of this where runs of one size leave for less; the other side takes it off again. */
const RUN_MULTIPLE = 16;
/** A peer that has sent nothing authentic for this long is down: so that it is known a second after its end, with the tick and what was still under way. */
export const SILENT_MS_MAX = 850;
/** A ping or its answer is overdue: pings go out more often, so that a few lost ones do not look like the end. */
const HUSHED_MS = 350;
/** After this much silence a peer's nudge is believed to mean that it has lost the keys. */
const DEAF_MS = 400;
/** Keys are forgotten after so long a silence; until then the link is up again as soon as the path is. */
const FORGET_MS = 60_000;
/** Frames that were given up are told of together, so often at most. */
const LOSS_INTERVAL_MS = 50;
/**
 * A peer that has been away for this long counts as gone: reliable messages to it are dropped, and those who send them go on. As long as a client's own bridge waits
 * for a client that has fallen silent; a link that is cut for less loses nothing.
 */
export const GONE_MS = 30_000;
/** A peer that has closed the link has a reason: its focus will tell ours soon. */
const CLOSED_PAUSE_MS = 500;

export interface LinkOptions {
  readonly selfId: BridgeId;
  readonly peer: BridgePeer;
  readonly wire: LinkWire;
  readonly startHandshake: StartHandshake;
  readonly ciphers: FrameCiphers;
  readonly sink: RelaySink;
  readonly fec: FecSettings;
  /** 0 to 1, excluding 1. */
  readonly random: () => number;
  /** The bridge's clock; all `nowMs` are of it. */
  readonly nowMs: () => number;
  /** Keys this old are replaced; an hour by default. */
  readonly rekeyAgeMs?: number;
  readonly onFailed: (reason: string) => void;
}

/**
 * One link, this bridge to another: from keys to frames. The owner feeds it datagrams and a tick every 10 ms, the first at once: it starts
 * the handshake.
 */
export class Link {
  readonly peerId: BridgeId;
  readonly region: string;
  readonly role: LinkRole;
  readonly counters = createLinkCounters();
  readonly meter = new LinkMeter();
  readonly dialogue: LinkDialogue;
  /** What the path has shown, and what follows from it. */
  readonly congestion: LinkCongestion;
  /** Forward error correction of what is sent. */
  readonly fec: FecSender;
  state: LinkStateName = 'connecting';
  /** What the path to the peer can take, bit/s with headers and tags; Infinity while nothing has shown a limit. */
  sendBudgetBps = Number.POSITIVE_INFINITY;
  /** What everything that the peer wants would take, bit/s; set by whoever decides what is sent. 0 while nothing is held back. */
  demandBps = 0;
  /** Layers, over all conferences: wanted by the peer, sent to it, and held back from it; kept by whoever decides what is sent. */
  readonly layers = { wanted: 0, sent: 0, withheld: 0 };
  readonly #sink: RelaySink;
  readonly #ciphers: FrameCiphers;
  readonly #padsRuns: boolean;
  readonly #nowMs: () => number;
  readonly #output: FrameOutput;
  readonly #input: FrameInput;
  readonly #attempts: HandshakeAttempts;
  readonly #sessions = new SessionSet();
  readonly #reports: LossReports;
  readonly #repair: FecReceiver;
  readonly #tail = new TailRepeats();
  readonly #merge = new KeyFrameMerge();
  readonly #header = new FrameHeader();
  readonly #incarnation: number;
  readonly #rekeyAgeMs: number;
  #heardMs = Number.NEGATIVE_INFINITY;
  /** What had been given up when the sink was told last, and when it may be told again. */
  #givenUpTold = 0;
  #lossDueMs = 0;
  /** Since when it is not up. */
  #downMs: number;

  constructor(options: LinkOptions) {
    const { selfId, peer, sink, nowMs } = options;
    this.peerId = peer.bridgeId as BridgeId;
    this.region = peer.region;
    this.role = selfId < this.peerId ? 'client' : 'server';
    this.#sink = sink;
    this.#ciphers = options.ciphers;
    this.#padsRuns = options.wire.sendsRuns;
    this.#nowMs = nowMs;
    this.#rekeyAgeMs = options.rekeyAgeMs ?? REKEY_AGE_MS;
    this.#downMs = nowMs();
    this.#incarnation = 1 + Math.floor(options.random() * 0xffffffff);
    this.#output = new FrameOutput(nowMs(), options.wire, this.counters);
    this.#reports = new LossReports(this.#output, this.counters);
    this.congestion = new LinkCongestion(this.#output, this.counters);
    this.fec = new FecSender(options.fec, this.#output, this.counters);
    this.#repair = new FecReceiver(this.counters);
    this.dialogue = new LinkDialogue(this.peerId, this.#incarnation, this.#output, this.counters, sink);
    this.#input = new FrameInput({
      peerId: this.peerId,
      output: this.#output,
      counters: this.counters,
      meter: this.meter,
      dialogue: this.dialogue,
      reports: this.#reports,
      fec: this.#repair,
      sink,
    });
    this.#attempts = new HandshakeAttempts(
      {
        role: this.role,
        start: options.startHandshake,
        random: options.random,
        nowMs,
        send: bytes => this.#output.sendRaw(bytes),
        onKeys: keys => this.#handleKeys(keys),
        onFailed: reason => {
          this.counters.handshakesFailed++;
          options.onFailed(reason);
        },
      },
      peer.fingerprint.value,
    );
  }

  /** How long a missing frame is taken to be late, not lost. */
  get reorderMs(): number {
    return this.#reports.timing.reorderMs(this.#nowMs());
  }

  /** A datagram from the peer's address; changed in place. Hostile ones are counted and change nothing. */
  handleDatagram(nowMs: number, bytes: Uint8Array, offset: number, length: number): void {
    if (length === 0) return;
    const first = bytes[offset];
    if (first >= 192) this.#handleFrame(nowMs, bytes, offset, length);
    else if (first >= 20 && first <= 63) {
      const isDeaf = this.state !== 'up' || nowMs - this.#heardMs >= DEAF_MS;
      this.#attempts.handleDatagram(nowMs, bytes, offset, length, isDeaf);
    } else this.counters.malformed++;
  }

  /** Sends a packet to the peer, in this turn; copies it. Dropped and counted unless the link is up. Allocates nothing but what node:crypto does. */
  sendPacket(
    nowMs: number,
    conferenceId: ConferenceId,
    endpointId: EndpointId,
    sourceId: SourceId,
    layer: number,
    mediaClass: MediaClass,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void {
    const session = this.#sessions.current;
    if (this.state !== 'up' || session === undefined) {
      this.counters.droppedDown++;
      return;
    }
    if (length + FRAME_OVERHEAD_BYTES > SLOT_BYTES) {
      this.counters.droppedLarge++;
      return;
    }
    const slot = this.#output.begin(nowMs, FRAME_MEDIA, sourceId, layer, conferenceId, endpointId);
    if (slot < 0) return;
    Buffer.prototype.copy.call(bytes, this.#output.bytes, slot + HEADER_BYTES, offset, offset + length);
    const isPadded =
      this.#padsRuns && !isRtcp(bytes, offset) && length + RUN_MULTIPLE + FRAME_OVERHEAD_BYTES <= SLOT_BYTES;
    const paddedLength = isPadded ? padRtp(this.#output.bytes, slot + HEADER_BYTES, length, RUN_MULTIPLE) : length;
    if (this.fec.isOn) this.fec.finish(nowMs, session, mediaClass, slot, paddedLength);
    else this.#output.finish(nowMs, session, slot, paddedLength, true, mediaClass);
  }

  /** When an authenticated frame of the peer came last. */
  get heardMs(): number {
    return this.#heardMs;
  }

  /** True when the peer has been away for so long that reliable messages to it are dropped. */
  isGone(nowMs: number): boolean {
    return this.state !== 'up' && nowMs - this.#downMs >= GONE_MS;
  }

  /**
   * Reliable: false when refused (too large, queue full, peer gone), else it arrives once, in its sender's order, unless the peer ends or stays away. Lossy: false
   * when it was not sent.
   */
  sendMessage(
    nowMs: number,
    conferenceId: ConferenceId,
    endpointId: EndpointId,
    isReliable: boolean,
    bytes: Uint8Array,
  ): boolean {
    const session = this.state === 'up' ? this.#sessions.current : undefined;
    let isAccepted = false;
    if (isReliable && this.isGone(nowMs)) {
      this.counters.messagesGivenUp++;
      return false;
    }
    if (isReliable) {
      isAccepted = this.dialogue.enqueue(conferenceId, endpointId, bytes);
      if (isAccepted && session !== undefined) this.dialogue.flush(nowMs, session, this.meter.rttOrAssumedMs);
    } else if (session !== undefined) {
      isAccepted = this.dialogue.sendLossy(nowMs, session, conferenceId, endpointId, bytes);
    }
    if (isAccepted) this.counters.messagesOut++;
    else if (isReliable) this.counters.messagesRefused++;
    else this.counters.lossyMessagesDropped++;
    return isAccepted;
  }

  /** Idempotent; repeats within 50 ms are merged. Lost while the link is down: what is wanted is asked for again when it is up. */
  requestKeyFrame(
    nowMs: number,
    conferenceId: ConferenceId,
    endpointId: EndpointId,
    sourceId: SourceId,
    layer: number,
  ): void {
    const session = this.#sessions.current;
    if (this.state !== 'up' || session === undefined) return;
    if (!this.#merge.admit(nowMs, conferenceId, endpointId, sourceId, layer)) {
      this.counters.keyFrameRequestsMerged++;
      return;
    }
    const slot = this.#output.begin(nowMs, FRAME_KEY_FRAME_REQUEST, sourceId, layer, conferenceId, endpointId);
    if (slot < 0) return;
    this.counters.keyFrameRequestsOut++;
    this.#output.finish(nowMs, session, slot, 0, true);
  }

  /** Every 10 ms. */
  handleTimeout(nowMs: number): void {
    const silentMs = nowMs - this.#heardMs;
    if (silentMs >= FORGET_MS || this.#sessions.current?.isSpent === true) this.#sessions.clear();
    const isDown = silentMs >= SILENT_MS_MAX || this.#sessions.current === undefined;
    if (this.state === 'up' && isDown) this.#setState('down');
    this.#sessions.handleTimeout(nowMs);
    const session = this.#sessions.current;
    this.#attempts.handleTimeout(
      nowMs,
      this.state !== 'up' || session === undefined || session.needsRekey(nowMs, this.#rekeyAgeMs),
    );
    if (session !== undefined) {
      if (this.meter.isPingDue(nowMs, silentMs >= HUSHED_MS)) this.#sendPing(nowMs, session);
      this.#reports.timing.update(this.meter.rttOrAssumedMs, this.meter.rttDeviationMs);
      this.#reports.handleTimeout(nowMs, session);
      const { previous } = this.#sessions;
      if (previous !== undefined) this.#reports.handleTimeout(nowMs, previous);
      this.#tail.handleTimeout(nowMs, previous, this.#reports.timing, this.#output);
    }
    if (session !== undefined && this.state === 'up') {
      const { rttOrAssumedMs } = this.meter;
      if (this.congestion.handleTimeout(nowMs, session, rttOrAssumedMs, this.#wholeDemandBps)) this.#applyBudget();
    }
    this.#repair.handleTimeout(nowMs);
    if (session !== undefined && this.state === 'up') {
      this.fec.handleTimeout(nowMs, session, this.meter, this.reorderMs, this.sendBudgetBps);
    }
    if (this.isGone(nowMs)) this.counters.messagesGivenUp += this.dialogue.dropWaiting();
    const { rttOrAssumedMs } = this.meter;
    this.dialogue.handleTimeout(nowMs, this.state === 'up' ? session : undefined, rttOrAssumedMs, {
      budgetBps: this.sendBudgetBps,
      sentBps: this.congestion.sentBps,
      isAllWantedSent: this.demandBps === 0,
    });
    this.#tellLoss(nowMs);
  }

  /** Sends what the dialogue has to say now, not at the next tick. */
  flush(nowMs: number): void {
    const session = this.#sessions.current;
    if (this.state === 'up' && session !== undefined) this.dialogue.flush(nowMs, session, this.meter.rttOrAssumedMs);
  }

  /** The peer has another address or another certificate (it has restarted): nothing that was agreed holds. */
  handlePeerChanged(fingerprint: string): void {
    this.#sessions.clear();
    this.#attempts.setPeerFingerprint(fingerprint);
    if (this.state === 'up') this.#setState('down');
  }

  /** Says good-bye, twice since nothing confirms it, and ends. */
  close(nowMs: number): void {
    this.#attempts.close();
    const session = this.#sessions.current;
    for (let copy = 0; copy < 2 && session !== undefined; copy++) {
      const slot = this.#output.begin(nowMs, FRAME_CLOSE, 0, 0, 0, BRIDGE_ENDPOINT_ID);
      if (slot >= 0) this.#output.finish(nowMs, session, slot, 0, false);
    }
    this.#sessions.clear();
  }

  #handleFrame(nowMs: number, bytes: Uint8Array, offset: number, length: number): void {
    const header = this.#header;
    // Before anything that costs: an exception is dearer than a good frame.
    if (!isFrame(bytes, offset, length)) {
      this.counters.malformed++;
      return;
    }
    header.decode(bytes, offset, length);
    const before = this.#sessions.current;
    const session = this.#sessions.open(nowMs, header.label, header.sequence, bytes, offset, length);
    if (session === 'replayed' || session === 'forged') {
      this.counters[session]++;
      // Forgeries beside a peer that is heard are somebody else's.
      if (session === 'forged' && nowMs - this.#heardMs >= DEAF_MS) this.#attempts.handleUnreadable(nowMs);
      return;
    }
    this.counters.packetsIn++;
    this.counters.bytesIn += length;
    this.#heardMs = nowMs;
    const { sequence } = this.#sessions;
    const isRebuilt = session.isRebuilt(sequence);
    let arrival: Arrival = 'reordered';
    if (isRebuilt) session.recovery.handleUnexpected(sequence);
    else arrival = session.recovery.handleArrival(nowMs, sequence);
    this.#reports.handleArrival(nowMs, session);
    const isNewest = session === this.#sessions.current;
    // Under the former keys, while the new ones wait for their first frame, it confirms nothing: the last flight may be lost.
    if (isNewest && this.#sessions.next === undefined) this.#attempts.handleConfirmed();
    if (before !== this.#sessions.current) this.#handleNewSession();
    if (this.state !== 'up') this.#setState('up');
    if (isNewest) this.congestion.handleFrame(nowMs, header, length, arrival);
    if (isRebuilt) {
      this.counters.replayed++;
      return;
    }
    try {
      const payload = offset + HEADER_BYTES;
      const payloadLength = length - FRAME_OVERHEAD_BYTES;
      if (header.type === FRAME_REPORT) this.#handleReport(nowMs, isNewest, bytes, payload, payloadLength);
      else this.#input.handleFrame(nowMs, session, isNewest, header, bytes, payload, payloadLength);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.counters.violations++;
    }
    if (isNewest && header.type === FRAME_CLOSE) this.#handleClose(nowMs);
  }

  /** One about a former session says nothing that the next one does not. */
  #handleReport(nowMs: number, isNewest: boolean, bytes: Uint8Array, offset: number, length: number): void {
    if (!isNewest) return;
    if (this.congestion.handleReport(nowMs, this.#header.sendTime, bytes, offset, length)) this.#applyBudget();
  }

  /** What everything that the peer is to get would take, with what waits of messages in a second; 0 while nothing is held back. */
  get #wholeDemandBps(): number {
    const waitingBits = this.dialogue.queuedBytes * 8;
    if (waitingBits === 0) return this.demandBps;
    return Math.max(this.demandBps, this.congestion.sentBps) + waitingBits;
  }

  #handleNewSession(): void {
    this.meter.handleNewSession();
    this.congestion.handleNewSession();
  }

  #applyBudget(): void {
    this.sendBudgetBps = this.congestion.budget.bps;
    this.#output.setSendBudget(this.sendBudgetBps);
  }

  #handleClose(nowMs: number): void {
    this.#sessions.clear();
    this.#attempts.delay(nowMs, CLOSED_PAUSE_MS);
    this.#setState('down');
  }

  #handleKeys(keys: SessionKeys): void {
    const nowMs = this.#nowMs();
    this.counters.handshakes++;
    const session = new LinkSession(nowMs, keys, this.counters, this.#ciphers, this.#reports.timing);
    if (this.role === 'server' && this.state === 'up' && this.#sessions.current !== undefined) {
      this.#sessions.expect(session);
      return;
    }
    this.#sessions.install(nowMs, session);
    this.#heardMs = nowMs;
    this.#handleNewSession();
    this.#setState('up');
    this.#sendPing(nowMs, session);
  }

  #sendPing(nowMs: number, session: LinkSession): void {
    const slot = this.#output.begin(nowMs, FRAME_PING, 0, 0, 0, BRIDGE_ENDPOINT_ID);
    if (slot < 0) return;
    const ping = this.meter.takePing(nowMs, this.#incarnation, session.recovery);
    this.#output.finish(nowMs, session, slot, writePing(this.#output.bytes, slot + HEADER_BYTES, ping), false);
  }

  /** While the link is not up nothing is told: that it is up again will say enough. */
  #tellLoss(nowMs: number): void {
    const { givenUp } = this.counters;
    if (givenUp === this.#givenUpTold || this.state !== 'up' || nowMs < this.#lossDueMs) return;
    this.#givenUpTold = givenUp;
    this.#lossDueMs = nowMs + LOSS_INTERVAL_MS;
    this.#sink.onFramesLost(this.peerId);
  }

  #setState(state: LinkStateName): void {
    if (this.state === state) return;
    if (this.state === 'up') this.#downMs = this.#nowMs();
    this.state = state;
    if (state === 'down') this.congestion.handleDown();
    if (state === 'up') this.#givenUpTold = this.counters.givenUp;
    this.#sink.onLinkState(this.peerId, state);
  }
}

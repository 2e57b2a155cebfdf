import { BRIDGE_ENDPOINT_ID, type BridgeId, type ConferenceId, type EndpointId } from '../../protocol/ids.ts';
import {
  FRAME_LOSSY,
  FRAME_MESSAGE_ACK,
  FRAME_RELIABLE,
  FRAME_WANTS,
  FRAME_WANTS_ACK,
  FRAME_WITHHELD,
  FRAME_WITHHELD_ACK,
  type FrameHeader,
  HEADER_BYTES,
} from '../../protocol/octo/header.ts';
import {
  decodeLossy,
  decodeReliable,
  LOSSY_FRAGMENT_BYTES_MAX,
  MESSAGE_BYTES_MAX,
  writeLossy,
  writeReliable,
} from '../../protocol/octo/message.ts';
import { decodeMessageAck, writeMessageAck } from '../../protocol/octo/message-ack.ts';
import { decodeStateAck, type StateFormat, writeStateAck } from '../../protocol/octo/state-part.ts';
import { isSameWant, layerMaskOf, WANTS, type Want } from '../../protocol/octo/wants.ts';
import { isSameWithheld, WITHHELD, type Withheld } from '../../protocol/octo/withheld.ts';
import type { FrameOutput } from './frame-output.ts';
import { HeldSenders } from './held-senders.ts';
import type { LinkCounters } from './link-counters.ts';
import type { LinkSession } from './link-session.ts';
import { LossyAssembly, lossyFragments } from './lossy-messages.ts';
import { LossyPace } from './lossy-pace.ts';
import { CLASS_VIDEO } from './media-class.ts';
import type { Obstacle } from './message-lanes.ts';
import type { LinkRoom } from './message-pace.ts';
import { MessageReceiver, type ReceivedMessage } from './message-receiver.ts';
import { MessageSender } from './message-sender.ts';
import { ParkedMessages } from './parked-messages.ts';
import type { RelaySink } from './relay-sink.ts';
import { StateReceiver } from './state-receiver.ts';
import { StateSender } from './state-sender.ts';

/** A fragment's header and tag, and UDP and IP. */
const LOSSY_OVERHEAD_BYTES = 72;

/**
 * What two bridges know of each other beyond one session: messages under way, what each wants, and what each withholds. It outlives keys and outages; it starts
 * again when the peer shows another incarnation (a new process, or a link that was gone and is back).
 */
export class LinkDialogue {
  readonly #peer: BridgeId;
  readonly #incarnation: number;
  readonly #output: FrameOutput;
  readonly #counters: LinkCounters;
  readonly #sink: RelaySink;
  readonly #conferences = new Set<ConferenceId>();
  readonly #messagesOut: MessageSender;
  readonly #messagesIn = new MessageReceiver();
  readonly #held = new HeldSenders();
  readonly #lossy = new LossyAssembly();
  readonly #lossyPace = new LossyPace();
  readonly #parked = new ParkedMessages();
  readonly #wantsOut = new StateSender(isSameWant);
  readonly #wantsIn = new StateReceiver<Want>();
  readonly #withheldOut = new StateSender(isSameWithheld);
  readonly #withheldIn = new StateReceiver<Withheld>();
  #peerIncarnation = 0;
  #lossyNumber = 0;

  /** `incarnation`: random, 1 to 2^32 - 1, new for each instance. */
  constructor(peer: BridgeId, incarnation: number, output: FrameOutput, counters: LinkCounters, sink: RelaySink) {
    this.#peer = peer;
    this.#incarnation = incarnation;
    this.#output = output;
    this.#counters = counters;
    this.#sink = sink;
    this.#messagesOut = new MessageSender(incarnation);
  }

  /** How many reliable messages wait to be sent for the first time. */
  get queued(): number {
    return this.#messagesOut.queued;
  }

  /** Fragments of reliable messages that are sent and not acknowledged. */
  get underWay(): number {
    return this.#messagesOut.underWay;
  }

  get queuedBytes(): number {
    return this.#messagesOut.queuedBytes;
  }

  /** Bytes of reliable messages of the peer's that are not whole or not in order yet, or wait for their conference. */
  get unfinishedBytes(): number {
    return this.#messagesIn.assemblyBytes + this.#parked.bytes;
  }

  /** Senders that the peer holds; those of the peer's that we hold. */
  heldByPeer(nowMs: number): number {
    return this.#messagesOut.heldByPeer(nowMs);
  }

  get heldHere(): number {
    return this.#held.size;
  }

  shares(conferenceId: ConferenceId): boolean {
    return this.#conferences.has(conferenceId);
  }

  get conferenceCount(): number {
    return this.#conferences.size;
  }

  /** From now on frames of this conference count. Messages that came a little before are delivered. */
  addConference(nowMs: number, conferenceId: ConferenceId): void {
    if (this.#conferences.has(conferenceId)) return;
    this.#conferences.add(conferenceId);
    this.#wantsOut.addConference(conferenceId);
    this.#wantsIn.addConference(nowMs, conferenceId);
    this.#withheldOut.addConference(conferenceId);
    this.#withheldIn.addConference(nowMs, conferenceId);
    for (const message of this.#parked.release(conferenceId)) this.#deliver(message, true);
  }

  removeConference(nowMs: number, conferenceId: ConferenceId): void {
    if (!this.#conferences.delete(conferenceId)) return;
    this.#wantsOut.removeConference(nowMs, conferenceId);
    this.#wantsIn.removeConference(conferenceId);
    this.#withheldOut.removeConference(nowMs, conferenceId);
    this.#withheldIn.removeConference(conferenceId);
    this.#counters.messagesDropped += this.#messagesOut.dropConference(conferenceId);
  }

  /** Replaces what we want in a conference. False when it is not shared, or there are too many entries. */
  setWanted(conferenceId: ConferenceId, wants: readonly Want[]): boolean {
    return this.#wantsOut.set(
      conferenceId,
      wants.filter(want => layerMaskOf(want) !== 0),
    );
  }

  /** What the peer wants of us in a conference, as it has told last. */
  wantsOf(conferenceId: ConferenceId): readonly Want[] {
    return this.#wantsIn.stateOf(conferenceId);
  }

  /** Replaces what we withhold from the peer in a conference. False when it is not shared, or there are too many entries. */
  setWithheld(conferenceId: ConferenceId, withheld: readonly Withheld[]): boolean {
    return this.#withheldOut.set(conferenceId, withheld);
  }

  /** What the peer withholds from us in a conference, as it has told last. */
  withheldOf(conferenceId: ConferenceId): readonly Withheld[] {
    return this.#withheldIn.stateOf(conferenceId);
  }

  /** Accepts a reliable message for delivery: false when the queue is full or the message too large. */
  enqueue(conferenceId: ConferenceId, endpointId: EndpointId, bytes: Uint8Array): boolean {
    return this.#messagesOut.enqueue(conferenceId, endpointId, bytes);
  }

  /** Why the sender of a reliable message of this size had better wait; undefined when it may come. */
  obstacle(nowMs: number, conferenceId: ConferenceId, endpointId: EndpointId, bytes: number): Obstacle | undefined {
    return this.#messagesOut.obstacle(nowMs, conferenceId, endpointId, bytes);
  }

  /** Whether a sender that met an obstacle may go on. */
  isDrained(conferenceId: ConferenceId, endpointId: EndpointId): boolean {
    return this.#messagesOut.isDrained(conferenceId, endpointId);
  }

  /** The peer is gone for too long: drops reliable messages that have not been begun. Returns how many. */
  dropWaiting(): number {
    return this.#messagesOut.dropWaiting();
  }

  /** Makes the peer keep the messages of one of its senders, or no longer. */
  hold(nowMs: number, conferenceId: ConferenceId, endpointId: EndpointId, isHeld: boolean): void {
    if (isHeld) this.#held.hold(nowMs, conferenceId, endpointId);
    else this.#held.release(nowMs, conferenceId, endpointId);
  }

  /** Sends a lossy message, once. False when it is too large, over what lossy ones may take, or the port is full. */
  sendLossy(
    nowMs: number,
    session: LinkSession,
    conferenceId: ConferenceId,
    endpointId: EndpointId,
    bytes: Uint8Array,
  ): boolean {
    const count = lossyFragments(bytes.length);
    if (bytes.length > MESSAGE_BYTES_MAX || !this.#lossyPace.take(bytes.length + count * LOSSY_OVERHEAD_BYTES))
      return false;
    const message = this.#lossyNumber;
    this.#lossyNumber = (this.#lossyNumber + 1) % 0x100000000;
    for (let index = 0; index < count; index++) {
      const slot = this.#output.begin(nowMs, FRAME_LOSSY, 0, 0, conferenceId, endpointId);
      if (slot < 0) return false;
      const start = index * LOSSY_FRAGMENT_BYTES_MAX;
      const part = bytes.subarray(start, start + LOSSY_FRAGMENT_BYTES_MAX);
      const length = writeLossy(this.#output.bytes, slot + HEADER_BYTES, { message, index, count, bytes: part });
      this.#output.finish(nowMs, session, slot, length, false);
    }
    return true;
  }

  /**
   * The peer's incarnation as a frame of `session` says it. The first one of the newest session may be new: then everything starts again.
   * False: the frame is of a former incarnation, or contradicts its session; it must be dropped.
   */
  meet(nowMs: number, session: LinkSession, isNewest: boolean, incarnation: number): boolean {
    if (incarnation === 0) return false;
    if (session.peerIncarnation === 0) session.peerIncarnation = incarnation;
    if (session.peerIncarnation !== incarnation) return false;
    if (incarnation === this.#peerIncarnation) return true;
    if (!isNewest) return false;
    this.#peerIncarnation = incarnation;
    this.#counters.messagesAbandoned += this.#messagesOut.restart();
    this.#messagesIn.restart();
    this.#lossy.restart();
    this.#held.restart();
    this.#wantsOut.restart();
    this.#withheldOut.restart();
    for (const conferenceId of this.#wantsIn.restart(nowMs)) this.#sink.onWanted(this.#peer, conferenceId, []);
    for (const conferenceId of this.#withheldIn.restart(nowMs)) this.#sink.onWithheld(this.#peer, conferenceId, []);
    return true;
  }

  /** An authentic frame of one of the types handled here. Throws DecodeError. */
  handleFrame(
    nowMs: number,
    session: LinkSession,
    isNewest: boolean,
    rttMs: number,
    header: FrameHeader,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void {
    const conferenceId = header.conferenceId as ConferenceId;
    const endpointId = header.endpointId as EndpointId;
    switch (header.type) {
      case FRAME_RELIABLE: {
        const fragment = decodeReliable(bytes, offset, length);
        if (!this.meet(nowMs, session, isNewest, fragment.incarnation)) return;
        this.#messagesIn.handleFragment(conferenceId, endpointId, fragment);
        for (const message of this.#messagesIn.takeDeliveries()) this.#receive(nowMs, message);
        return;
      }
      case FRAME_LOSSY: {
        const fragment = decodeLossy(bytes, offset, length);
        const message = this.#lossy.handleFragment(nowMs, conferenceId, endpointId, fragment);
        if (message === undefined) return;
        if (this.shares(conferenceId)) this.#deliver(message, false);
        else this.#counters.foreign++;
        return;
      }
      case FRAME_MESSAGE_ACK: {
        const ack = decodeMessageAck(bytes, offset, length);
        if (this.meet(nowMs, session, isNewest, ack.incarnation)) this.#messagesOut.handleAck(nowMs, rttMs, ack);
        return;
      }
      case FRAME_WANTS: {
        const part = WANTS.decodePart(bytes, offset, length);
        if (!this.meet(nowMs, session, isNewest, part.incarnation) || !this.#expects(conferenceId)) return;
        const { ack, isChanged } = this.#wantsIn.handlePart(conferenceId, part);
        if (ack !== 0) this.#sendStateAck(nowMs, session, FRAME_WANTS_ACK, conferenceId, ack);
        if (isChanged) this.#sink.onWanted(this.#peer, conferenceId, this.wantsOf(conferenceId));
        return;
      }
      case FRAME_WITHHELD: {
        const part = WITHHELD.decodePart(bytes, offset, length);
        if (!this.meet(nowMs, session, isNewest, part.incarnation) || !this.#expects(conferenceId)) return;
        const { ack, isChanged } = this.#withheldIn.handlePart(conferenceId, part);
        if (ack !== 0) this.#sendStateAck(nowMs, session, FRAME_WITHHELD_ACK, conferenceId, ack);
        if (isChanged) this.#sink.onWithheld(this.#peer, conferenceId, this.withheldOf(conferenceId));
        return;
      }
      case FRAME_WANTS_ACK: {
        const ack = decodeStateAck(bytes, offset, length);
        if (this.meet(nowMs, session, isNewest, ack.incarnation)) this.#wantsOut.handleAck(conferenceId, ack);
        return;
      }
      case FRAME_WITHHELD_ACK: {
        const ack = decodeStateAck(bytes, offset, length);
        if (this.meet(nowMs, session, isNewest, ack.incarnation)) this.#withheldOut.handleAck(conferenceId, ack);
        return;
      }
    }
  }

  /** False, and counted, for a conference that is not shared (any more, or yet): what is not acknowledged comes again. */
  #expects(conferenceId: ConferenceId): boolean {
    if (this.shares(conferenceId)) return true;
    this.#counters.foreign++;
    return false;
  }

  /** Every 10 ms. `session` is undefined while the link is not up. */
  handleTimeout(nowMs: number, session: LinkSession | undefined, rttMs: number, room: LinkRoom): void {
    this.#counters.messagesDropped += this.#lossy.handleTimeout(nowMs) + this.#parked.handleTimeout(nowMs);
    this.#messagesOut.handleTimeout(nowMs, rttMs, room);
    this.#lossyPace.refill(nowMs, room.budgetBps);
    this.#counters.fragmentsRepeated = this.#messagesOut.repeated;
    if (session !== undefined) this.flush(nowMs, session, rttMs);
  }

  /** Sends what is due. Nothing is, before the peer has shown its incarnation in this session: it might be a new one. */
  flush(nowMs: number, session: LinkSession, rttMs: number): void {
    if (this.#peerIncarnation === 0 || session.peerIncarnation !== this.#peerIncarnation) return;
    this.#sendFragments(nowMs, session, rttMs);
    if (this.#messagesIn.isAckDue || this.#held.isDue(nowMs)) this.#sendMessageAck(nowMs, session);
    this.#sendState(nowMs, session, rttMs, FRAME_WANTS, WANTS, this.#wantsOut);
    this.#sendState(nowMs, session, rttMs, FRAME_WITHHELD, WITHHELD, this.#withheldOut);
    for (const conferenceId of this.#wantsIn.pollAsks(nowMs)) {
      this.#sendStateAck(nowMs, session, FRAME_WANTS_ACK, conferenceId, 0);
    }
    for (const conferenceId of this.#withheldIn.pollAsks(nowMs)) {
      this.#sendStateAck(nowMs, session, FRAME_WITHHELD_ACK, conferenceId, 0);
    }
  }

  #sendState<Entry>(
    nowMs: number,
    session: LinkSession,
    rttMs: number,
    type: number,
    format: StateFormat<Entry>,
    sender: StateSender<Entry>,
  ): void {
    for (const { conferenceId, version, entries } of sender.poll(nowMs, rttMs)) {
      for (let part = 0; part < format.partsOf(entries.length); part++) {
        const slot = this.#output.begin(nowMs, type, 0, 0, conferenceId, BRIDGE_ENDPOINT_ID);
        if (slot < 0) return;
        const payload = slot + HEADER_BYTES;
        const length = format.writePart(this.#output.bytes, payload, this.#incarnation, version, part, entries);
        this.#output.finish(nowMs, session, slot, length, true);
      }
    }
  }

  #sendFragments(nowMs: number, session: LinkSession, rttMs: number): void {
    for (;;) {
      const fragment = this.#messagesOut.pollFragment(nowMs, rttMs);
      if (fragment === undefined) return;
      const slot = this.#output.begin(nowMs, FRAME_RELIABLE, 0, 0, fragment.conferenceId, fragment.endpointId);
      if (slot < 0) return;
      const length = writeReliable(this.#output.bytes, slot + HEADER_BYTES, fragment);
      this.#output.finish(nowMs, session, slot, length, true, CLASS_VIDEO);
    }
  }

  #sendMessageAck(nowMs: number, session: LinkSession): void {
    const slot = this.#output.begin(nowMs, FRAME_MESSAGE_ACK, 0, 0, 0, BRIDGE_ENDPOINT_ID);
    if (slot < 0) return;
    const ack = this.#messagesIn.takeAck(this.#incarnation, this.#held.take(nowMs));
    const length = writeMessageAck(this.#output.bytes, slot + HEADER_BYTES, ack);
    this.#output.finish(nowMs, session, slot, length, false);
  }

  #sendStateAck(nowMs: number, session: LinkSession, type: number, conferenceId: ConferenceId, version: number): void {
    const slot = this.#output.begin(nowMs, type, 0, 0, conferenceId, BRIDGE_ENDPOINT_ID);
    if (slot < 0) return;
    const ack = { incarnation: this.#incarnation, version };
    this.#output.finish(nowMs, session, slot, writeStateAck(this.#output.bytes, slot + HEADER_BYTES, ack), false);
  }

  #receive(nowMs: number, message: ReceivedMessage): void {
    if (this.shares(message.conferenceId)) this.#deliver(message, true);
    else if (!this.#parked.park(nowMs, message)) this.#counters.messagesDropped++;
  }

  #deliver(message: ReceivedMessage, isReliable: boolean): void {
    this.#counters.messagesIn++;
    this.#sink.onRelayedMessage(this.#peer, message.conferenceId, message.endpointId, isReliable, message.bytes);
  }
}

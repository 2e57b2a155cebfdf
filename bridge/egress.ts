/**
 * What goes out, read straight down (DESIGN.md section 5): a burst of a source's packets to every subscriber here, then a frame of each to every link whose bridge
 * wants its layer. `DatagramPort` sends it all in one flush at the end of the turn.
 */
import type { ConferenceId } from '../protocol/ids.ts';
import { readUint32 } from '../protocol/rtp/packet.ts';
import { padRtp } from '../protocol/rtp/padding.ts';
import type { BridgeCounters } from './counters.ts';
import { takeEcho } from './echo.ts';
import type { Endpoint } from './endpoint.ts';
import type { DatagramPort } from './io/datagram-port.ts';
import { MediaPacket } from './media-packet.ts';
import type { Link } from './relay/link.ts';
import { CLASS_AUDIO, CLASS_KEY_FRAME, CLASS_VIDEO, type MediaClass } from './relay/media-class.ts';
import type { Relay } from './relay/relay.ts';
import type { Layer, Source } from './source.ts';
import type { Subscription } from './subscription.ts';

/**
 * Packets of a frame differ by a byte or two, because encoders split it evenly. Padded to a multiple of this they have one size, and leave for a subscriber as one run
 * (`DatagramPort.sendsRuns`). It costs 4 bytes a packet; audio, which comes alone, is left as it is.
 */
const RUN_MULTIPLE = 8;
const RUN_PACKET_BYTES_MIN = 500;

/** Packets forwarded together. They stay in their layer's history meanwhile, which holds more of the largest. */
const BURST_MAX = 16;

/** RFC 3550 section 5.1. */
const RTP_TIMESTAMP_OFFSET = 4;

export class Egress {
  readonly #port: DatagramPort<Endpoint>;
  readonly #relay: Relay;
  readonly #counters: BridgeCounters;
  readonly #past = new MediaPacket();
  readonly #burst = Array.from({ length: BURST_MAX }, () => new MediaPacket());
  #burstLength = 0;
  #burstSource: Source | undefined;
  #burstConferenceId = 0 as ConferenceId;
  /** Decided once: a packet that is sent again must be padded as it was (its SRTP index is the same). */
  readonly #padsRuns: boolean;

  constructor(port: DatagramPort<Endpoint>, relay: Relay, counters: BridgeCounters) {
    this.#port = port;
    this.#relay = relay;
    this.#counters = counters;
    this.#padsRuns = port.sendsRuns;
  }

  /**
   * Where the next packet of `source` is to be read into; {@link append} makes it part of the burst. Packets of one source that arrive in one turn are a burst, mostly of one frame: they
   * are forwarded subscriber by subscriber, so that a subscriber's state is fetched from memory once for all of them, and theirs leave as one run.
   */
  place(conferenceId: ConferenceId, source: Source): MediaPacket {
    if (this.#burstLength > 0 && (this.#burstSource !== source || this.#burstLength === BURST_MAX)) this.endBurst();
    this.#burstSource = source;
    this.#burstConferenceId = conferenceId;
    return this.#burst[this.#burstLength];
  }

  append(): void {
    this.#burstLength++;
  }

  /** Forwards the burst to everybody who is to have it. Called before anything that could change who that is, and when nothing more has arrived. */
  endBurst(): void {
    const packets = this.#burstLength;
    const source = this.#burstSource;
    if (packets === 0 || source === undefined) return;
    this.#burstLength = 0;
    this.#deliver(source, packets);
    for (let index = 0; index < source.echoes.length; index++) this.#deliverTo(source.echoes[index], source, packets);
  }

  /** The same burst in another conference: it is not read from the original's history any more after that. */
  #deliverTo(echo: Source, origin: Source, packets: number): void {
    const burst = this.#burst;
    let taken = 0;
    for (let index = 0; index < packets; index++) {
      const packet = burst[index];
      if (!takeEcho(origin, echo, packet)) continue;
      burst[index] = burst[taken];
      burst[taken++] = packet;
    }
    this.#burstConferenceId = echo.conference.id;
    if (taken > 0) this.#deliver(echo, taken);
  }

  #deliver(source: Source, packets: number): void {
    const subscriptions = source.subscriptions;
    for (let index = 0; index < subscriptions.length; index++) {
      // Before the keys are there nothing can be sent: a projection that began now would lose its key frame.
      if (subscriptions[index].endpoint.state === 'connected')
        this.#forwardBurst(subscriptions[index], source, packets);
    }
    for (let index = 0; index < packets; index++) this.#relayPacket(source, this.#burst[index]);
  }

  #forwardBurst(subscription: Subscription, source: Source, packets: number): void {
    const port = this.#port;
    const { outgoing } = port;
    const { projection } = subscription;
    const { transport } = subscription.endpoint;
    const { layers } = source;
    let slot = -1;
    for (let index = 0; index < packets; index++) {
      if (slot < 0) slot = port.reserve();
      if (slot < 0) {
        this.#counters.drop('egress-full');
        return;
      }
      const packet = this.#burst[index];
      const length = projection.project(packet, layers, outgoing, slot);
      if (length === 0) continue;
      transport.sendRtp(slot, this.#padded(slot, length));
      this.#counters.rtpOut++;
      slot = -1;
    }
    if (slot >= 0) port.cancel(slot);
  }

  #relayPacket(source: Source, packet: MediaPacket): void {
    const layer = source.layers[packet.layer];
    const { links } = layer;
    const { rtp } = packet;
    const mediaClass = links.length === 0 ? CLASS_VIDEO : classOf(layer, rtp.timestamp);
    for (let index = 0; index < links.length; index++) {
      this.#relay.sendPacket(
        links[index],
        this.#burstConferenceId,
        source.endpointId,
        source.sourceId,
        packet.layer,
        mediaClass,
        rtp.bytes,
        rtp.offset,
        rtp.length,
      );
      this.#counters.relayedOut++;
    }
  }

  /**
   * Begins a picture in the past: gives a subscriber that has none the layer from its newest key frame on, if that is young enough. False when a new key
   * frame is needed.
   */
  startFromHistory(nowMs: number, subscription: Subscription, layer: Layer): boolean {
    this.endBurst();
    const { projection, endpoint, source } = subscription;
    const first = layer.youngKeyFrame(nowMs);
    if (first < 0 || source === undefined || projection.currentLayer >= 0) return false;
    const packet = this.#past;
    for (let sequence = first; sequence <= layer.history.highest; sequence++) {
      if (!this.#readPast(layer, sequence)) continue;
      const slot = this.#port.reserve();
      if (slot < 0) {
        this.#counters.drop('egress-full');
        break;
      }
      const length = projection.project(packet, source.layers, this.#port.outgoing, slot);
      if (length === 0) {
        this.#port.cancel(slot);
        continue;
      }
      endpoint.transport.sendRtp(slot, this.#padded(slot, length));
      this.#counters.rtpOut++;
    }
    return projection.currentLayer === layer.index;
  }

  /** The same for a link whose bridge has begun to want the layer. */
  relayFromHistory(nowMs: number, conferenceId: ConferenceId, link: Link, layer: Layer): boolean {
    this.endBurst();
    const first = layer.youngKeyFrame(nowMs);
    if (first < 0) return false;
    const { endpointId, sourceId } = layer.source;
    for (let sequence = first; sequence <= layer.history.highest; sequence++) {
      const { bytes } = layer.history;
      const offset = layer.history.offsetOf(sequence);
      if (offset < 0) continue;
      const length = layer.history.lengthOf(sequence);
      const mediaClass = classOf(layer, readUint32(bytes, offset + RTP_TIMESTAMP_OFFSET));
      this.#relay.sendPacket(link, conferenceId, endpointId, sourceId, layer.index, mediaClass, bytes, offset, length);
      this.#counters.relayedOut++;
    }
    return true;
  }

  #padded(slot: number, length: number): number {
    if (!this.#padsRuns || length < RUN_PACKET_BYTES_MIN) return length;
    return padRtp(this.#port.outgoing, slot, length, RUN_MULTIPLE);
  }

  #readPast({ history, index }: Layer, sequence: number): boolean {
    const offset = history.offsetOf(sequence);
    if (offset < 0) return false;
    this.#past.read(history.bytes, offset, history.lengthOf(sequence), index, sequence, history.arrivedMsOf(sequence));
    return true;
  }

  /** Answers one lost packet of a subscriber from the history of the layer it came from. */
  retransmit(nowMs: number, endpoint: Endpoint, ssrc: number, sequence16: number, rttMs: number): void {
    this.endBurst();
    const subscription = endpoint.subscriptionBySsrc.get(ssrc);
    if (subscription?.source === undefined) return;
    const slot = this.#port.reserve();
    if (slot < 0) return this.#counters.drop('egress-full');
    const layers = subscription.source.layers;
    const length = subscription.projection.retransmit(nowMs, sequence16, rttMs, layers, this.#port.outgoing, slot);
    if (length === 0) return this.#port.cancel(slot);
    endpoint.transport.resendRtp(slot, this.#padded(slot, length));
    this.#counters.retransmitted++;
  }

  /** Sends a subscriber the current run again from its first packet, if that is what its key-frame request is about (run-replay.ts). */
  replayRun(nowMs: number, { endpoint, projection }: Subscription): boolean {
    const packets = projection.takeReplay(nowMs);
    for (let index = 0; index < packets; index++) {
      this.retransmit(nowMs, endpoint, projection.ssrc, (projection.runStart + index) & 0xffff, 0);
    }
    return packets > 0;
  }

  /** Passes an origin's sender report on to the links that carry its layer (FIELD: SR forwarded, everything else ends at its hop). */
  relaySenderReport(conferenceId: ConferenceId, layer: Layer, bytes: Uint8Array, offset: number, length: number): void {
    const { endpointId, sourceId } = layer.source;
    for (const link of layer.links) {
      this.#relay.sendPacket(link, conferenceId, endpointId, sourceId, layer.index, CLASS_AUDIO, bytes, offset, length);
    }
  }
}

function classOf({ source, keyFrameTimestamp }: Layer, timestamp: number): MediaClass {
  if (source.kind === 'audio') return CLASS_AUDIO;
  return timestamp === keyFrameTimestamp ? CLASS_KEY_FRAME : CLASS_VIDEO;
}

/**
 * What goes out, read straight down (DESIGN.md section 5): one packet of a layer to every subscriber here, then one frame to every link whose bridge wants
 * the layer. `DatagramPort` sends it all in one flush at the end of the turn.
 */
import type { ConferenceId } from '../protocol/ids.ts';
import type { BridgeCounters } from './counters.ts';
import type { Endpoint } from './endpoint.ts';
import type { DatagramPort } from './io/datagram-port.ts';
import { MediaPacket } from './media-packet.ts';
import type { Link } from './relay/link.ts';
import type { Relay } from './relay/relay.ts';
import type { Layer, Source } from './source.ts';
import type { Subscription } from './subscription.ts';

export class Egress {
  readonly #port: DatagramPort<Endpoint>;
  readonly #relay: Relay;
  readonly #counters: BridgeCounters;
  readonly #past = new MediaPacket();

  constructor(port: DatagramPort<Endpoint>, relay: Relay, counters: BridgeCounters) {
    this.#port = port;
    this.#relay = relay;
    this.#counters = counters;
  }

  /** Forwards `packet`, the newest of its layer's history, to everybody who is to have it. */
  forward(nowMs: number, conferenceId: ConferenceId, source: Source, packet: MediaPacket): void {
    const port = this.#port;
    const subscriptions = source.subscriptions;
    let slot = -1;
    for (let index = 0; index < subscriptions.length; index++) {
      if (slot < 0) slot = port.reserve();
      if (slot < 0) {
        this.#counters.drop('egress-full');
        continue;
      }
      const subscription = subscriptions[index];
      // Before the keys are there nothing can be sent: a projection that began now would lose its key frame.
      if (subscription.endpoint.state !== 'connected') continue;
      const length = subscription.projection.project(nowMs, packet, source.layers, port.outgoing, slot);
      if (length === 0) continue;
      subscription.endpoint.transport.sendRtp(slot, length);
      this.#counters.rtpOut++;
      slot = -1;
    }
    if (slot >= 0) port.cancel(slot);

    const links = source.layers[packet.layer].links;
    for (let index = 0; index < links.length; index++) {
      this.#relay.sendPacket(
        links[index],
        conferenceId,
        source.endpointId,
        source.sourceId,
        packet.layer,
        packet.rtp.bytes,
        packet.rtp.offset,
        packet.rtp.length,
      );
      this.#counters.relayedOut++;
    }
  }

  /**
   * Begins a picture in the past: gives a subscriber that has none the layer from its newest key frame on, if that is young enough. False when a new key
   * frame is needed.
   */
  startFromHistory(nowMs: number, subscription: Subscription, layer: Layer): boolean {
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
      const length = projection.project(packet.arrivedMs, packet, source.layers, this.#port.outgoing, slot);
      if (length === 0) {
        this.#port.cancel(slot);
        continue;
      }
      endpoint.transport.sendRtp(slot, length);
      this.#counters.rtpOut++;
    }
    return projection.currentLayer === layer.index;
  }

  /** The same for a link whose bridge has begun to want the layer. */
  relayFromHistory(nowMs: number, conferenceId: ConferenceId, link: Link, layer: Layer): boolean {
    const first = layer.youngKeyFrame(nowMs);
    if (first < 0) return false;
    const { endpointId, sourceId } = layer.source;
    for (let sequence = first; sequence <= layer.history.highest; sequence++) {
      const { bytes } = layer.history;
      const offset = layer.history.offsetOf(sequence);
      if (offset < 0) continue;
      const length = layer.history.lengthOf(sequence);
      this.#relay.sendPacket(link, conferenceId, endpointId, sourceId, layer.index, bytes, offset, length);
      this.#counters.relayedOut++;
    }
    return true;
  }

  #readPast({ history, index }: Layer, sequence: number): boolean {
    const offset = history.offsetOf(sequence);
    if (offset < 0) return false;
    this.#past.read(history.bytes, offset, history.lengthOf(sequence), index, sequence, history.arrivedMsOf(sequence));
    return true;
  }

  /** Answers one lost packet of a subscriber from the history of the layer it came from. */
  retransmit(nowMs: number, endpoint: Endpoint, ssrc: number, sequence16: number, rttMs: number): void {
    const subscription = endpoint.subscriptionBySsrc.get(ssrc);
    if (subscription?.source === undefined) return;
    const slot = this.#port.reserve();
    if (slot < 0) return this.#counters.drop('egress-full');
    const layers = subscription.source.layers;
    const length = subscription.projection.retransmit(nowMs, sequence16, rttMs, layers, this.#port.outgoing, slot);
    if (length === 0) return this.#port.cancel(slot);
    endpoint.transport.resendRtp(slot, length);
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
      this.#relay.sendPacket(link, conferenceId, endpointId, sourceId, layer.index, bytes, offset, length);
    }
  }
}

/**
 * What goes out, read straight down (DESIGN.md section 5): one packet of a layer to every subscriber here, then one frame to every link whose bridge wants
 * the layer. `DatagramPort` sends it all in one flush at the end of the turn.
 */
import type { ConferenceId } from '../protocol/ids.ts';
import type { BridgeCounters } from './counters.ts';
import type { Endpoint } from './endpoint.ts';
import type { DatagramPort } from './io/datagram-port.ts';
import type { MediaPacket } from './media-packet.ts';
import type { Relay } from './relay/relay.ts';
import type { Layer, Source } from './source.ts';

export class Egress {
  readonly #port: DatagramPort<Endpoint>;
  readonly #relay: Relay;
  readonly #counters: BridgeCounters;

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
        break;
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

  /** Passes an origin's sender report on to the links that carry its layer (FIELD: SR forwarded, everything else ends at its hop). */
  relaySenderReport(conferenceId: ConferenceId, layer: Layer, bytes: Uint8Array, offset: number, length: number): void {
    const { endpointId, sourceId } = layer.source;
    for (const link of layer.links) {
      this.#relay.sendPacket(link, conferenceId, endpointId, sourceId, layer.index, bytes, offset, length);
    }
  }
}

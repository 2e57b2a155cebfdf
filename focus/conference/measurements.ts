/** What the bridges of one conference measured last: how well each participant is connected, and how far bridges are from each other. */
import type { Quality } from '../../protocol/control/events.ts';
import type { BridgeId, EndpointId } from '../../protocol/ids.ts';

export interface EndpointMeasurement {
  readonly quality: Quality;
  /** Mean opinion score estimate, 1 to 5. */
  readonly score: number;
  /** Round trip between bridge and client; null until it is known. */
  readonly rttMs: number | null;
}

export class Measurements {
  readonly #endpoints = new Map<EndpointId, EndpointMeasurement>();
  readonly #links = new Map<BridgeId, Map<string, number>>();

  /** True when clients should hear of it: its quality has changed. For endpoints of the room only, so that it stays bounded. */
  set(endpointId: EndpointId, measurement: EndpointMeasurement): boolean {
    const before = this.#endpoints.get(endpointId);
    this.#endpoints.set(endpointId, measurement);
    return before?.quality !== measurement.quality;
  }

  endpoint(endpointId: EndpointId): EndpointMeasurement | undefined {
    return this.#endpoints.get(endpointId);
  }

  /** All links that a bridge reports for the conference. */
  setLinks(bridgeId: BridgeId, links: readonly { readonly bridgeId: string; readonly rttMs: number | null }[]): void {
    const known = new Map<string, number>();
    for (const link of links) if (link.rttMs !== null) known.set(link.bridgeId, link.rttMs);
    this.#links.set(bridgeId, known);
  }

  /** Round trip between two bridges: 0 for one and the same, null while neither end knows. */
  linkRttMs(from: BridgeId, to: BridgeId): number | null {
    if (from === to) return 0;
    return this.#links.get(from)?.get(to) ?? this.#links.get(to)?.get(from) ?? null;
  }

  forget(endpointId: EndpointId): void {
    this.#endpoints.delete(endpointId);
  }

  forgetBridge(bridgeId: BridgeId): void {
    this.#links.delete(bridgeId);
  }
}

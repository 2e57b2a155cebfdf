/** The links to all bridges that are up. */
import type { Logger } from 'pino';
import type { BridgeEvent } from '../../protocol/control/events.ts';
import type { BridgePeer } from '../../protocol/control/spec.ts';
import type { BridgeId, ConferenceId } from '../../protocol/ids.ts';
import type { KnownBridge } from '../bridges/bridge-registry.ts';
import type { FocusConfig } from '../config.ts';
import type { FocusMetrics } from '../metrics.ts';
import type { BridgeAnswer } from './bridge-client.ts';
import { type BridgeHealthView, BridgeHealthWatch } from './bridge-health-watch.ts';
import { BridgeLink } from './bridge-link.ts';
import type { BridgeListener } from './bridge-watch.ts';

export interface BridgeLinksOptions {
  readonly focusId: string;
  readonly secret: string;
  readonly timing: FocusConfig['bridges'];
  readonly metrics: FocusMetrics;
  readonly log: Logger;
  readonly nowMs: () => number;
}

/** Events that are not about the bridge's own life. */
export type ToldEvent = Exclude<BridgeEvent, { readonly kind: 'alive' | 'link' }>;

/** What the links tell. Set once, before the first bridge comes up. */
export interface BridgeLinksHandler {
  onEvent(bridgeId: BridgeId, event: ToldEvent): void;
  onUp(bridgeId: BridgeId): void;
  /** Its endpoints are gone, as far as this focus is concerned. */
  onDown(bridgeId: BridgeId, reason: string): void;
  /** All signs say that it is dead (focus/bridges/bridge-health.ts). It is down before this returns. */
  onLost(bridgeId: BridgeId, bootId: string): void;
}

export class BridgeLinks implements BridgeListener {
  readonly #options: BridgeLinksOptions;
  readonly #links = new Map<BridgeId, BridgeLink>();
  readonly #bridges = new Map<BridgeId, KnownBridge>();
  readonly #health: BridgeHealthWatch;
  #handler: BridgeLinksHandler | undefined;

  constructor(options: BridgeLinksOptions) {
    this.#options = options;
    this.#health = new BridgeHealthWatch({
      settings: options.timing,
      registry: options.metrics.registry,
      log: options.log,
      onDown: (bridgeId, bootId) => this.#handler?.onLost(bridgeId, bootId),
    });
  }

  /** Whether bridges live, and why it is thought so. */
  get health(): BridgeHealthView {
    return this.#health;
  }

  listen(handler: BridgeLinksHandler): void {
    this.#handler = handler;
  }

  link(bridgeId: BridgeId): BridgeLink | undefined {
    return this.#links.get(bridgeId);
  }

  peer(bridgeId: BridgeId): BridgePeer | undefined {
    return this.#bridges.get(bridgeId)?.report.peer;
  }

  /** A question to a bridge, or an order that is not state; undefined when it is not up. Rejects when it does not answer in time. */
  async ask(
    bridgeId: BridgeId,
    method: 'GET' | 'PUT',
    path: string,
    body?: unknown,
  ): Promise<BridgeAnswer | undefined> {
    return this.#links.get(bridgeId)?.ask(method, path, body);
  }

  /** Documents still on their way to any bridge. */
  get pending(): number {
    let pending = 0;
    for (const link of this.#links.values()) pending += link.pending;
    return pending;
  }

  bridgeReported({ bridgeId }: KnownBridge): void {
    this.#health.handleReport(bridgeId);
  }

  bridgeUp(bridge: KnownBridge): void {
    const { focusId, secret, timing, metrics, log, nowMs } = this.#options;
    const { bridgeId, report } = bridge;
    this.#links.get(bridgeId)?.close();
    const bridgeLog = log.child({ bridge: bridgeId, region: report.peer.region });
    const link = new BridgeLink({
      bridge,
      focusId,
      secret,
      requestTimeoutMs: timing.request_timeout_ms,
      retryDelayMsMin: timing.retry_delay_ms_min,
      retryDelayMsMax: timing.retry_delay_ms_max,
      silenceTimeoutMs: timing.silence_timeout_ms,
      metrics,
      nowMs,
      onEvent: event => {
        this.#health.handleEvent(bridgeId, event);
        if (event.kind !== 'alive' && event.kind !== 'link') this.#handler?.onEvent(bridgeId, event);
      },
      onStream: state => this.#health.handleStream(bridgeId, state),
      onTrouble: trouble => bridgeLog.warn({ trouble }, 'bridge trouble'),
    });
    this.#links.set(bridgeId, link);
    this.#bridges.set(bridgeId, bridge);
    this.#health.handleUp(bridge);
    bridgeLog.info({ version: report.version, controlUrl: report.controlUrl }, 'bridge up');
    this.#handler?.onUp(bridgeId);
  }

  bridgeDown({ bridgeId, report }: KnownBridge, reason: string): void {
    this.#links.get(bridgeId)?.close();
    this.#links.delete(bridgeId);
    this.#bridges.delete(bridgeId);
    this.#health.handleGone(bridgeId);
    this.#options.log.warn({ bridge: bridgeId, region: report.peer.region, reason }, 'bridge down');
    this.#handler?.onDown(bridgeId, reason);
  }

  /** Nothing of that conference is sent to any bridge any more, also not what was on its way: another focus does. */
  forgetConference(conferenceId: ConferenceId): void {
    for (const link of this.#links.values()) link.forgetConference(conferenceId);
  }

  close(): void {
    this.#health.close();
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
  }
}

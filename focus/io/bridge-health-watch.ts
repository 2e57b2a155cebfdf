/** Drives focus/bridges/bridge-health.ts: its clock, its probes, and what operators see of it. */
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { performance } from 'node:perf_hooks';
import type { Logger } from 'pino';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { BridgeEvent } from '../../protocol/control/events.ts';
import type { BridgeId } from '../../protocol/ids.ts';
import { BridgeHealth, type Health, type HealthChange } from '../bridges/bridge-health.ts';
import type { KnownBridge } from '../bridges/bridge-registry.ts';
import type { FocusConfig } from '../config.ts';

export interface BridgeHealthView {
  /** Undefined for a bridge that is not up. */
  health(bridgeId: BridgeId): Health | undefined;
  /** On these nobody new is placed while there is another bridge. */
  isSuspected(bridgeId: BridgeId): boolean;
  isVouchedFor(bridgeId: BridgeId): boolean;
  /** What became of bridges, newest first; the last {@link CHANGES_MAX}. */
  changes(): readonly HealthChange[];
}

export interface BridgeHealthWatchOptions {
  readonly settings: Pick<FocusConfig['bridges'], 'heartbeat_silence_ms' | 'silence_timeout_ms' | 'probe_timeout_ms'>;
  readonly registry: Registry;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  readonly onDown: (bridgeId: BridgeId, bootId: string) => void;
}

const TICK_MS = 50;
export const CHANGES_MAX = 200;

export class BridgeHealthWatch implements BridgeHealthView {
  readonly #options: BridgeHealthWatchOptions;
  readonly #core: BridgeHealth;
  readonly #controlUrls = new Map<BridgeId, string>();
  readonly #metrics: ReturnType<typeof createMetrics>;
  readonly #changes: HealthChange[] = [];
  readonly #closing = new AbortController();
  readonly #ticker: NodeJS.Timeout;

  constructor(options: BridgeHealthWatchOptions) {
    this.#options = options;
    const { heartbeat_silence_ms: streamSilentMs, silence_timeout_ms: slowStreamSilentMs } = options.settings;
    this.#core = new BridgeHealth({ streamSilentMs, slowStreamSilentMs });
    this.#metrics = createMetrics(options.registry, () => this.#suspected());
    this.#ticker = setInterval(() => this.#run(nowMs => this.#core.handleTimeout(nowMs)), TICK_MS);
    this.#ticker.unref();
  }

  handleUp({ bridgeId, report }: KnownBridge): void {
    this.#controlUrls.set(bridgeId, report.controlUrl);
    this.#run(nowMs => this.#core.handleUp(nowMs, bridgeId, report.bootId, report.peer.region));
  }

  handleGone(bridgeId: BridgeId): void {
    this.#controlUrls.delete(bridgeId);
    this.#core.handleGone(bridgeId);
  }

  handleStream(bridgeId: BridgeId, state: 'open' | 'closed'): void {
    this.#run(nowMs => {
      if (state === 'open') this.#core.handleStreamOpen(nowMs, bridgeId);
      else this.#core.handleStreamClosed(nowMs, bridgeId);
    });
  }

  handleEvent(bridgeId: BridgeId, event: BridgeEvent): void {
    this.#run(nowMs => {
      const hasHeartbeat = 'report' in event ? event.report.heartbeatMs !== undefined : undefined;
      this.#core.handleLine(nowMs, bridgeId, hasHeartbeat);
      if (event.kind === 'link') this.#core.handleNeighbour(nowMs, bridgeId, event.bridgeId as BridgeId, event.state);
    });
  }

  handleReport(bridgeId: BridgeId): void {
    this.#run(nowMs => this.#core.handleReport(nowMs, bridgeId));
  }

  health(bridgeId: BridgeId): Health | undefined {
    return this.#core.health(bridgeId);
  }

  isSuspected(bridgeId: BridgeId): boolean {
    return this.#core.health(bridgeId)?.state === 'suspected';
  }

  isVouchedFor(bridgeId: BridgeId): boolean {
    return this.#core.isVouchedFor(bridgeId);
  }

  changes(): readonly HealthChange[] {
    return this.#changes.toReversed();
  }

  close(): void {
    clearInterval(this.#ticker);
    this.#closing.abort();
  }

  #run(handle: (nowMs: number) => void): void {
    if (this.#closing.signal.aborted) return;
    handle(steadyNowMs());
    for (let output = this.#core.pollOutput(); output !== undefined; output = this.#core.pollOutput()) {
      if (output.kind === 'probe') void this.#probe(output.bridgeId);
      else this.#tell(output.change);
    }
  }

  #tell(change: HealthChange): void {
    this.#changes.push(change);
    if (this.#changes.length > CHANGES_MAX) this.#changes.shift();
    const { bridgeId, bootId, state, before, rule, signs, unheardMs } = change;
    const fields = { bridge: bridgeId, health: state, before, rule, signs, unheardMs: Math.round(unheardMs) };
    this.#metrics.changes.inc({ state, rule });
    if (state === 'up') this.#options.log.info(fields, 'bridge is heard again');
    else this.#options.log.warn(fields, state === 'down' ? 'bridge is dead' : 'bridge is suspected');
    if (state !== 'down') return;
    this.#metrics.detection.observe(unheardMs / 1000);
    this.#options.onDown(bridgeId, bootId);
  }

  async #probe(bridgeId: BridgeId): Promise<void> {
    const url = this.#controlUrls.get(bridgeId);
    const { probe_timeout_ms: timeoutMs } = this.#options.settings;
    const result = url === undefined ? 'silent' : await probe(url, timeoutMs, this.#closing.signal);
    this.#metrics.probes.inc({ result });
    this.#run(nowMs => this.#core.handleProbe(nowMs, bridgeId, result));
  }

  #suspected(): number {
    let suspected = 0;
    for (const bridgeId of this.#controlUrls.keys()) if (this.isSuspected(bridgeId)) suspected++;
    return suspected;
  }
}

/** Does not jump with the system's clock, and reads like it. */
function steadyNowMs(): number {
  return performance.timeOrigin + performance.now();
}

/** Whether anybody listens there, and answers: any status is an answer. On a connection of its own, since one kept open says nothing of now. */
function probe(
  controlUrl: string,
  timeoutMs: number,
  closing: AbortSignal,
): Promise<'answered' | 'silent' | 'refused'> {
  return new Promise(resolve => {
    const url = new URL('/healthz', controlUrl);
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const signal = AbortSignal.any([closing, AbortSignal.timeout(timeoutMs)]);
    const request = send(url, { agent: false, signal, headers: { connection: 'close' } }, response => {
      response.resume();
      resolve('answered');
    });
    // What comes after the answer is of no interest.
    request.on('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code === 'ECONNREFUSED' ? 'refused' : 'silent'),
    );
    request.end();
  });
}

function createMetrics(registry: Registry, suspected: () => number) {
  new Gauge({
    name: 'causeway_focus_bridges_suspected',
    help: 'Bridges on which nobody new is placed because signs of life are missing',
    registers: [registry],
    collect() {
      this.set(suspected());
    },
  });
  return {
    changes: new Counter({
      name: 'causeway_focus_bridge_health_changes_total',
      help: 'Changes of what is thought of the life of bridges, by new state and rule',
      labelNames: ['state', 'rule'],
      registers: [registry],
    }),
    probes: new Counter({
      name: 'causeway_focus_bridge_probes_total',
      help: 'Questions to control ports of bridges whose event stream was silent',
      labelNames: ['result'],
      registers: [registry],
    }),
    detection: new Histogram({
      name: 'causeway_focus_bridge_death_seconds',
      help: 'From the last word of a bridge to being taken for dead',
      buckets: [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 5],
      registers: [registry],
    }),
  };
}

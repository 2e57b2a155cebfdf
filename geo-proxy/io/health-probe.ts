import type { Logger } from 'pino';
import type { FocusHealth } from '../focus-health.ts';
import type { ProxyMetrics } from '../metrics.ts';

export interface ProbeOptions {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly now: () => number;
}

export interface HealthProbe {
  close(): void;
}

/** Looks at `/healthz` of every focus, all at once, then waits. Says when a focus goes and when it is back, not every time. */
export function startHealthProbe(
  health: FocusHealth,
  options: ProbeOptions,
  metrics: ProxyMetrics,
  log: Logger,
): HealthProbe {
  const closed = new AbortController();
  let timer: NodeJS.Timeout | undefined;

  async function round(): Promise<void> {
    await Promise.all(health.focuses().map(look));
    if (!closed.signal.aborted) timer = setTimeout(round, options.intervalMs).unref();
  }

  async function look(focus: string): Promise<void> {
    const wasHealthy = health.isHealthy(options.now(), focus);
    const isUp = await isAnswering(focus);
    if (closed.signal.aborted) return;
    health.handleProbe(focus, isUp);
    const isHealthy = health.isHealthy(options.now(), focus);
    metrics.focusUp.set({ focus }, isHealthy ? 1 : 0);
    if (wasHealthy && !isHealthy) log.warn({ focus }, 'focus does not answer: its clients go to the next nearest');
    if (!wasHealthy && isHealthy) log.info({ focus }, 'focus answers again');
  }

  async function isAnswering(focus: string): Promise<boolean> {
    try {
      const signal = AbortSignal.any([closed.signal, AbortSignal.timeout(options.timeoutMs)]);
      const response = await fetch(new URL('/healthz', focus), { signal, redirect: 'error' });
      await response.body?.cancel();
      return response.ok;
    } catch {
      return false;
    }
  }

  void round();
  return {
    close() {
      closed.abort();
      clearTimeout(timer);
    },
  };
}

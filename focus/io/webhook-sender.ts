/** Sends webhooks: one queue for each URL, which decides; here are the requests and the clock. */
import type { Logger } from 'pino';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { TokenKeys } from '../api/token-keys.ts';
import type { Notice } from '../conference/notice.ts';
import { newSid, type Random } from '../conference/random.ts';
import type { FocusConfig } from '../config.ts';
import { WEBHOOK_CONTENT_TYPE, webhookBody, webhookToken } from '../webhooks/webhook-event.ts';
import { type WebhookDelivery, type WebhookOutcome, WebhookQueue } from '../webhooks/webhook-queue.ts';

export interface WebhookSenderOptions {
  readonly config: FocusConfig['webhook'];
  readonly keys: TokenKeys;
  readonly registry: Registry;
  readonly log: Logger;
  readonly random: Random;
  readonly nowMs: () => number;
}

export interface WebhookSender {
  /** Takes an event for every URL; never waits. */
  notify(notice: Notice): void;
  /** Waits up to `waitMs` for what is on its way, then ends it. */
  close(waitMs: number): Promise<void>;
}

/** Statuses that a later attempt may change; of the others, 2xx is a yes and the rest a no. */
const PASSING_STATUSES: readonly number[] = [408, 425, 429];
/** How often closing looks whether everything has gone out. */
const CLOSE_STEP_MS = 10;

/** Without URLs it does nothing. */
export function createWebhookSender(options: WebhookSenderOptions): WebhookSender {
  const metrics = webhookMetrics(options.registry, () => targets.reduce((size, { queue }) => size + queue.size, 0));
  const targets = options.config.urls.map(url => createTarget(url, options, metrics));
  return {
    notify(notice) {
      if (targets.length === 0) return;
      const entry = { id: newSid('EV_', options.random), atMs: options.nowMs(), notice };
      for (const target of targets) target.push(entry);
    },
    async close(waitMs) {
      const deadlineMs = options.nowMs() + waitMs;
      const isBusy = () => targets.some(({ queue }) => queue.size > 0);
      while (isBusy() && options.nowMs() < deadlineMs) await new Promise(resolve => setTimeout(resolve, CLOSE_STEP_MS));
      for (const target of targets) target.close();
    },
  };
}

interface Target {
  readonly queue: WebhookQueue;
  push(entry: WebhookDelivery['entry']): void;
  close(): void;
}

function createTarget(url: string, options: WebhookSenderOptions, metrics: WebhookMetrics): Target {
  const { config, keys, log, nowMs, random } = options;
  const queue = new WebhookQueue(
    {
      eventsMax: config.queue_max,
      ageMsMax: config.event_age_ms_max,
      retryDelayMsMin: config.retry_delay_ms_min,
      retryDelayMsMax: config.retry_delay_ms_max,
    },
    random,
  );
  const closing = new AbortController();
  // What is in its query may be a secret.
  const { origin, pathname } = new URL(url);
  let timer: NodeJS.Timeout | undefined;

  function pump(): void {
    if (closing.signal.aborted) return;
    for (let delivery = queue.pollOutput(nowMs()); delivery !== undefined; delivery = queue.pollOutput(nowMs())) {
      void deliver(delivery);
    }
    for (const [result, count] of Object.entries(queue.drainCounts())) metrics.events.inc({ result }, count);
    clearTimeout(timer);
    const deadlineMs = queue.pollTimeout();
    if (deadlineMs === undefined) return;
    timer = setTimeout(
      () => {
        queue.handleTimeout(nowMs());
        pump();
      },
      Math.max(0, deadlineMs - nowMs()),
    );
    timer.unref();
  }

  async function deliver(delivery: WebhookDelivery): Promise<void> {
    const { event, room } = delivery.entry.notice;
    let outcome: WebhookOutcome;
    try {
      const status = await post(delivery);
      outcome = outcomeOf(status);
      if (outcome !== 'delivered')
        log.warn({ url: origin + pathname, event, room: room.name, status }, 'webhook refused');
    } catch (error) {
      outcome = 'failed';
      if (!closing.signal.aborted) {
        log.warn({ url: origin + pathname, event, room: room.name, error: reasonOf(error) }, 'webhook failed');
      }
    }
    queue.handleOutcome(nowMs(), delivery, outcome);
    pump();
  }

  async function post(delivery: WebhookDelivery): Promise<number> {
    const secret = keys.secret(config.api_key);
    if (secret === undefined) throw new Error(`webhook.api_key ${config.api_key} has no secret`);
    const body = webhookBody(delivery);
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': WEBHOOK_CONTENT_TYPE,
        authorization: await webhookToken(config.api_key, secret, body, nowMs()),
      },
      body,
      redirect: 'manual',
      signal: AbortSignal.any([closing.signal, AbortSignal.timeout(config.request_timeout_ms)]),
    });
    await response.body?.cancel();
    return response.status;
  }

  return {
    queue,
    push(entry) {
      queue.push(entry);
      pump();
    },
    close() {
      closing.abort();
      clearTimeout(timer);
    },
  };
}

function outcomeOf(status: number): WebhookOutcome {
  if (status >= 200 && status < 300) return 'delivered';
  return status >= 500 || PASSING_STATUSES.includes(status) ? 'failed' : 'refused';
}

/** fetch hides the reason in the cause. */
function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? cause.message : message;
}

interface WebhookMetrics {
  readonly events: Counter<'result'>;
}

function webhookMetrics(registry: Registry, queued: () => number): WebhookMetrics {
  new Gauge({
    name: 'causeway_focus_webhooks_queued',
    help: 'Webhook events waiting or under way',
    registers: [registry],
    collect() {
      this.set(queued());
    },
  });
  const events = new Counter({
    name: 'causeway_focus_webhooks_total',
    help: 'Webhook events by what became of them; failed counts attempts',
    labelNames: ['result'],
    registers: [registry],
  });
  return { events };
}

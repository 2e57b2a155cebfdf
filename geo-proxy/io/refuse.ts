import type { ServerResponse } from 'node:http';
import { PROXY_ERRORS, type Refusal } from '../errors.ts';
import type { ProxyMetrics } from '../metrics.ts';

/** Answers `{ error: { code, message } }` with the status of the code, and counts it. */
export function refuse(response: ServerResponse, refusal: Refusal, metrics: ProxyMetrics): void {
  metrics.refusals.inc({ code: refusal.code });
  answerJson(response, PROXY_ERRORS[refusal.code], { error: refusal });
}

/** Answers with JSON that no cache may keep. */
export function answerJson(response: ServerResponse, status: number, value: unknown): void {
  const body = Buffer.from(`${JSON.stringify(value, null, 2)}\n`);
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': body.length,
    'cache-control': 'no-store',
  });
  response.end(body);
}

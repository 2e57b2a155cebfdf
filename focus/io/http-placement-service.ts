/** The question to the external placement service over HTTP: one POST for each join, with a time limit. */
import type { Logger } from 'pino';
import type { BridgeId } from '../../protocol/ids.ts';
import type { KnownBridge } from '../bridges/bridge-registry.ts';
import type { Advice, AskService, NoAdvice } from '../placement/advice.ts';
import type { PlacementSettings } from '../placement/choose-bridge.ts';
import { createPlacementService, type PlacementService } from '../placement/placement-service.ts';
import type { PlacementServiceConfig } from '../placement/service-config.ts';

/** An answer is a name. */
const ANSWER_BYTES_MAX = 4_096;

export interface HttpPlacementOptions {
  readonly settings: PlacementSettings & { readonly http: PlacementServiceConfig };
  readonly bridges: () => readonly KnownBridge[];
  readonly log: Logger;
  readonly nowMs: () => number;
}

/** Undefined when no URL is configured. */
export function createHttpPlacement({
  settings,
  bridges,
  log,
  nowMs,
}: HttpPlacementOptions): PlacementService | undefined {
  const { http } = settings;
  if (http.url === '') return undefined;
  const { origin, pathname } = new URL(http.url);
  // Without the query: it may hold a key.
  const service = `${origin}${pathname}`;
  return createPlacementService({
    ask: askOverHttp(http),
    bridges,
    breaker: http,
    load: settings,
    nowMs,
    onChange: isAnswering => {
      if (isAnswering) log.info({ service }, 'the placement service answers again');
      else
        log.warn({ service, fallback: http.fallback }, 'the placement service does not answer: joins go on without it');
    },
  });
}

/** The body that is sent is {@link AdviceRequest} as JSON; `{"bridge": "name"}` names one, `{"bridge": null}` or status 204 is no opinion. */
export function askOverHttp(config: PlacementServiceConfig): AskService {
  const headers = new Headers(config.headers);
  headers.set('content-type', 'application/json');
  if (config.secret !== '') headers.set('authorization', `Bearer ${config.secret}`);
  return async request => {
    const signal = AbortSignal.timeout(config.timeout_ms);
    try {
      const response = await fetch(config.url, {
        method: 'POST',
        headers,
        body: JSON.stringify(request),
        // Elsewhere the secret would be told to whoever is there.
        redirect: 'error',
        signal,
      });
      if (!response.ok) {
        await response.body?.cancel();
        return none('failed');
      }
      return response.status === 204 ? none('no-opinion') : readAnswer(await readText(response));
    } catch {
      return none(signal.aborted ? 'timed-out' : 'failed');
    }
  };
}

function readAnswer(text: string | undefined): Advice {
  if (text === undefined) return none('invalid-answer');
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    return none('invalid-answer');
  }
  if (typeof answer !== 'object' || answer === null || !('bridge' in answer)) return none('invalid-answer');
  if (answer.bridge === null) return none('no-opinion');
  return typeof answer.bridge === 'string' && answer.bridge !== ''
    ? { kind: 'named', bridgeId: answer.bridge as BridgeId }
    : none('invalid-answer');
}

/** Undefined when it is longer than any answer. */
async function readText(response: Response): Promise<string | undefined> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > ANSWER_BYTES_MAX) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function none(reason: NoAdvice): Advice {
  return { kind: 'none', reason };
}

/** HTTP to one focus, with errors that say what to do. */
import type { Connection } from '../command-line.ts';

/** A focus answers in milliseconds; for `/v1/links` it waits two seconds for its bridges. */
const REQUEST_TIMEOUT_MS = 10_000;

export interface Request {
  readonly method?: 'GET' | 'PUT' | 'POST';
  readonly path: string;
  readonly token: string;
  readonly body?: unknown;
  /** Statuses besides 2xx that are answers too. */
  readonly answers?: readonly number[];
  /** For what takes as long as a client does; absent: ten seconds. */
  readonly timeoutMs?: number;
}

/** The answer's JSON. Rejects with an Error whose message is for the user. */
export async function askFocus<T>(connection: Connection, request: Request): Promise<T> {
  const { method = 'GET', path, token, body, answers = [], timeoutMs = REQUEST_TIMEOUT_MS } = request;
  const { url, apiKey } = connection;
  let response: Response;
  try {
    response = await fetch(`${url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    });
  } catch (error) {
    const { cause, message } = error as Error;
    const reason = cause instanceof Error ? cause.message || String((cause as NodeJS.ErrnoException).code) : message;
    throw new Error(`no focus answers at ${url}: ${reason}; --url or LIVEKIT_URL says where it is`);
  }
  const answer: unknown = await response.json().catch(() => null);
  if (response.ok || answers.includes(response.status)) {
    if (answer === null) throw new Error(`${url} answered without JSON: it is no focus`);
    return answer as T;
  }
  const reason = messageOf(answer) ?? `status ${response.status}`;
  if (response.status !== 401) throw new Error(reason);
  throw new Error(`${reason}; the focus has to know the key ${apiKey} with this secret (--api-key, --api-secret)`);
}

/** The focus's own errors, and Twirp's. */
function messageOf(answer: unknown): string | undefined {
  const { error, msg } = (answer ?? {}) as { error?: { message?: string } | string; msg?: string };
  return typeof error === 'object' ? error.message : msg;
}

import type { Logger } from 'pino';
import type { BridgeReport } from '../../protocol/control/events.ts';
import { signServiceToken } from '../../protocol/control/service-token.ts';

/** A bridge says that it is there this often; a focus forgets it 10 s after the last time. */
export const REPORT_PERIOD_MS = 2_000;
const REQUEST_TIMEOUT_MS = 2_000;
/** Until a focus answers for the first time it is asked this often, so that both may start in any order. */
const FIRST_RETRY_MS = 200;

export interface RegistrationOptions {
  readonly bridgeId: string;
  readonly focusUrls: readonly string[];
  readonly secret: string;
  readonly report: () => BridgeReport;
  readonly log: Logger;
}

/** Keeps every configured focus informed of this bridge. One log line when a focus is lost or found again, none in between. */
export class Registration {
  readonly #options: RegistrationOptions;
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #reachable = new Map<string, boolean>();
  #isClosed = false;

  constructor(options: RegistrationOptions) {
    this.#options = options;
    for (const url of options.focusUrls) void this.#keep(url);
  }

  /** How many of the focuses took the last report. */
  get registeredWith(): number {
    let count = 0;
    for (const isReachable of this.#reachable.values()) if (isReachable) count++;
    return count;
  }

  close(): void {
    this.#isClosed = true;
    for (const timer of this.#timers) clearTimeout(timer);
  }

  async #keep(url: string): Promise<void> {
    const isReachable = await this.#tell(url);
    if (this.#isClosed) return;
    const { log } = this.#options;
    const before = this.#reachable.get(url);
    if (isReachable && before !== true) log.info({ focus: url }, 'registered with focus');
    if (!isReachable && before === true) log.warn({ focus: url }, 'focus does not take reports');
    this.#reachable.set(url, isReachable);
    const delayMs = isReachable
      ? REPORT_PERIOD_MS
      : before === undefined || !before
        ? FIRST_RETRY_MS
        : REPORT_PERIOD_MS;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      void this.#keep(url);
    }, delayMs);
    this.#timers.add(timer);
  }

  async #tell(url: string): Promise<boolean> {
    const { bridgeId, secret, report } = this.#options;
    try {
      const response = await fetch(`${url}/v1/bridges/${bridgeId}`, {
        method: 'PUT',
        headers: {
          authorization: `Bearer ${await signServiceToken(secret, bridgeId)}`,
          'content-type': 'application/json',
        },
        body: JSON.stringify(report()),
        signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
      });
      await response.arrayBuffer();
      if (!response.ok) this.#options.log.debug({ focus: url, status: response.status }, 'focus refused the report');
      return response.ok;
    } catch {
      return false;
    }
  }
}

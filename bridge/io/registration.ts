import type { Logger } from 'pino';
import type { BridgeReport } from '../../protocol/control/events.ts';
import { signServiceToken } from '../../protocol/control/service-token.ts';
import { type Clock, SYSTEM_CLOCK } from './clock.ts';

/** A bridge says that it is there this often; a focus forgets it 10 s after the last time. */
export const REPORT_PERIOD_MS = 2_000;
const REQUEST_TIMEOUT_MS = 2_000;
/** Bridges and focus start in any order: for this long a focus that has not taken a report yet is asked more often, and nobody is warned. */
export const START_MS = 3_000;
const START_RETRY_MS = 200;

export interface RegistrationOptions {
  readonly bridgeId: string;
  readonly focusUrls: readonly string[];
  readonly secret: string;
  readonly report: () => BridgeReport;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  readonly clock?: Clock;
}

/** One focus, as this bridge knows it. */
interface Focus {
  readonly url: string;
  readonly askedFirstMs: number;
  /** It took the last report. */
  isRegistered: boolean;
  /** It has taken a report before. */
  wasRegistered: boolean;
  /** Somebody was told that it takes none. */
  isWarned: boolean;
  callOff: () => void;
}

/** Why a report was not taken: the HTTP status of the answer, or what went wrong before there was one. Never the token. */
type Refusal = { readonly status: number } | { readonly error: string };

/**
 * Keeps every configured focus informed of this bridge. One warning when a focus is lost, or has taken no report 3 s after the start; one line when it
 * takes them (again); none in between.
 */
export class Registration {
  readonly #options: RegistrationOptions;
  readonly #clock: Clock;
  readonly #focuses: readonly Focus[];
  readonly #closing = new AbortController();

  constructor(options: RegistrationOptions) {
    this.#options = options;
    this.#clock = options.clock ?? SYSTEM_CLOCK;
    this.#focuses = options.focusUrls.map(url => ({
      url,
      askedFirstMs: this.#clock.nowMs(),
      isRegistered: false,
      wasRegistered: false,
      isWarned: false,
      callOff: () => {},
    }));
    for (const focus of this.#focuses) void this.#keep(focus);
  }

  /** How many of the focuses took the last report. */
  get registeredWith(): number {
    return this.#focuses.filter(({ isRegistered }) => isRegistered).length;
  }

  /** Each configured focus, and whether it took the last report. */
  get focuses(): readonly { readonly url: string; readonly isRegistered: boolean }[] {
    return this.#focuses;
  }

  /** Asks nobody any more; a request under way is given up. */
  close(): void {
    this.#closing.abort();
    for (const focus of this.#focuses) focus.callOff();
  }

  async #keep(focus: Focus): Promise<void> {
    const refusal = await this.#tell(focus.url);
    if (this.#closing.signal.aborted) return;
    if (refusal === undefined) this.#accept(focus);
    else this.#refuse(focus, refusal);
    const delayMs = focus.wasRegistered || !this.#isStarting(focus) ? REPORT_PERIOD_MS : START_RETRY_MS;
    focus.callOff = this.#clock.after(delayMs, () => void this.#keep(focus));
  }

  #accept(focus: Focus): void {
    if (!focus.isRegistered) this.#options.log.info({ focus: focus.url }, 'registered with focus');
    focus.isRegistered = true;
    focus.wasRegistered = true;
    focus.isWarned = false;
  }

  #refuse(focus: Focus, refusal: Refusal): void {
    focus.isRegistered = false;
    if (focus.isWarned || (!focus.wasRegistered && this.#isStarting(focus))) return;
    focus.isWarned = true;
    const hint =
      'status' in refusal && refusal.status === 401
        ? { hint: 'control.secret must be the same on focus and bridge' }
        : {};
    this.#options.log.warn(
      { focus: focus.url, ...refusal, ...hint },
      focus.wasRegistered ? 'focus takes no reports any more' : 'focus has never taken a report of this bridge',
    );
  }

  #isStarting(focus: Focus): boolean {
    return this.#clock.nowMs() - focus.askedFirstMs < START_MS;
  }

  /** Undefined when the focus took the report. */
  async #tell(url: string): Promise<Refusal | undefined> {
    const { bridgeId, secret, report } = this.#options;
    try {
      const response = await fetch(`${url.replace(/\/+$/, '')}/v1/bridges/${bridgeId}`, {
        method: 'PUT',
        headers: {
          authorization: `Bearer ${await signServiceToken(secret, bridgeId)}`,
          'content-type': 'application/json',
        },
        body: JSON.stringify(report()),
        signal: AbortSignal.any([AbortSignal.timeout(REQUEST_TIMEOUT_MS), this.#closing.signal]),
      });
      await response.arrayBuffer();
      return response.ok ? undefined : { status: response.status };
    } catch (error) {
      return { error: describeError(error as Error) };
    }
  }
}

/** fetch says "fetch failed" and keeps the reason in `cause`; of several addresses tried, the reason has a code and no message. */
function describeError({ message, cause }: Error): string {
  if (!(cause instanceof Error)) return message;
  return cause.message || (cause as NodeJS.ErrnoException).code || message;
}

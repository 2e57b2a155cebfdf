/** Whether this focus is reached at the URL that it tells the others: if not, they take it for dead, and nobody says why. */
import type { Logger } from 'pino';
import { PeerLink, type PeerLinkOptions, PeerUnavailable } from './peer-link.ts';

export interface SelfCheckOptions extends Omit<PeerLinkOptions, 'focusId' | 'ownFocusId' | 'url' | 'onClosed'> {
  readonly focusId: string;
  readonly bootId: string;
  /** As the store has it. */
  readonly url: string;
  readonly log: Logger;
  readonly delayMs?: number;
  readonly repeatMs?: number;
}

/** A load balancer in between may wait for readiness first. */
const DELAY_MS = 5_000;
/** While it is not reached. */
const REPEAT_MS = 60_000;
const REMEDY =
  'set peers.advertise_url to where the other focuses reach this one, and let its port and /v1/peers through to it alone';

/** Asks once a little after the start, and again until it is reached. Answers what ends that. */
export function checkSelf(options: SelfCheckOptions): () => void {
  const { url, log, delayMs = DELAY_MS, repeatMs = REPEAT_MS } = options;
  let hasFailed = false;
  let timer = setTimeout(check, delayMs).unref();
  let isClosed = false;

  async function check(): Promise<void> {
    const problem = await problemAt(options);
    if (isClosed) return;
    if (problem === undefined) {
      if (hasFailed) log.info({ url }, 'this focus is reached at its advertised URL now');
      return;
    }
    hasFailed = true;
    log.warn({ url, problem, remedy: REMEDY }, 'other focuses do not reach this one at its advertised URL');
    timer = setTimeout(check, repeatMs).unref();
  }

  return () => {
    isClosed = true;
    clearTimeout(timer);
  };
}

async function problemAt(options: SelfCheckOptions): Promise<string | undefined> {
  const { focusId, bootId } = options;
  try {
    const link = await PeerLink.open({ ...options, ownFocusId: focusId, onClosed: () => {} });
    link.close('it was reached');
    return link.bootId === bootId ? undefined : `another process answers there by the name ${focusId}`;
  } catch (error) {
    return error instanceof PeerUnavailable ? error.message : String(error);
  }
}

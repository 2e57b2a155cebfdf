/**
 * Brings documents of desired state to one bridge. Each has one request under way at most; meanwhile only the newest state waits. What fails
 * is tried again for as long as the bridge is known.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { BridgeAnswer } from './bridge-client.ts';

export interface DesiredDocument {
  /** Without its version. */
  readonly body: Readonly<Record<string, unknown>>;
  /** Grows with every change of this document. */
  readonly revision: number;
  /** The bridge has it: called with the revision it has, and its answer. */
  readonly onTaken: (revision: number, body: unknown) => void;
  /** The bridge will never take it: the document is wrong, or too much. It is not sent again until it changes. */
  readonly onRefused: (status: number) => void;
}

export interface DocumentSenderOptions {
  readonly request: (method: 'PUT' | 'DELETE', path: string, body?: unknown) => Promise<BridgeAnswer>;
  readonly retryDelayMsMin: number;
  readonly retryDelayMsMax: number;
  /** Waits; rejects when `signal` ends it. */
  readonly wait?: (delayMs: number, signal: AbortSignal) => Promise<void>;
  /** Each outcome, for counting and logging. */
  readonly onOutcome: (method: 'PUT' | 'DELETE', path: string, outcome: SendOutcome) => void;
}
export type SendOutcome = 'taken' | 'stale' | 'refused' | 'failed';

interface Entry {
  desired: DesiredDocument | 'removed' | null;
  /** Added to a revision to make the version: what the bridge had in force before we came. */
  versionBase: number;
}

export class DocumentSender {
  readonly #options: DocumentSenderOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #closing = new AbortController();

  constructor(options: DocumentSenderOptions) {
    this.#options = options;
  }

  /** Documents that the bridge does not have yet, or still has though it should not. */
  get pending(): number {
    return [...this.#entries.values()].filter(({ desired }) => desired !== null).length;
  }

  put(path: string, document: DesiredDocument): void {
    this.#set(path, document);
  }

  /** The bridge forgets it, and so do we. */
  remove(path: string): void {
    this.#set(path, 'removed');
  }

  /** Everything at `path` and below is somebody else's from now on: sent no more, and not removed either. */
  forget(path: string): void {
    for (const [known, entry] of this.#entries) {
      if (known !== path && !known.startsWith(`${path}/`)) continue;
      entry.desired = null;
      this.#entries.delete(known);
    }
  }

  /** Nothing is sent any more. */
  close(): void {
    this.#closing.abort();
    this.#entries.clear();
  }

  #set(path: string, desired: Entry['desired']): void {
    if (this.#closing.signal.aborted) return;
    const entry = this.#entries.get(path);
    if (entry === undefined) {
      const fresh: Entry = { desired, versionBase: 0 };
      this.#entries.set(path, fresh);
      void this.#send(path, fresh);
      return;
    }
    const isIdle = entry.desired === null;
    entry.desired = desired;
    if (isIdle) void this.#send(path, entry);
  }

  /** Runs until the bridge has what is desired. */
  async #send(path: string, entry: Entry): Promise<void> {
    let delayMs = this.#options.retryDelayMsMin;
    while (entry.desired !== null && !this.#closing.signal.aborted) {
      const sent = entry.desired;
      const outcome = sent === 'removed' ? await this.#delete(path) : await this.#put(path, entry, sent);
      if (this.#closing.signal.aborted) return;
      this.#options.onOutcome(sent === 'removed' ? 'DELETE' : 'PUT', path, outcome);
      if (outcome === 'failed') {
        const wait = this.#options.wait ?? waitFor;
        await wait(delayMs, this.#closing.signal).catch(() => {});
        delayMs = Math.min(delayMs * 2, this.#options.retryDelayMsMax);
        continue;
      }
      delayMs = this.#options.retryDelayMsMin;
      if (outcome === 'stale' || entry.desired !== sent) continue;
      entry.desired = null;
      if (sent === 'removed') this.#entries.delete(path);
    }
  }

  async #delete(path: string): Promise<SendOutcome> {
    const answer = await this.#request('DELETE', path);
    return answer !== undefined && (answer.status < 300 || answer.status === 404) ? 'taken' : 'failed';
  }

  async #put(path: string, entry: Entry, sent: DesiredDocument): Promise<SendOutcome> {
    const answer = await this.#request('PUT', path, { ...sent.body, version: sent.revision + entry.versionBase });
    if (answer === undefined || this.#closing.signal.aborted) return 'failed';
    const { status, body } = answer;
    if (status < 300) {
      sent.onTaken(sent.revision, body);
      return 'taken';
    }
    const inForce = status === 409 ? versionInForce(body) : undefined;
    if (inForce !== undefined) {
      // Somebody before us (this focus, before it restarted) has sent newer ones. Ours is the truth now.
      entry.versionBase = inForce + 1 - sent.revision;
      return 'stale';
    }
    if (isFinal(status)) {
      sent.onRefused(status);
      return 'refused';
    }
    return 'failed';
  }

  async #request(method: 'PUT' | 'DELETE', path: string, body?: unknown): Promise<BridgeAnswer | undefined> {
    try {
      return await this.#options.request(method, path, body);
    } catch {
      return undefined;
    }
  }
}

/** Statuses that say the same whenever it is tried: not the ones of load, time-outs, or a secret that is being changed. */
function isFinal(status: number): boolean {
  return status >= 400 && status < 500 && ![401, 408, 409, 425, 429].includes(status);
}

function versionInForce(body: unknown): number | undefined {
  if (typeof body !== 'object' || body === null || !('error' in body)) return undefined;
  const { error } = body;
  if (typeof error !== 'object' || error === null || !('version' in error)) return undefined;
  return typeof error.version === 'number' && Number.isSafeInteger(error.version) ? error.version : undefined;
}

function waitFor(delayMs: number, signal: AbortSignal): Promise<void> {
  return delay(delayMs, undefined, { signal });
}

/** The links to other focuses, opened when they are first needed, and the judgement that a focus is gone. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { CallAnswer } from '../peers/peer-messages.ts';
import type { FocusRecord, Store } from '../store/store.ts';
import { PeerLink, PeerUnavailable, SILENT } from './peer-link.ts';
import type { PeerMetrics } from './peer-metrics.ts';

/** A store brings its view of focuses up to date every second, and asks anew after three without news. */
const VIEW_AGE_MS_MAX = 3_500;
const LOOK_AGAIN_MS = 250;

export interface PeerLinksOptions {
  readonly focusId: string;
  readonly secret: string;
  readonly store: Pick<Store, 'focuses'>;
  readonly metrics: PeerMetrics;
  readonly log: Logger;
  readonly nowMs: () => number;
  /** A focus cannot be reached any more: its link has ended and a new one could not be opened, or it could not from the start. Once, until it can again. */
  readonly onGone: (focusId: string) => void;
}

/** The store answers from what its upkeep has heard: looking often costs it nothing. */
const LOOK_INTERVAL_MS = 1_000;
/** Focuses that the store knew once; the one that it knew last is forgotten last. */
const KNOWN_MAX = 1_000;

export class PeerLinks {
  readonly #options: PeerLinksOptions;
  /** What each said of itself last. A store that was away, or was emptied, does not know a focus for a moment that is as well as ever. */
  readonly #known = new Map<string, FocusRecord>();
  readonly #looking: NodeJS.Timeout;
  readonly #links = new Map<string, PeerLink>();
  readonly #dialling = new Map<string, Promise<PeerLink>>();
  readonly #gone = new Set<string>();
  #isClosed = false;

  constructor(options: PeerLinksOptions) {
    this.#options = options;
    this.#looking = setInterval(() => void this.#look().catch(() => {}), LOOK_INTERVAL_MS);
    this.#looking.unref();
  }

  /** All other focuses that the store knows, gone ones included until their lease ends. Ordered by id. */
  async others(): Promise<FocusRecord[]> {
    const records = await this.#look();
    return records.filter(({ focusId }) => focusId !== this.#options.focusId);
  }

  /** Those of them that are not known to be gone. */
  async alive(): Promise<FocusRecord[]> {
    return (await this.others()).filter(({ focusId }) => !this.#gone.has(focusId));
  }

  isGone(focusId: string): boolean {
    return this.#gone.has(focusId);
  }

  /** Links that are open, for those who look. */
  open(): PeerLink[] {
    return [...this.#links.values()];
  }

  /** The open link, or a new one. Rejects with PeerUnavailable. */
  link(focusId: string): Promise<PeerLink> {
    const open = this.#links.get(focusId);
    if (open !== undefined) return Promise.resolve(open);
    const before = this.#dialling.get(focusId);
    if (before !== undefined) return before;
    const dialling = this.#dial(focusId).finally(() => this.#dialling.delete(focusId));
    this.#dialling.set(focusId, dialling);
    return dialling;
  }

  /** Rejects with PeerUnavailable. */
  async call(focusId: string, method: string, body: unknown, timeoutMs: number): Promise<CallAnswer> {
    return (await this.link(focusId)).call(method, body, timeoutMs);
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#looking);
    for (const link of [...this.#links.values()]) link.close('this focus is closing');
  }

  async #look(): Promise<readonly FocusRecord[]> {
    const records = await this.#options.store.focuses();
    for (const record of records) {
      this.#known.delete(record.focusId);
      this.#known.set(record.focusId, record);
      if (this.#known.size > KNOWN_MAX) this.#known.delete(this.#known.keys().next().value!);
    }
    return records;
  }

  /**
   * A focus whose lease has ended, or that has said goodbye, is looked for where it was last. One that was never heard of may be younger than what the store's view of
   * focuses is from: nobody takes its rooms before that has come up to date. Undefined: the store does not know it either.
   */
  async #recordOf(focusId: string): Promise<FocusRecord | undefined> {
    for (let waitedMs = 0; ; waitedMs += LOOK_AGAIN_MS) {
      const records = await this.#look();
      const record = records.find(one => one.focusId === focusId) ?? this.#known.get(focusId);
      if (record !== undefined || waitedMs >= VIEW_AGE_MS_MAX || this.#isClosed) return record;
      await delay(LOOK_AGAIN_MS);
    }
  }

  async #dial(focusId: string): Promise<PeerLink> {
    const { log, focusId: ownFocusId } = this.#options;
    const record = await this.#recordOf(focusId);
    try {
      if (record === undefined) throw new PeerUnavailable(focusId, 'the store does not know it');
      const link = await PeerLink.open({
        ...this.#options,
        focusId,
        ownFocusId,
        url: record.url,
        onClosed: reason => this.#lost(focusId, reason),
      });
      if (this.#isClosed || !link.isOpen) {
        link.close('this focus is closing');
        throw new PeerUnavailable(focusId, 'the link is closed');
      }
      this.#links.set(focusId, link);
      this.#gone.delete(focusId);
      log.info({ peer: focusId, url: record.url }, 'link to a focus opened');
      return link;
    } catch (error) {
      if (error instanceof PeerUnavailable && error.isGone) this.#judge(focusId, error.message);
      else log.error({ peer: focusId, error: String(error) }, 'a focus cannot be reached');
      throw error;
    }
  }

  /** A link may break while the focus lives on: it is asked once more before it is given up. */
  #lost(focusId: string, reason: string): void {
    this.#links.delete(focusId);
    if (this.#isClosed) return;
    this.#options.log.warn({ peer: focusId, reason }, 'link to a focus ended');
    if (reason === SILENT) this.#judge(focusId, reason);
    else this.link(focusId).catch(() => {});
  }

  #judge(focusId: string, reason: string): void {
    if (this.#isClosed || this.#gone.has(focusId)) return;
    this.#gone.add(focusId);
    this.#options.log.warn({ peer: focusId, reason }, 'a focus is gone');
    this.#options.onGone(focusId);
  }
}

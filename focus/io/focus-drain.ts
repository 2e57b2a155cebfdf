/** Empties this focus for others: its rooms get new homes one after the other, its clients come back elsewhere by their own resume. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Room } from '../conference/room.ts';
import { heirOf } from '../peers/heir.ts';
import type { FocusRecord, Store } from '../store/store.ts';
import type { ConferenceHost } from './conference-host.ts';
import { PeerUnavailable } from './peer-link.ts';
import type { PeerLinks } from './peer-links.ts';
import type { SnapshotWriter } from './snapshot-writer.ts';

export interface FocusDrainOptions {
  readonly host: Pick<ConferenceHost, 'rooms' | 'dropRoom'>;
  readonly store: Pick<Store, 'putFocus'>;
  readonly links: PeerLinks;
  readonly snapshots: Pick<SnapshotWriter, 'flush'>;
  /** Clients whose rooms live elsewhere: closes some, and answers how many are left. */
  readonly closeRelayed: (most: number) => number;
  readonly timeoutMs: number;
  /** So long load balancers may take to see that this focus is not ready: a client whose first try to come back is refused does not resume, it joins anew. */
  readonly noticeMs: number;
  readonly log: Logger;
  readonly nowMs: () => number;
}

/** What is left to do. */
export interface DrainProgress {
  readonly startedAtMs: number;
  readonly deadlineMs: number;
  readonly roomsAtStart: number;
  readonly roomsMoved: number;
}

/** Clients that are sent elsewhere in one second: each is a new socket and a token check there. */
const CLIENTS_PER_SECOND = 200;
/** Closed at once of those that are relayed. */
const RELAYED_PER_STEP = 20;

export class FocusDrain {
  readonly #options: FocusDrainOptions;
  #record: FocusRecord | undefined;
  #undo: AbortController | undefined;
  #progress: DrainProgress | undefined;
  #hasGivenNotice = false;

  constructor(options: FocusDrainOptions) {
    this.#options = options;
  }

  /** This focus as the store has it. */
  known(record: FocusRecord): void {
    this.#record = record;
  }

  get isDraining(): boolean {
    return this.#undo !== undefined;
  }

  /** It takes no clients any more. Later than {@link isDraining}, by the notice. */
  get isRefusing(): boolean {
    return this.isDraining && this.#hasGivenNotice;
  }

  /** Null while it is not draining. */
  get progress(): DrainProgress | null {
    return this.#progress ?? null;
  }

  /** Resolves when nothing is left, time is up, nobody is there to take over, or it was undone. What is left then goes on here. */
  async drain(forMs: number): Promise<void> {
    if (this.#undo !== undefined) return;
    const { host, log, nowMs } = this.#options;
    const undo = new AbortController();
    this.#undo = undo;
    const startedAtMs = nowMs();
    const roomsAtStart = host.rooms().length;
    this.#progress = { startedAtMs, deadlineMs: startedAtMs + forMs, roomsAtStart, roomsMoved: 0 };
    log.info({ rooms: roomsAtStart, forMs }, 'draining');
    await this.#tell('draining');
    const end = AbortSignal.any([undo.signal, AbortSignal.timeout(forMs)]);
    this.#hasGivenNotice = false;
    if ((await this.#heirs()).length > 0) await pause(this.#options.noticeMs, end);
    this.#hasGivenNotice = true;
    await this.#empty(end);
    log.info({ ...this.#progress, roomsLeft: host.rooms().length, isUndone: undo.signal.aborted }, 'drained');
  }

  /** Takes clients and rooms again. What has moved stays where it is. */
  async undo(): Promise<void> {
    if (this.#undo === undefined) return;
    this.#undo.abort();
    this.#undo = undefined;
    this.#progress = undefined;
    this.#options.log.info('not draining any more');
    await this.#tell('running');
  }

  /** The focus is closing: what is left is not moved any more. */
  stop(): void {
    this.#undo?.abort();
  }

  async #empty(end: AbortSignal): Promise<void> {
    const { host } = this.#options;
    const failed = new Set<Room>();
    for (;;) {
      const room = host.rooms().find(one => !failed.has(one));
      if (room === undefined || end.aborted) break;
      const clients = room.participants.size;
      if (await this.#handOver(room)) await pause((clients * 1000) / CLIENTS_PER_SECOND, end);
      else failed.add(room);
    }
    while (!end.aborted && this.#options.closeRelayed(RELAYED_PER_STEP) > 0) {
      await pause((RELAYED_PER_STEP * 1000) / CLIENTS_PER_SECOND, end);
    }
  }

  /** To the focus that would inherit it. False: it stays. */
  async #handOver(room: Room): Promise<boolean> {
    const { host, links, snapshots, timeoutMs, log } = this.#options;
    const { name, conferenceId } = room.identity;
    const heir = heirOf(conferenceId, await this.#heirs());
    if (heir === undefined) return false;
    try {
      await snapshots.flush(room);
      const answer = await links.call(heir, 'conferences.take', { room: name }, timeoutMs);
      if (!answer.ok) throw new PeerUnavailable(heir, answer.code);
    } catch (error) {
      log.warn({ room: name, to: heir, error: String(error) }, 'room not handed over');
      return false;
    }
    host.dropRoom(room);
    if (this.#progress !== undefined) this.#progress = { ...this.#progress, roomsMoved: this.#progress.roomsMoved + 1 };
    log.info({ room: name, to: heir }, 'room handed over');
    return true;
  }

  async #heirs(): Promise<string[]> {
    const alive = await this.#options.links.alive().catch(() => []);
    return alive.filter(({ state }) => state === 'running').map(({ focusId }) => focusId);
  }

  async #tell(state: FocusRecord['state']): Promise<void> {
    if (this.#record === undefined) return;
    this.#record = { ...this.#record, state };
    await this.#options.store.putFocus(this.#record).catch(error => {
      this.#options.log.warn({ error: String(error) }, `the others do not know that this focus is ${state}`);
    });
  }
}

function pause(ms: number, end: AbortSignal): Promise<void> {
  return delay(ms, undefined, { signal: end }).catch(() => {});
}

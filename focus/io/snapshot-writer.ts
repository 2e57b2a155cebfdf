/** Writes the snapshots of this focus's rooms to the store, behind what happens: nothing waits for it. */
import type { Logger } from 'pino';
import type { Room } from '../conference/room.ts';
import type { Store } from '../store/store.ts';
import type { PeerMetrics } from './peer-metrics.ts';

/** What changed of one room since it was last asked: field to bytes, null removes the field. */
export interface RoomChanges {
  changes(): ReadonlyMap<string, Uint8Array | null>;
  /** Names of fields that are too long to be kept. */
  readonly tooLong: ReadonlySet<string>;
}

export interface SnapshotWriterOptions {
  readonly store: Pick<Store, 'saveRoom'>;
  /** Begins to follow a room; its first changes are everything. */
  readonly follow: (room: Room) => RoomChanges;
  /** The store says that another focus is its home. */
  readonly onLost: (room: Room) => void;
  readonly metrics: Pick<PeerMetrics, 'snapshots'>;
  readonly log: Logger;
  readonly intervalMs?: number;
  readonly retryMs?: number;
}

interface Followed {
  readonly changes: RoomChanges;
  /** Fields that the store does not have yet: of writes that failed. */
  readonly owed: Map<string, Uint8Array | null>;
  timer: NodeJS.Timeout | undefined;
  isWriting: boolean;
  isChanged: boolean;
}

/** A burst of joins is written once. */
const INTERVAL_MS = 100;
const RETRY_MS = 1_000;

export class SnapshotWriter {
  readonly #options: SnapshotWriterOptions;
  readonly #rooms = new Map<Room, Followed>();
  #isAway = false;

  constructor(options: SnapshotWriterOptions) {
    this.#options = options;
  }

  /** Fields of all rooms that are too long to be kept. */
  get tooLong(): number {
    let fields = 0;
    for (const { changes } of this.#rooms.values()) fields += changes.tooLong.size;
    return fields;
  }

  /** Something may have changed in it. */
  note(room: Room): void {
    const followed = this.#rooms.get(room) ?? this.#follow(room);
    followed.isChanged = true;
    this.#arm(room, followed, this.#options.intervalMs ?? INTERVAL_MS);
  }

  /** It is not ours to write any more: closed, or lost. */
  forget(room: Room): void {
    clearTimeout(this.#rooms.get(room)?.timer);
    this.#rooms.delete(room);
  }

  /** Writes what there is to write of it at once. Resolves when the store has it; rejects when it does not take it. */
  async flush(room: Room): Promise<void> {
    const followed = this.#rooms.get(room);
    if (followed === undefined) return;
    clearTimeout(followed.timer);
    followed.timer = undefined;
    if (!(await this.#save(room, followed))) throw new Error('the store did not take the snapshot');
  }

  close(): void {
    for (const room of [...this.#rooms.keys()]) this.forget(room);
  }

  #follow(room: Room): Followed {
    const changes = this.#options.follow(room);
    const followed: Followed = { changes, owed: new Map(), timer: undefined, isWriting: false, isChanged: false };
    this.#rooms.set(room, followed);
    return followed;
  }

  #arm(room: Room, followed: Followed, delayMs: number): void {
    if (followed.timer !== undefined || followed.isWriting) return;
    followed.timer = setTimeout(() => {
      followed.timer = undefined;
      void this.#write(room, followed);
    }, delayMs);
    followed.timer.unref();
  }

  async #write(room: Room, followed: Followed): Promise<void> {
    followed.isWriting = true;
    const isWritten = await this.#save(room, followed);
    followed.isWriting = false;
    if (this.#rooms.get(room) !== followed) return;
    if (!isWritten) this.#arm(room, followed, this.#options.retryMs ?? RETRY_MS);
    else if (followed.isChanged) this.#arm(room, followed, this.#options.intervalMs ?? INTERVAL_MS);
  }

  /** False: to be tried again. */
  async #save(room: Room, followed: Followed): Promise<boolean> {
    const { store, metrics, onLost } = this.#options;
    followed.isChanged = false;
    for (const [field, value] of followed.changes.changes()) followed.owed.set(field, value);
    if (followed.owed.size === 0) return true;
    const sent = new Map(followed.owed);
    try {
      const isOwner = await store.saveRoom(room.identity.conferenceId, sent);
      metrics.snapshots.inc({ result: isOwner ? 'written' : 'not-owner' });
      this.#noteStore(false);
      for (const [field, value] of sent) if (followed.owed.get(field) === value) followed.owed.delete(field);
      // A room that was closed meanwhile is nobody's, and no loss.
      if (!isOwner && this.#rooms.get(room) === followed) onLost(room);
      return true;
    } catch (error) {
      metrics.snapshots.inc({ result: 'failed' });
      this.#noteStore(true, error);
      return false;
    }
  }

  #noteStore(isAway: boolean, error?: unknown): void {
    if (isAway === this.#isAway) return;
    this.#isAway = isAway;
    const { log } = this.#options;
    if (isAway) log.warn({ error: String(error) }, 'snapshots wait for the store');
    else log.info('snapshots are written again');
  }
}

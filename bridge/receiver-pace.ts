import type { Endpoint } from './endpoint.ts';

/** With this much waiting for a receiver, its senders are held: two seconds of 1 Mbit/s. */
export const BACKLOG_BYTES_MAX = 256 * 1024;
/** And they go on when this little is left. */
export const BACKLOG_BYTES_DRAINED = 64 * 1024;
/** A receiver that takes less than this is not waited for: 64 kbit/s. Nobody's file should wait for somebody who is as good as gone. */
export const SLOW_BYTES_PER_S = 8_000;
/** Over how long that is measured: a client that changes networks is back within it. */
export const PATIENCE_MS = 5_000;

interface Watch {
  sinceMs: number;
  drainedBytes: number;
  isExcused: boolean;
}

/**
 * Whom senders of reliable messages wait for. Everybody goes at the pace of the slowest receiver, down to a floor; who is below it for five seconds is not waited
 * for until it has caught up or is quicker. Its messages still queue, up to the limit of its channel, where it ends with `data-backlog`: none is skipped.
 */
export class ReceiverPace {
  /** How often a receiver was found too slow to be waited for. */
  excused = 0;
  readonly #watches = new Map<Endpoint, Watch>();

  /** Receivers that have much waiting. */
  get behind(): number {
    return this.#watches.size;
  }

  /** Whether senders have to wait for it from now on. */
  isBehind(nowMs: number, receiver: Endpoint): boolean {
    if (receiver.transport.dataBacklogBytes < BACKLOG_BYTES_MAX) return false;
    let watch = this.#watches.get(receiver);
    if (watch === undefined) {
      watch = { sinceMs: nowMs, drainedBytes: receiver.transport.dataDrainedBytes, isExcused: false };
      this.#watches.set(receiver, watch);
    }
    return !watch.isExcused;
  }

  /** Whether those who wait for it may go on. */
  isCleared(receiver: Endpoint): boolean {
    return this.#watches.get(receiver)?.isExcused ?? true;
  }

  /** Looks after those who are behind. */
  handleTimeout(nowMs: number): void {
    for (const [receiver, watch] of this.#watches) {
      const { dataBacklogBytes, dataDrainedBytes } = receiver.transport;
      if (dataBacklogBytes <= BACKLOG_BYTES_DRAINED) {
        this.#watches.delete(receiver);
        continue;
      }
      if (nowMs - watch.sinceMs < PATIENCE_MS) continue;
      const isSlow = dataDrainedBytes - watch.drainedBytes < (SLOW_BYTES_PER_S * PATIENCE_MS) / 1000;
      if (isSlow && !watch.isExcused) this.excused++;
      watch.isExcused = isSlow;
      watch.sinceMs = nowMs;
      watch.drainedBytes = dataDrainedBytes;
    }
  }

  forget(receiver: Endpoint): void {
    this.#watches.delete(receiver);
  }
}

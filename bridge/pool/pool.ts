/**
 * Decides what becomes of the processes of a pool: all are started, one that ends is started again, alone and on its own ports, and at the
 * end all are asked to stop. No clock and no process of its own: `io/run-pool.ts` has both.
 */

export type PoolOutput =
  /** Start bridge `index`. `restarts`: how often that has been done before. */
  | { readonly kind: 'start'; readonly index: number; readonly restarts: number }
  | { readonly kind: 'ask-to-stop'; readonly index: number }
  | { readonly kind: 'kill'; readonly index: number }
  /** Tell the operator: it ended while it should not have, and is started again in `restartInMs`. */
  | {
      readonly kind: 'lost';
      readonly index: number;
      readonly why: string;
      readonly wasUp: boolean;
      readonly restartInMs: number;
    }
  /** Tell the operator: this one cannot be started, and the pool ends with it. */
  | { readonly kind: 'give-up'; readonly index: number; readonly why: string }
  /** All processes have ended: so does the pool. */
  | { readonly kind: 'end'; readonly exitCode: number };

/** A bridge that crashes now and then is back at once; one that does nothing else costs a start every half minute. */
export const RESTART_DELAY_MS_MIN = 250;
export const RESTART_DELAY_MS_MAX = 30_000;
/** Who was up this long before it ended did not end because of how it was started: its delay begins anew. */
export const STABLE_MS = 60_000;
/**
 * A bridge that has never been up is tried this often: whatever ran on its ports before may still be ending. Then it is a mistake in the
 * configuration, and the whole pool says so. One that has been up is tried for ever: its neighbours have meetings to serve.
 */
export const FIRST_STARTS_MAX = 3;
/** From being asked to stop to being killed. A bridge needs well under a second. */
export const STOP_MS_MAX = 5_000;
/** One Ctrl-C under npm arrives twice, from the terminal and from npm: only what comes this much later is a second one. */
export const SECOND_STOP_MS_MIN = 500;

interface Member {
  state: 'starting' | 'up' | 'waiting' | 'ended';
  upSinceMs: number;
  wasEverUp: boolean;
  starts: number;
  /** Ends in a row, each before it was up for STABLE_MS. */
  failures: number;
  /** While waiting: when it is started again. */
  restartAtMs: number;
}

export class Pool {
  readonly #members: readonly Member[];
  readonly #outputs: PoolOutput[] = [];
  /** Undefined while the pool is to go on. */
  #stop: { readonly exitCode: number; readonly atMs: number } | undefined;
  #wasKilled = false;

  constructor(size: number) {
    this.#members = Array.from({ length: size }, () => ({
      state: 'waiting',
      upSinceMs: 0,
      wasEverUp: false,
      starts: 0,
      failures: 0,
      restartAtMs: 0,
    }));
    for (const [index, member] of this.#members.entries()) this.#start(index, member);
  }

  /** Bridge `index` has its ports and serves. */
  handleUp(nowMs: number, index: number): void {
    const member = this.#members[index]!;
    member.state = 'up';
    member.upSinceMs = nowMs;
    member.wasEverUp = true;
  }

  /** The process of bridge `index` is gone; `why` in words. */
  handleEnd(nowMs: number, index: number, why: string): void {
    const member = this.#members[index]!;
    const wasUp = member.state === 'up';
    member.state = 'ended';
    if (this.#stop !== undefined) return this.#endWithLast(this.#stop.exitCode);
    if (wasUp && nowMs - member.upSinceMs >= STABLE_MS) member.failures = 0;
    member.failures++;
    if (!member.wasEverUp && member.failures >= FIRST_STARTS_MAX) {
      this.#outputs.push({ kind: 'give-up', index, why });
      return this.#stopAll(nowMs, 1);
    }
    const restartInMs = Math.min(RESTART_DELAY_MS_MAX, RESTART_DELAY_MS_MIN * 2 ** (member.failures - 1));
    member.state = 'waiting';
    member.restartAtMs = nowMs + restartInMs;
    this.#outputs.push({ kind: 'lost', index, why, wasUp, restartInMs });
  }

  /** Asks all to stop; a second time, SECOND_STOP_MS_MIN later or more, kills them. */
  handleStop(nowMs: number): void {
    if (this.#stop === undefined) this.#stopAll(nowMs, 0);
    else if (nowMs - this.#stop.atMs >= SECOND_STOP_MS_MIN) this.#killAll();
  }

  handleTimeout(nowMs: number): void {
    if (this.#stop !== undefined) {
      if (nowMs - this.#stop.atMs >= STOP_MS_MAX) this.#killAll();
      return;
    }
    for (const [index, member] of this.#members.entries()) {
      if (member.state === 'waiting' && nowMs >= member.restartAtMs) this.#start(index, member);
    }
  }

  /** When {@link handleTimeout} next has something to do. */
  pollTimeout(): number | undefined {
    if (this.#stop !== undefined) return this.#wasKilled ? undefined : this.#stop.atMs + STOP_MS_MAX;
    const waiting = this.#members.filter(({ state }) => state === 'waiting');
    return waiting.length === 0 ? undefined : Math.min(...waiting.map(({ restartAtMs }) => restartAtMs));
  }

  pollOutput(): PoolOutput | undefined {
    return this.#outputs.shift();
  }

  #start(index: number, member: Member): void {
    member.state = 'starting';
    this.#outputs.push({ kind: 'start', index, restarts: member.starts });
    member.starts++;
  }

  #stopAll(nowMs: number, exitCode: number): void {
    this.#stop = { exitCode, atMs: nowMs };
    for (const [index, member] of this.#members.entries()) {
      if (member.state === 'waiting') member.state = 'ended';
      if (member.state !== 'ended') this.#outputs.push({ kind: 'ask-to-stop', index });
    }
    this.#endWithLast(exitCode);
  }

  #killAll(): void {
    if (this.#wasKilled) return;
    this.#wasKilled = true;
    for (const [index, member] of this.#members.entries()) {
      if (member.state !== 'ended') this.#outputs.push({ kind: 'kill', index });
    }
  }

  /** A pool that had to kill did not end as it should. */
  #endWithLast(exitCode: number): void {
    if (this.#members.some(({ state }) => state !== 'ended')) return;
    this.#outputs.push({ kind: 'end', exitCode: this.#wasKilled ? 1 : exitCode });
  }
}

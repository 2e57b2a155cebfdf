import type { FrameOutput } from './frame-output.ts';
import type { LinkSession } from './link-session.ts';
import type { RepairTiming } from './repair-timing.ts';

/** All of them are lost once in three thousand times on a path that loses every fifth frame. */
const REPEATS = 5;
const INTERVAL_MS_MIN = 20;

/**
 * The last frames of a session that is sent on no more. A hole shows by what comes after it, and here nothing does: so the last frame is repeated a few
 * times, the same datagram as ever. Whoever has it drops it as a replay; whoever has not learns what else is missing, while it may still ask.
 */
export class TailRepeats {
  #session: LinkSession | undefined;
  #left = 0;
  #dueMs = 0;

  /** Every 10 ms, with the session that was sent on before the present one, if it is still there. */
  handleTimeout(nowMs: number, session: LinkSession | undefined, timing: RepairTiming, output: FrameOutput): void {
    if (session !== this.#session) {
      this.#session = session;
      this.#left = REPEATS;
      this.#dueMs = nowMs;
    }
    if (session === undefined || this.#left === 0 || nowMs < this.#dueMs) return;
    this.#left--;
    this.#dueMs = nowMs + Math.max(INTERVAL_MS_MIN, timing.rttMs / 2);
    const place = session.sent.findNewest(nowMs, timing.keepMs);
    if (place >= 0) output.repeat(nowMs, session, place);
  }
}

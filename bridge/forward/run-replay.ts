/** After this long, a request means that the picture broke, not that its beginning was missed. */
export const REPLAY_MS_MAX = 2_000;
/** More than this at once would be a burst that the path has to queue: 150 kB. */
export const REPLAY_PACKETS_MAX = 128;

/**
 * Tells a client that has missed the beginning of a run from one whose picture is broken. A client is sent media as soon as it may have it, and sometimes
 * is not ready: the answer that names the stream is still on its way through signalling. It then asks for a key frame, which is already here: the run so
 * far, sent again, shows the picture at once, without the publisher. Once per run; what is asked for after that needs a new key frame.
 */
export class RunReplay {
  private beganMs = Number.NEGATIVE_INFINITY;
  private isTaken = false;

  begin(nowMs: number): void {
    this.beganMs = nowMs;
    this.isTaken = false;
  }

  /** True when a run of `packets` may be sent again now; false from then on. */
  take(nowMs: number, packets: number): boolean {
    if (this.isTaken || nowMs - this.beganMs > REPLAY_MS_MAX || packets > REPLAY_PACKETS_MAX) return false;
    this.isTaken = true;
    return true;
  }
}

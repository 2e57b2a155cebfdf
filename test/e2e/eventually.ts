import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 20;

/**
 * Waits until `claim` holds; fails with `what` and the last `state` when it does not within `withinMs`. Real clients and real networks have no virtual clock:
 * this waits for what is to happen, never for time to pass.
 */
export async function eventually(
  what: string,
  withinMs: number,
  claim: () => boolean | Promise<boolean>,
  state?: () => unknown,
): Promise<number> {
  const startedAt = performance.now();
  while (!(await claim())) {
    const elapsedMs = performance.now() - startedAt;
    if (elapsedMs > withinMs) {
      assert.fail(
        `not within ${withinMs} ms: ${what}${state === undefined ? '' : `; now: ${JSON.stringify(state())}`}`,
      );
    }
    await delay(POLL_MS);
  }
  return performance.now() - startedAt;
}

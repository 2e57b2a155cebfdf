/** How this bridge is being emptied. It only says so, in its reports: focuses move their participants, each its own. Decides when the process may end. */
import type { BridgeState, DrainReport } from '../protocol/control/events.ts';

export type DrainRequest = Omit<BridgeState, 'state'>;

interface Draining {
  readonly mode: DrainReport['mode'];
  readonly by: string;
  readonly beganMs: number;
  readonly deadlineMs: number | null;
  readonly exit: boolean;
  readonly endpointsAtStart: number;
}

/** Why a request makes no sense; undefined when it does. */
export function drainProblem({ state, mode, deadlineSeconds, exit, by }: BridgeState): string | undefined {
  const isGiven = [mode, deadlineSeconds, exit, by].some(value => value !== undefined);
  if (state === 'running') return isGiven ? 'state running goes without mode, deadlineSeconds, exit and by' : undefined;
  const isIdle = mode === 'wait' && deadlineSeconds !== undefined && exit !== true;
  return isIdle ? 'in mode wait nobody is moved: a deadline needs exit, which ends the process then' : undefined;
}

export class Drain {
  #draining: Draining | undefined;

  get isOn(): boolean {
    return this.#draining !== undefined;
  }

  /** Again while it is on: the newest request counts, and its deadline from now. */
  begin(
    nowMs: number,
    { mode = 'move', deadlineSeconds, exit = false, by = '' }: DrainRequest,
    endpoints: number,
  ): void {
    const before = this.#draining;
    this.#draining = {
      mode,
      by,
      exit,
      beganMs: before?.beganMs ?? nowMs,
      deadlineMs: deadlineSeconds === undefined ? null : nowMs + deadlineSeconds * 1_000,
      endpointsAtStart: before?.endpointsAtStart ?? endpoints,
    };
  }

  undo(): void {
    this.#draining = undefined;
  }

  report(nowMs: number): DrainReport | undefined {
    if (this.#draining === undefined) return undefined;
    const { beganMs, deadlineMs, ...rest } = this.#draining;
    return { ...rest, forMs: nowMs - beganMs, deadlineInMs: deadlineMs === null ? null : deadlineMs - nowMs };
  }

  /** Whether the process is to end now. */
  isOver(nowMs: number, endpoints: number): boolean {
    if (this.#draining === undefined || !this.#draining.exit) return false;
    const { deadlineMs } = this.#draining;
    return endpoints === 0 || (deadlineMs !== null && nowMs >= deadlineMs);
  }
}

/** Runs the bridges of a pool, a process each, and keeps them running. Owns the pool's timer and tells the operator what happens. */
import type { Logger } from 'pino';
import type { BridgeConfig } from '../../config.ts';
import { type Clock, SYSTEM_CLOCK } from '../../io/clock.ts';
import { Pool, type PoolOutput } from '../pool.ts';
import type { MemberProcess, StartMember } from './fork-member.ts';

export interface PoolOptions {
  /** One configuration per bridge (pool-layout.ts). */
  readonly configs: readonly BridgeConfig[];
  readonly startMember: StartMember;
  readonly log: Pick<Logger, 'info' | 'warn' | 'error'>;
  readonly clock?: Clock;
}

export interface PoolEnd {
  readonly exitCode: number;
  /** Why it ended although nobody asked it to; undefined otherwise. */
  readonly problem: string | undefined;
}

export interface RunningPool {
  /** Asks every bridge to stop; asked again half a second later or more, kills them. */
  stop(): void;
  /** Settles when every process has ended. */
  readonly ended: Promise<PoolEnd>;
}

/** Starts all bridges of the pool at once. */
export function runPool({ configs, startMember, log, clock = SYSTEM_CLOCK }: PoolOptions): RunningPool {
  const pool = new Pool(configs.length);
  const processes: (MemberProcess | undefined)[] = configs.map(() => undefined);
  const restarts = configs.map(() => 0);
  const { promise: ended, resolve } = Promise.withResolvers<PoolEnd>();
  let problem: string | undefined;
  let callOff = () => {};

  function drain(): void {
    for (let output = pool.pollOutput(); output !== undefined; output = pool.pollOutput()) carryOut(output);
    callOff();
    const atMs = pool.pollTimeout();
    callOff = atMs === undefined ? () => {} : clock.after(Math.max(0, atMs - clock.nowMs()), onTimeout);
  }

  function onTimeout(): void {
    pool.handleTimeout(clock.nowMs());
    drain();
  }

  function carryOut(output: PoolOutput): void {
    switch (output.kind) {
      case 'start':
        restarts[output.index] = output.restarts;
        return start(output.index, configs[output.index]!);
      case 'ask-to-stop':
        return processes[output.index]?.askToStop();
      case 'kill':
        log.error(nameOf(output.index), 'bridge process does not stop and is killed');
        return processes[output.index]?.kill();
      case 'lost':
        return tellLost(output);
      case 'give-up':
        problem = `bridge ${configs[output.index]!.bridge_id} cannot be started: ${output.why}`;
        return;
      case 'end':
        resolve({ exitCode: output.exitCode, problem });
    }
  }

  function start(index: number, config: BridgeConfig): void {
    const onEnd = (why: string) => {
      processes[index] = undefined;
      pool.handleEnd(clock.nowMs(), index, why);
      drain();
    };
    const onUp = () => {
      pool.handleUp(clock.nowMs(), index);
      log.info({ ...nameOf(index), restarts: restarts[index] }, 'bridge process is up');
    };
    try {
      processes[index] = startMember({ config, restarts: restarts[index]! }, { up: onUp, ended: onEnd });
    } catch (error) {
      // No process, no memory: the system may have some again later.
      pool.handleEnd(clock.nowMs(), index, (error as Error).message);
    }
  }

  function tellLost({ index, why, wasUp, restartInMs }: Extract<PoolOutput, { kind: 'lost' }>): void {
    const text = wasUp ? 'bridge process ended' : 'bridge process did not come up';
    log.error({ ...nameOf(index), why, restarts: restarts[index], restartInMs }, `${text}: it is started again`);
  }

  function nameOf(index: number): { bridge: string; pid?: number } {
    const pid = processes[index]?.pid;
    return { bridge: configs[index]!.bridge_id, ...(pid === undefined ? {} : { pid }) };
  }

  drain();
  return {
    ended,
    stop() {
      pool.handleStop(clock.nowMs());
      drain();
    },
  };
}

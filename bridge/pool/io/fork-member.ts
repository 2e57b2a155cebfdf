import { type ChildProcess, fork } from 'node:child_process';
import type { Assignment, MemberMessage } from './pool-messages.ts';

/** The process of one bridge, as the pool sees it. */
export interface MemberProcess {
  /** Undefined when the system refused to start it. */
  readonly pid: number | undefined;
  askToStop(): void;
  kill(): void;
}

export interface MemberEvents {
  up(): void;
  /** Once, when nothing more is heard of it; `why` in words. */
  ended(why: string): void;
}

export type StartMember = (assignment: Assignment, events: MemberEvents) => MemberProcess;

/** The argument with which a bridge's main module knows that it is one of a pool. */
export const MEMBER_OPTION = 'pool-member';

/** Starts bridges as processes that run the module at `path`, with the options of node that this process has, and its output. */
export function forkMember(path: string): StartMember {
  return (assignment, events) => {
    const child = fork(path, [`--${MEMBER_OPTION}`], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    watch(child, events);
    // A child that is gone already takes no message: its end says so.
    if (child.pid !== undefined) child.send(assignment, () => {});
    return {
      pid: child.pid,
      askToStop: () => void child.kill('SIGTERM'),
      kill: () => void child.kill('SIGKILL'),
    };
  };
}

function watch(child: ChildProcess, events: MemberEvents): void {
  let problem: string | undefined;
  let end: string | undefined;
  let isTold = false;
  // What a process says last may be read after its exit is known: the channel's end comes after both.
  const tell = () => {
    if (end === undefined || child.connected || isTold) return;
    isTold = true;
    events.ended(problem ?? end);
  };
  child.on('message', (message: MemberMessage) => {
    if (message.kind === 'up') events.up();
    else problem = message.problem;
  });
  child.once('exit', (code, signal) => {
    end = signal === null ? `exit code ${code}` : `signal ${signal}`;
    tell();
  });
  child.once('disconnect', tell);
  child.on('error', ({ message }) => {
    if (child.pid !== undefined) return;
    end = message;
    if (child.connected) child.disconnect();
    tell();
  });
}

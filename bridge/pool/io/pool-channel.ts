/** A bridge's side of the channel to the process of its pool. */
import type { Assignment, MemberMessage } from './pool-messages.ts';

/** What it needs of the `process`. */
export type ForkedProcess = Pick<NodeJS.Process, 'send' | 'once'>;

export interface PoolChannel {
  /** What this process is to be. */
  readonly assignment: Assignment;
  /** Settles when the process of the pool is gone. */
  readonly closed: Promise<void>;
  /** The bridge has its ports and serves. */
  sayUp(): void;
  /** Settles when the pool has been told; the caller ends the process then. */
  sayFailed(problem: string): Promise<void>;
}

/** Waits for the assignment. Undefined when the process of the pool ended before it gave one. Rejects in a process that no pool has started. */
export async function joinPool(process: ForkedProcess): Promise<PoolChannel | undefined> {
  if (process.send === undefined) throw new Error('--pool-member is for the processes that --bridges auto|N starts');
  const closed = new Promise<void>(resolve => process.once('disconnect', resolve));
  const assigned = new Promise<Assignment>(resolve =>
    process.once('message', message => resolve(message as Assignment)),
  );
  const assignment = await Promise.race([assigned, closed]);
  if (assignment === undefined) return undefined;
  const say = (message: MemberMessage) =>
    new Promise<void>(resolve => process.send!(message, undefined, undefined, () => resolve()));
  return {
    assignment,
    closed,
    sayUp: () => void say({ kind: 'up' }),
    sayFailed: problem => say({ kind: 'failed', problem }),
  };
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readBridgeConfig } from '../../config.ts';
import type { Clock } from '../../io/clock.ts';
import { layOutPool } from '../pool-layout.ts';
import type { MemberEvents } from './fork-member.ts';
import type { Assignment } from './pool-messages.ts';
import { runPool } from './run-pool.ts';

/** A clock that moves to what it was armed for. */
class HandClock implements Clock {
  now = 0;
  #timer: { readonly atMs: number; readonly run: () => void } | undefined;

  nowMs(): number {
    return this.now;
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { atMs: this.now + delayMs, run };
    this.#timer = timer;
    return () => {
      if (this.#timer === timer) this.#timer = undefined;
    };
  }

  get isArmed(): boolean {
    return this.#timer !== undefined;
  }

  advance(): void {
    const { atMs, run } = this.#timer!;
    this.#timer = undefined;
    this.now = atMs;
    run();
  }
}

interface FakeProcess {
  readonly assignment: Assignment;
  readonly events: MemberEvents;
  readonly heard: string[];
}

/** A pool of fake processes, in the order in which they were started. */
function start(size: number) {
  const config = readBridgeConfig({ yaml: 'development: true\nbridge_id: fra', env: {} });
  const clock = new HandClock();
  const processes: FakeProcess[] = [];
  const lines: { readonly level: string; readonly fields: Record<string, unknown>; readonly text: string }[] = [];
  const refusals: Error[] = [];
  const write = (level: string) => (fields: object, text: string) =>
    lines.push({ level, fields: fields as Record<string, unknown>, text });
  const pool = runPool({
    configs: layOutPool(config, size),
    log: { info: write('info'), warn: write('warn'), error: write('error') } as never,
    clock,
    startMember(assignment, events) {
      const refusal = refusals.shift();
      if (refusal !== undefined) throw refusal;
      const heard: string[] = [];
      processes.push({ assignment, events, heard });
      return { pid: 100 + processes.length, askToStop: () => heard.push('stop'), kill: () => heard.push('kill') };
    },
  });
  return { pool, clock, processes, lines, refusals };
}

test('a crashed bridge comes back with its own name and ports, counted and told, and the others hear nothing of it', () => {
  const { clock, processes, lines } = start(2);
  for (const { events } of processes) events.up();
  processes[1]!.events.ended('signal SIGSEGV');
  assert.equal(processes.length, 2);
  clock.advance();
  assert.equal(processes.length, 3);
  assert.deepEqual(processes[2]!.assignment, { ...processes[1]!.assignment, restarts: 1 });
  assert.deepEqual(processes[0]!.heard, []);
  processes[2]!.events.up();
  assert.deepEqual(lines.slice(2), [
    {
      level: 'error',
      text: 'bridge process ended: it is started again',
      fields: { bridge: 'fra-1', why: 'signal SIGSEGV', restarts: 0, restartInMs: 250 },
    },
    { level: 'info', text: 'bridge process is up', fields: { bridge: 'fra-1', pid: 103, restarts: 1 } },
  ]);
  assert.equal(clock.isArmed, false);
});

test('when one can never be started the others are stopped, and the end says which and why', async () => {
  const { pool, clock, processes } = start(2);
  processes[0]!.events.up();
  for (const index of [1, 2, 3]) {
    assert.equal(processes[index]!.assignment.config.bridge_id, 'fra-1');
    processes[index]!.events.ended('port 10001 is in use');
    if (index < 3) clock.advance();
  }
  assert.deepEqual(processes[0]!.heard, ['stop']);
  processes[0]!.events.ended('exit code 0');
  assert.deepEqual(await pool.ended, {
    exitCode: 1,
    problem: 'bridge fra-1 cannot be started: port 10001 is in use',
  });
});

test('a process that the system refuses to start is tried again like one that ended', () => {
  const { clock, processes, lines, refusals } = start(1);
  processes[0]!.events.up();
  refusals.push(new Error('spawn ENOMEM'));
  processes[0]!.events.ended('signal SIGKILL');
  clock.advance();
  assert.equal(processes.length, 1);
  assert.deepEqual(lines.at(-1)!.fields, { bridge: 'fra-0', why: 'spawn ENOMEM', restarts: 1, restartInMs: 500 });
  clock.advance();
  assert.equal(processes[1]!.assignment.restarts, 2);
});

test('the end waits for every process that was told to stop, and kills those that do not', async () => {
  const { pool, clock, processes } = start(2);
  pool.stop();
  processes[0]!.events.ended('exit code 0');
  clock.advance();
  assert.deepEqual([processes[0]!.heard, processes[1]!.heard], [['stop'], ['stop', 'kill']]);
  let isEnded = false;
  void pool.ended.then(() => {
    isEnded = true;
  });
  await Promise.resolve();
  assert.equal(isEnded, false);
  processes[1]!.events.ended('signal SIGKILL');
  assert.deepEqual(await pool.ended, { exitCode: 1, problem: undefined });
  assert.equal(clock.isArmed, false);
});

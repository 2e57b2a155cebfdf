import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  FIRST_STARTS_MAX,
  Pool,
  type PoolOutput,
  RESTART_DELAY_MS_MAX,
  RESTART_DELAY_MS_MIN,
  SECOND_STOP_MS_MIN,
  STABLE_MS,
  STOP_MS_MAX,
} from './pool.ts';

/** What a pool has said since it was last asked, in a word or two each. */
function said(pool: Pool): string[] {
  return outputs(pool).map(output => {
    switch (output.kind) {
      case 'start':
        return `start ${output.index} again ${output.restarts}`;
      case 'lost':
        return `lost ${output.index} wait ${output.restartInMs}`;
      case 'end':
        return `end ${output.exitCode}`;
      default:
        return `${output.kind} ${output.index}`;
    }
  });
}

function outputs(pool: Pool): PoolOutput[] {
  const list: PoolOutput[] = [];
  for (let output = pool.pollOutput(); output !== undefined; output = pool.pollOutput()) list.push(output);
  return list;
}

/** A pool whose bridges have all come up at 0. */
function upPool(size: number): Pool {
  const pool = new Pool(size);
  for (let index = 0; index < size; index++) pool.handleUp(0, index);
  said(pool);
  return pool;
}

test('all bridges are started at once, and nothing is due while they run', () => {
  const pool = new Pool(3);
  assert.deepEqual(said(pool), ['start 0 again 0', 'start 1 again 0', 'start 2 again 0']);
  for (const index of [0, 1, 2]) pool.handleUp(5, index);
  assert.equal(pool.pollTimeout(), undefined);
  assert.deepEqual(said(pool), []);
});

test('one that ends is started again alone, when its delay is over and not before', () => {
  const pool = upPool(3);
  pool.handleEnd(STABLE_MS, 1, 'signal SIGKILL');
  assert.deepEqual(outputs(pool), [
    { kind: 'lost', index: 1, why: 'signal SIGKILL', wasUp: true, restartInMs: RESTART_DELAY_MS_MIN },
  ]);
  const dueMs = STABLE_MS + RESTART_DELAY_MS_MIN;
  assert.equal(pool.pollTimeout(), dueMs);
  pool.handleTimeout(dueMs - 1);
  assert.deepEqual(said(pool), []);
  pool.handleTimeout(dueMs);
  assert.deepEqual(said(pool), ['start 1 again 1']);
  assert.equal(pool.pollTimeout(), undefined);
});

test('one that keeps crashing waits twice as long each time, up to the limit, and is never given up', () => {
  const pool = upPool(2);
  const waits: number[] = [];
  let nowMs = 0;
  for (let crash = 0; crash < 12; crash++) {
    pool.handleEnd(nowMs, 0, 'exit code 1');
    const [lost, ...rest] = outputs(pool);
    assert.ok(lost?.kind === 'lost' && rest.length === 0);
    waits.push(lost.restartInMs);
    nowMs += lost.restartInMs;
    pool.handleTimeout(nowMs);
    assert.deepEqual(said(pool), [`start 0 again ${crash + 1}`]);
    if (crash % 2 === 0) pool.handleUp(nowMs, 0);
  }
  assert.deepEqual(waits.slice(0, 4), [250, 500, 1_000, 2_000]);
  assert.deepEqual(waits.slice(-3), Array(3).fill(RESTART_DELAY_MS_MAX));
});

test('one that was up for a minute starts its delays anew', () => {
  const pool = upPool(1);
  for (const [atMs, upMs] of [
    [10, 300],
    [400, 1_000],
  ] as const) {
    pool.handleEnd(atMs, 0, '');
    pool.handleTimeout(upMs);
    pool.handleUp(upMs, 0);
  }
  said(pool);
  pool.handleEnd(1_000 + STABLE_MS, 0, '');
  assert.deepEqual(said(pool), [`lost 0 wait ${RESTART_DELAY_MS_MIN}`]);
});

test('one that has never been up is given up after a few tries, and the pool ends with exit code 1 when the others have stopped', () => {
  const pool = new Pool(3);
  pool.handleUp(0, 0);
  said(pool);
  let nowMs = 0;
  for (let start = 1; start < FIRST_STARTS_MAX; start++) {
    pool.handleEnd(nowMs, 2, 'port taken');
    nowMs = pool.pollTimeout()!;
    pool.handleTimeout(nowMs);
    assert.equal(said(pool).length, 2);
  }
  pool.handleEnd(nowMs, 2, 'port taken');
  assert.deepEqual(outputs(pool), [
    { kind: 'give-up', index: 2, why: 'port taken' },
    { kind: 'ask-to-stop', index: 0 },
    { kind: 'ask-to-stop', index: 1 },
  ]);
  pool.handleEnd(nowMs, 0, 'exit code 0');
  assert.deepEqual(said(pool), []);
  pool.handleEnd(nowMs, 1, 'exit code 0');
  assert.deepEqual(said(pool), ['end 1']);
});

test('told to stop, the pool asks each that runs, starts none again, and ends with the last of them', () => {
  const pool = upPool(3);
  pool.handleEnd(0, 2, 'signal SIGSEGV');
  said(pool);
  pool.handleStop(100);
  assert.deepEqual(said(pool), ['ask-to-stop 0', 'ask-to-stop 1']);
  pool.handleEnd(150, 1, 'exit code 0');
  pool.handleTimeout(RESTART_DELAY_MS_MIN);
  assert.deepEqual(said(pool), []);
  pool.handleEnd(300, 0, 'exit code 0');
  assert.deepEqual(said(pool), ['end 0']);
});

test('a pool of which nothing runs ends as soon as it is told', () => {
  const pool = upPool(1);
  pool.handleEnd(0, 0, '');
  said(pool);
  pool.handleStop(1);
  assert.deepEqual(said(pool), ['end 0']);
});

test('one that does not stop in time is killed, and the exit code says so', () => {
  const pool = upPool(2);
  pool.handleStop(0);
  pool.handleEnd(1, 0, 'exit code 0');
  said(pool);
  assert.equal(pool.pollTimeout(), STOP_MS_MAX);
  pool.handleTimeout(STOP_MS_MAX);
  assert.deepEqual(said(pool), ['kill 1']);
  assert.equal(pool.pollTimeout(), undefined);
  pool.handleEnd(STOP_MS_MAX + 1, 1, 'signal SIGKILL');
  assert.deepEqual(said(pool), ['end 1']);
});

test('the echo of a signal is no second one; a later signal kills at once', () => {
  const pool = upPool(1);
  pool.handleStop(0);
  pool.handleStop(SECOND_STOP_MS_MIN - 1);
  assert.deepEqual(said(pool), ['ask-to-stop 0']);
  pool.handleStop(SECOND_STOP_MS_MIN);
  assert.deepEqual(said(pool), ['kill 0']);
});

test('whatever happens, a bridge has one process at most, and a pool that is told to stop ends exactly once', () => {
  const step = fc.record({
    kind: fc.constantFrom('up', 'end', 'end', 'timeout', 'stop'),
    index: fc.nat(2),
    afterMs: fc.constantFrom(0, 1, 600, 70_000),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), steps => {
      const pool = new Pool(3);
      const running = new Set<number>();
      let ends = 0;
      const settle = () => {
        for (const output of outputs(pool)) {
          if (output.kind === 'end') ends++;
          if (output.kind === 'start') {
            assert.ok(!running.has(output.index));
            running.add(output.index);
          }
          if (output.kind === 'ask-to-stop' || output.kind === 'kill') assert.ok(running.has(output.index));
        }
        assert.equal(ends, running.size === 0 && ends > 0 ? 1 : 0);
      };
      const end = (nowMs: number, index: number) => {
        if (running.delete(index)) pool.handleEnd(nowMs, index, 'ended');
        settle();
      };
      settle();
      let nowMs = 0;
      for (const { kind, index, afterMs } of steps) {
        nowMs += afterMs;
        if (kind === 'end') end(nowMs, index);
        else if (kind === 'up' && running.has(index)) pool.handleUp(nowMs, index);
        else if (kind === 'timeout') pool.handleTimeout(nowMs);
        else if (kind === 'stop' && ends === 0) pool.handleStop(nowMs);
        settle();
      }
      if (ends === 0) pool.handleStop(nowMs);
      settle();
      for (const index of [0, 1, 2]) end(nowMs, index);
      assert.equal(ends, 1);
      pool.handleTimeout(nowMs + 100_000);
      assert.deepEqual(said(pool), []);
    }),
  );
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Deadline, NEVER, SLOT_MS, SLOTS, TimerWheel } from './timer-wheel.ts';

function pollAll(wheel: TimerWheel<string>, nowMs: number): string[] {
  const tasks: string[] = [];
  for (let task = wheel.poll(nowMs); task !== undefined; task = wheel.poll(nowMs)) tasks.push(task);
  return tasks;
}

test('a task is due at its deadline, not a moment before, and once', () => {
  const wheel = new TimerWheel<string>();
  wheel.deadline('a').moveTo(104.5);
  assert.deepEqual(pollAll(wheel, 104.4), []);
  assert.deepEqual(pollAll(wheel, 104.5), ['a']);
  assert.deepEqual(pollAll(wheel, 105), []);
});

test('a deadline that has passed is due at the next poll, however far time has gone', () => {
  const wheel = new TimerWheel<string>();
  pollAll(wheel, 1_000_000);
  wheel.deadline('late').moveTo(0);
  assert.deepEqual(pollAll(wheel, 1_000_000), ['late']);
});

test('a deadline beyond the wheel is passed over until its turn', () => {
  const wheel = new TimerWheel<string>();
  const turnMs = SLOTS * SLOT_MS;
  wheel.deadline('far').moveTo(3 * turnMs + 5);
  for (let nowMs = 0; nowMs < 3 * turnMs; nowMs += SLOT_MS) assert.deepEqual(pollAll(wheel, nowMs), []);
  assert.deepEqual(pollAll(wheel, 3 * turnMs + 5), ['far']);
});

test('after a stall everything is due, and what was due first comes first', () => {
  const wheel = new TimerWheel<string>();
  for (const [task, dueMs] of [
    ['c', 300],
    ['a', 20],
    ['b', 25],
    ['d', 4_000],
  ] as const)
    wheel.deadline(task).moveTo(dueMs);
  assert.deepEqual(pollAll(wheel, 5_000), ['a', 'b', 'c', 'd']);
});

test('bringing forward never puts off, moving and clearing do', () => {
  const wheel = new TimerWheel<string>();
  const deadline = wheel.deadline('a');
  deadline.bringForward(100);
  deadline.bringForward(200);
  assert.equal(deadline.dueMs, 100);
  deadline.moveTo(300);
  assert.deepEqual(pollAll(wheel, 299), []);
  deadline.clear();
  assert.equal(deadline.dueMs, NEVER);
  assert.equal(deadline.isSet, false);
  assert.deepEqual(pollAll(wheel, 1_000), []);
  deadline.moveTo(NEVER);
  assert.equal(deadline.isSet, false);
});

test('a deadline that was found due can still be moved or cleared before its task is polled', () => {
  const wheel = new TimerWheel<string>();
  const [first, second, third] = ['1', '2', '3'].map(task => wheel.deadline(task));
  for (const deadline of [first, second, third]) deadline.moveTo(10);
  assert.equal(wheel.poll(10), '1');
  second.moveTo(50);
  third.clear();
  assert.deepEqual(pollAll(wheel, 10), []);
  assert.deepEqual(pollAll(wheel, 50), ['2']);
});

test('who asks again and again at once does not keep others from their turn', () => {
  const wheel = new TimerWheel<string>();
  const eager = wheel.deadline('eager');
  eager.moveTo(10);
  for (const task of ['a', 'b', 'c']) wheel.deadline(task).moveTo(10);
  const polled: string[] = [];
  for (let polls = 0; polls < 5; polls++) {
    const task = wheel.poll(10)!;
    polled.push(task);
    if (task === 'eager') eager.moveTo(0);
  }
  assert.deepEqual(polled, ['eager', 'a', 'b', 'c', 'eager']);
});

test('whatever is moved and cleared, each task is polled at the first poll at or after its last deadline', () => {
  const action = fc.record({
    task: fc.nat(9),
    what: fc.constantFrom('move' as const, 'forward' as const, 'clear' as const),
    aheadMs: fc.oneof(fc.double({ min: -50, max: 200, noNaN: true }), fc.integer({ min: 0, max: 12_000 })),
    thenMs: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 30, noNaN: true }), fc.integer({ min: 0, max: 8_000 })),
    pollsMax: fc.integer({ min: 1, max: 12 }),
  });
  fc.assert(
    fc.property(fc.array(action, { minLength: 20, maxLength: 150 }), actions => {
      const wheel = new TimerWheel<number>();
      const deadlines: Deadline<number>[] = Array.from({ length: 10 }, (_, task) => wheel.deadline(task));
      const dueMs = new Array<number>(10).fill(NEVER);
      let nowMs = 0;
      for (const { task, what, aheadMs, thenMs, pollsMax } of actions) {
        if (what === 'clear') {
          deadlines[task].clear();
          dueMs[task] = NEVER;
        } else if (what === 'move') {
          deadlines[task].moveTo(nowMs + aheadMs);
          dueMs[task] = nowMs + aheadMs;
        } else {
          deadlines[task].bringForward(nowMs + aheadMs);
          dueMs[task] = Math.min(dueMs[task], nowMs + aheadMs);
        }
        nowMs += thenMs;
        for (let polls = 0; polls < pollsMax; polls++) {
          const polled = wheel.poll(nowMs);
          if (polled === undefined) {
            assert.ok(
              dueMs.every(due => due > nowMs),
              `due and not polled at ${nowMs}: ${dueMs.join(' ')}`,
            );
            break;
          }
          assert.ok(dueMs[polled] <= nowMs, `${polled} polled at ${nowMs}, due at ${dueMs[polled]}`);
          dueMs[polled] = NEVER;
        }
        for (const [index, deadline] of deadlines.entries()) assert.equal(deadline.dueMs, dueMs[index]);
      }
    }),
  );
});

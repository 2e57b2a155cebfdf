import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  DATA_WAITING_MAX,
  DtlsQueue,
  type DtlsReceiver,
  TURN_MS_MAX,
  WAITING_MAX,
  WAITING_PER_ENDPOINT_MAX,
} from './dtls-queue.ts';

/** A queue on a virtual clock: turns are taken when the test says so, and each handshake datagram takes `costMs`. */
class World {
  nowMs = 0;
  costMs = 0.4;
  readonly log: string[] = [];
  #due: (() => void)[] = [];
  readonly queue = new DtlsQueue({ nowMs: () => this.nowMs, schedule: turn => this.#due.push(turn) });

  get isTurnDue(): boolean {
    return this.#due.length > 0;
  }

  /** One pass of the event loop. */
  turn(): void {
    for (const turn of this.#due.splice(0)) turn();
  }

  endpoint(name: string, isConnected = false): DtlsReceiver & { isConnected: boolean } {
    return {
      isConnected,
      handleDatagram: datagram => {
        this.log.push(`${name}${datagram[0]}`);
        if (!isConnected) this.nowMs += this.costMs;
      },
    };
  }

  add(receiver: DtlsReceiver, ...numbers: number[]): boolean[] {
    return numbers.map(number => this.queue.add(receiver, Buffer.of(number)));
  }
}

test('nothing is done in the call that brings a datagram', () => {
  const world = new World();
  world.add(world.endpoint('a'), 1);
  world.add(world.endpoint('b', true), 1);
  assert.deepEqual(world.log, []);
  assert.equal(world.isTurnDue, true);
});

test('endpoints take turns: a long flight does not hold up a short one', () => {
  const world = new World();
  world.costMs = 0;
  const [a, b, c] = ['a', 'b', 'c'].map(name => world.endpoint(name));
  world.add(a, 1, 2, 3);
  world.add(b, 1);
  world.add(c, 1, 2);
  world.turn();
  assert.deepEqual(world.log, ['a1', 'b1', 'c1', 'a2', 'c2', 'a3']);
  assert.equal(world.isTurnDue, false);
});

test('a turn ends when its time is over, and the next one goes on where it stopped', () => {
  const world = new World();
  world.costMs = TURN_MS_MAX * 0.6;
  world.add(world.endpoint('a'), 1, 2, 3, 4, 5);
  world.turn();
  assert.deepEqual(world.log, ['a1', 'a2']);
  world.turn();
  assert.deepEqual(world.log, ['a1', 'a2', 'a3', 'a4']);
  world.turn();
  assert.equal(world.log.length, 5);
  assert.equal(world.isTurnDue, false);
});

test('however dear a datagram is, each turn does one', () => {
  const world = new World();
  world.costMs = 50;
  world.add(world.endpoint('a'), 1, 2);
  world.turn();
  assert.deepEqual(world.log, ['a1']);
  world.turn();
  assert.deepEqual(world.log, ['a1', 'a2']);
});

test('data of connected endpoints does not wait behind handshakes, and costs them no turn', () => {
  const world = new World();
  world.costMs = 50;
  const joining = world.endpoint('joining');
  const connected = world.endpoint('connected', true);
  world.add(joining, 1, 2);
  world.add(connected, 1, 2, 3);
  world.turn();
  assert.deepEqual(world.log, ['connected1', 'connected2', 'connected3', 'joining1']);
});

test('an endpoint that floods fills its own place only', () => {
  const world = new World();
  const flooding = world.endpoint('f');
  for (let number = 0; number < WAITING_PER_ENDPOINT_MAX; number++)
    assert.deepEqual(world.add(flooding, number), [true]);
  assert.deepEqual(world.add(flooding, 99), [false]);
  assert.deepEqual(world.add(world.endpoint('b'), 1), [true]);
  assert.equal(world.queue.dropped, 1);
  assert.equal(world.queue.length, WAITING_PER_ENDPOINT_MAX + 1);
});

test('a full queue drops handshakes, still takes data, and both have their bound', () => {
  const world = new World();
  for (let endpoint = 0; endpoint < WAITING_MAX; endpoint++) world.add(world.endpoint('x'), 1);
  assert.deepEqual(world.add(world.endpoint('late'), 1), [false]);
  const connected = world.endpoint('c', true);
  for (let count = 0; count < DATA_WAITING_MAX; count++) assert.deepEqual(world.add(connected, 1), [true]);
  assert.deepEqual(world.add(connected, 1), [false]);
  assert.equal(world.queue.dropped, 2);
  world.turn();
  assert.deepEqual(world.add(connected, 1), [true]);
});

test('an endpoint that ends is forgotten with all that waits, even in the middle of its own datagram', () => {
  const world = new World();
  world.costMs = 0;
  const a = world.endpoint('a');
  const ending: DtlsReceiver = {
    isConnected: false,
    handleDatagram: () => {
      world.log.push('ending');
      world.queue.remove(ending);
    },
  };
  world.add(a, 1);
  world.add(ending, 1, 2, 3);
  world.queue.remove(a);
  assert.equal(world.queue.length, 3);
  world.turn();
  assert.deepEqual(world.log, ['ending']);
  assert.equal(world.queue.length, 0);
});

test('the queue tells how long its datagrams have waited', () => {
  const world = new World();
  world.costMs = 0;
  world.add(world.endpoint('a'), 1);
  world.nowMs = 4;
  world.add(world.endpoint('b'), 1);
  world.nowMs = 24;
  world.turn();
  const { handled, waitMsTotal, waits } = world.queue;
  assert.deepEqual([handled, waitMsTotal], [2, 44]);
  assert.deepEqual(waits, [0, 0, 1, 1, 0, 0]);
});

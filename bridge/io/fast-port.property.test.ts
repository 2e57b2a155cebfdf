/** Random use of a fast port against a kernel in a random mood, and a model of what must come of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import type { Peer } from './datagram-port.ts';
import {
  EAGAIN,
  ECONNREFUSED,
  EINTR,
  EINVAL,
  EIO,
  ENOBUFS,
  EPERM,
  type FakeKernel,
  freeSlots,
  openFakePort,
  TAKES_ALL,
  textOf,
  turnsUntil,
} from './fast-port.fixture.ts';
import type { FastPort } from './fast-port.ts';
import { NOT_HERE } from './native/native.platform.ts';

const SLOTS = 32;
const PEERS = 3;
const RUNS = 300;

type Step =
  | { readonly kind: 'adopt' | 'release'; readonly peer: number }
  | { readonly kind: 'commit'; readonly peer: number; readonly sizes: readonly number[] }
  | { readonly kind: 'reserve' | 'cancel' | 'flush' | 'turn' };

const peer = fc.nat(PEERS - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('adopt', 'release'), peer }) },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('commit'),
      peer,
      // Few sizes, so that runs are common, and one behind the other.
      sizes: fc.array(fc.constantFrom(20, 20, 21, 40), { minLength: 1, maxLength: 8 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('reserve', 'cancel', 'flush', 'turn') }) },
);

/** What the kernel does in its next calls: takes so many messages, or refuses. After the last it takes everything. */
const mood = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: fc.integer({ min: 1, max: 4 }) },
    { weight: 2, arbitrary: fc.constant(-EAGAIN) },
    { weight: 4, arbitrary: fc.constantFrom(EINTR, EINVAL, ENOBUFS, EPERM, ECONNREFUSED).map(errno => -errno) },
    // Ends runs for good.
    { weight: 1, arbitrary: fc.constant(-EIO) },
  ),
  { maxLength: 40 },
);

class Model {
  readonly #port: FastPort<string>;
  readonly #kernel: FakeKernel;
  readonly #peers: (Peer<string> | undefined)[] = new Array(PEERS).fill(undefined);
  readonly #reserved: number[] = [];
  readonly #committed = new Array<number>(PEERS).fill(0);
  /** Refused by the kernel as single datagrams. */
  readonly #refused = new Array<number>(PEERS).fill(0);
  /** Given up because their peer was released while they waited. */
  readonly #abandoned = new Array<number>(PEERS).fill(0);
  #withoutSlot = 0;
  #lastFree: readonly Peer<string>[] = [];

  constructor(port: FastPort<string>, kernel: FakeKernel, moods: readonly number[]) {
    this.#port = port;
    this.#kernel = kernel;
    let calls = 0;
    kernel.verdict = offered => {
      const result = Math.min(moods[calls++] ?? offered.length, offered.length);
      if (result < 0 && result !== -EAGAIN && result !== -EINTR && offered[0].datagrams === 1)
        this.#refused[indexOf(offered[0].to)]++;
      return result;
    };
  }

  async run(step: Step): Promise<void> {
    const port = this.#port;
    if (step.kind === 'adopt') this.#adopt(step.peer);
    else if (step.kind === 'release') this.#release(step.peer);
    else if (step.kind === 'commit') for (const bytes of step.sizes) this.#commit(step.peer, bytes);
    else if (step.kind === 'reserve') this.#reserve();
    else if (step.kind === 'cancel') this.#cancel();
    else if (step.kind === 'flush') port.flush();
    else await turn();
    this.#check();
  }

  /** Until nothing waits, and then there is nothing that is not accounted for. */
  async settle(): Promise<void> {
    this.#kernel.verdict = TAKES_ALL;
    const { counters } = this.#port;
    await turnsUntil(() => counters.sent + counters.sendDropped >= sum(this.#committed) + this.#withoutSlot);
    this.#check();
    assert.equal(freeSlots(this.#port), SLOTS - this.#reserved.length);
  }

  #adopt(index: number): void {
    const known = this.#peers[index];
    const adopted = this.#port.adopt(addressOf(index), portOf(index), `owner ${sum(this.#committed)}`);
    if (known !== undefined) assert.equal(adopted, known);
    this.#peers[index] = adopted;
  }

  #release(index: number): void {
    const known = this.#peers[index];
    if (known === undefined) return;
    this.#port.release(known);
    this.#peers[index] = undefined;
    this.#lastFree = [...this.#lastFree, known];
    this.#abandoned[index] = this.#committed[index] - this.#taken(index) - this.#refused[index];
  }

  #commit(index: number, bytes: number): void {
    const to = this.#peers[index];
    if (to === undefined) return this.#commitToReleased();
    const slot = this.#port.reserve();
    if (slot < 0) {
      this.#withoutSlot++;
      return;
    }
    this.#port.outgoing.fill(0, slot, slot + bytes);
    this.#port.outgoing.write(`${index}#${this.#committed[index]++}`, slot, 'latin1');
    this.#port.commit(slot, bytes, to);
  }

  /** Somebody has kept a peer for too long: the datagram is dropped. */
  #commitToReleased(): void {
    const released = this.#lastFree.at(-1);
    const slot = released === undefined ? -1 : this.#port.reserve();
    if (released === undefined) return;
    this.#withoutSlot++;
    if (slot >= 0) this.#port.commit(slot, 20, released);
  }

  #reserve(): void {
    const slot = this.#port.reserve();
    if (slot < 0) this.#withoutSlot++;
    else this.#reserved.push(slot);
  }

  #cancel(): void {
    const slot = this.#reserved.pop();
    if (slot !== undefined) this.#port.cancel(slot);
  }

  #taken(index: number): number {
    return this.#kernel.datagrams.filter(({ to }) => indexOf(to) === index).length;
  }

  #check(): void {
    const { counters } = this.#port;
    const last = new Array<number>(PEERS).fill(-1);
    for (const { to, bytes } of this.#kernel.datagrams) {
      const [index, number] = textOf(bytes).split('#').map(Number);
      assert.equal(index, indexOf(to), 'it goes to whom it was meant for');
      assert.ok(number > last[index], 'once, and in order');
      last[index] = number;
    }
    assert.equal(counters.sent, this.#kernel.datagrams.length);
    assert.equal(counters.sendErrors, sum(this.#refused));
    const dropped = this.#withoutSlot + sum(this.#refused) + sum(this.#abandoned);
    assert.equal(counters.sendDropped, dropped, 'nothing is lost without a reason');
    const waiting = sum(this.#committed) + this.#withoutSlot - counters.sent - counters.sendDropped;
    assert.equal(freeSlots(this.#port), SLOTS - this.#reserved.length - waiting, 'every slot is somewhere');
  }
}

const addressOf = (index: number) => `10.0.0.${index + 1}`;
const portOf = (index: number) => 1000 + index;
const indexOf = (name: string) => Number(name.split(':')[1]) - 1000;
const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);

test('whatever the kernel does, a datagram leaves once, in its peer’s order and to nobody else, or is counted', {
  skip: NOT_HERE,
}, async context => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), mood, async (steps, moods) => {
      const { port, kernel } = await openFakePort(context, { arenaSlots: SLOTS });
      const model = new Model(port, kernel, moods);
      for (const step of steps) await model.run(step);
      await model.settle();
      await port.close();
    }),
    { numRuns: RUNS },
  );
});

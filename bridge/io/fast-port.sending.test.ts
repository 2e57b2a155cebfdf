/** How a fast port gets along with a kernel that takes little, nothing, or refuses: against a fake one, whose answers the test chooses. */
import assert from 'node:assert/strict';
import { suite, type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
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
  openRealPort,
  post,
  TAKES_ALL,
  textOf,
  turnsUntil,
} from './fast-port.fixture.ts';
import type { FastPort } from './fast-port.ts';
import { NOT_HERE } from './native/native.platform.ts';
import { READABLE, Readiness, WRITABLE } from './native/readiness.ts';
import { LENT_NAMES } from './peer-names.ts';
import { SEND_MESSAGES, SEND_PIECES } from './send-queue.ts';

const ANNA = '10.0.0.1:1001';
const BERT = '10.0.0.2:1002';

interface World {
  readonly port: FastPort<string>;
  readonly kernel: FakeKernel;
  readonly anna: Peer<string>;
  readonly bert: Peer<string>;
}

async function open(context: TestContext, arenaSlots?: number): Promise<World & { warnings: string[] }> {
  const warnings: string[] = [];
  const log = { warn: (_details: object, message: string) => void warnings.push(message) };
  const { port, kernel } = await openFakePort(context, arenaSlots === undefined ? { log } : { arenaSlots, log });
  return { port, kernel, anna: adopt(port, ANNA), bert: adopt(port, BERT), warnings };
}

function adopt(port: FastPort<string>, name: string): Peer<string> {
  const [address, number] = name.split(':');
  return port.adopt(address, Number(number), name);
}

const names = (prefix: string, count: number) => Array.from({ length: count }, (_, index) => `${prefix}${index}`);

suite('fast port, sending', { skip: NOT_HERE }, () => {
  test('a kernel that takes one message at a time gets all of them, in order', async context => {
    const { port, kernel, anna, bert } = await open(context);
    kernel.verdict = () => 1;
    for (const index of [0, 1, 2]) {
      // Growing, so that none of them make a run.
      post(port, anna, `a${index}`, 10 + index);
      post(port, bert, `b${index}`, 10 + index);
    }
    port.flush();
    assert.deepEqual(
      kernel.datagrams.map(({ bytes }) => textOf(bytes)),
      ['a0', 'a1', 'a2', 'b0', 'b1', 'b2'],
    );
    assert.deepEqual([port.counters.sendCalls, port.counters.sent, port.counters.sentBytes], [6, 6, 66]);
  });

  test('a full kernel buffer loses nothing: what is queued waits until it is writable, and leaves in the order it came', async context => {
    const { port, kernel } = await open(context);
    const peers = names('10.0.1.', 20).map((address, index) => port.adopt(address, 5000 + index, address));
    let calls = 0;
    // Three messages, then full; the next times one and full, so that the rest is put back again and again.
    kernel.verdict = () => (calls++ % 2 === 0 ? (calls === 1 ? 3 : 1) : -EAGAIN);
    const expected: string[] = [];
    for (const peer of peers) {
      for (const size of [10, 11]) {
        post(port, peer, `${peer.port}/${size}`, size);
        expected.push(`${peer.port}/${size}`);
      }
    }
    port.flush();
    assert.equal(kernel.datagrams.length, 3);
    port.flush();
    assert.equal(calls, 2, 'nothing is tried while it is full');
    assert.equal(port.counters.sendBlocked, 1);
    assert.equal(freeSlots(port), 512 - 37);
    await turnsUntil(() => kernel.datagrams.length === expected.length);
    assert.deepEqual(
      kernel.datagrams.map(({ bytes }) => textOf(bytes)),
      expected,
    );
    assert.deepEqual([port.counters.sent, port.counters.sendDropped, port.counters.sendErrors], [40, 0, 0]);
    assert.ok(port.counters.sendBlocked > 30);
    assert.equal(freeSlots(port), 512);
  });

  test('what is committed while the buffer is full goes behind what waits', async context => {
    const { port, kernel, anna, bert } = await open(context);
    kernel.verdict = () => -EAGAIN;
    post(port, anna, 'a0');
    port.flush();
    post(port, bert, 'b0');
    post(port, anna, 'a1');
    kernel.verdict = TAKES_ALL;
    await turnsUntil(() => kernel.datagrams.length === 3);
    assert.deepEqual(
      kernel.datagrams.map(({ bytes }) => textOf(bytes)),
      ['a0', 'a1', 'b0'],
    );
  });

  test('when the buffer stays full the arena fills up: then a slot is refused and that is counted', async context => {
    const { port, kernel, anna } = await open(context, 8);
    kernel.verdict = () => -EAGAIN;
    for (const text of names('x', 8)) assert.equal(post(port, anna, text), true);
    port.flush();
    assert.equal(port.reserve(), -1);
    assert.equal(post(port, anna, 'y'), false);
    assert.deepEqual([port.counters.sendDropped, port.counters.sendBlocked], [2, 1]);
    kernel.verdict = TAKES_ALL;
    await turnsUntil(() => kernel.datagrams.length === 8);
    assert.deepEqual(kernel.textsTo(ANNA), names('x', 8));
  });

  for (const [name, errno] of Object.entries({ ENOBUFS, ECONNREFUSED, EPERM, EINVAL, EIO })) {
    test(`${name} about a datagram drops and counts that one, and the others leave`, async context => {
      const { port, kernel, anna, bert, warnings } = await open(context);
      kernel.verdict = offered => (offered[0].to === ANNA ? -errno : 1);
      post(port, bert, 'b0', 10);
      post(port, anna, 'a0', 10);
      post(port, bert, 'b1', 11);
      port.flush();
      assert.deepEqual(
        kernel.datagrams.map(({ bytes }) => textOf(bytes)),
        ['b0', 'b1'],
      );
      const { sent, sendErrors, sendDropped, sendBlocked } = port.counters;
      assert.deepEqual([sent, sendErrors, sendDropped, sendBlocked], [2, 1, 1, 0]);
      assert.equal(freeSlots(port), 512);
      assert.deepEqual([port.sendsRuns, warnings], [true, []]);
    });
  }

  test('an interrupted call is made again at once; many interruptions wait for the next turn, and nothing is lost', async context => {
    const { port, kernel, anna } = await open(context);
    let interruptions = 2;
    kernel.verdict = offered => (interruptions-- > 0 ? -EINTR : offered.length);
    post(port, anna, 'a0');
    port.flush();
    assert.deepEqual(kernel.results, [-EINTR, -EINTR, 1]);
    interruptions = 30;
    post(port, anna, 'a1');
    port.flush();
    assert.ok(interruptions > 0, 'a flush is bounded');
    await turnsUntil(() => kernel.datagrams.length === 2);
    assert.deepEqual(kernel.textsTo(ANNA), ['a0', 'a1']);
    assert.equal(port.counters.sendErrors, 0);
  });

  test('datagrams of one size to one peer leave as one message, a shorter one may end it', async context => {
    const { port, kernel, anna, bert } = await open(context);
    for (const [text, bytes] of [
      ['a0', 100],
      ['a1', 100],
      ['a2', 40],
      ['a3', 40],
      ['a4', 41],
    ] as const) {
      post(port, anna, text, bytes);
      post(port, bert, 'b', 70);
    }
    port.flush();
    assert.deepEqual(kernel.runs, [3, 1, 1, 5]);
    assert.deepEqual(kernel.textsTo(ANNA), names('a', 5));
    assert.deepEqual([port.counters.sentInRuns, port.counters.sent, port.counters.sendCalls], [8, 10, 1]);
  });

  test('an empty datagram is no part of a run', async context => {
    const { port, kernel, anna } = await open(context);
    for (const bytes of [50, 0, 0, 50]) post(port, anna, '', bytes);
    port.flush();
    assert.deepEqual(kernel.runs, [1, 1, 1, 1]);
    assert.deepEqual(
      kernel.datagrams.map(({ bytes }) => bytes.length),
      [50, 0, 0, 50],
    );
  });

  test('a run has at most 64 datagrams and 65,000 bytes', async context => {
    const { port, kernel, anna, bert } = await open(context);
    for (let count = 0; count < 70; count++) {
      post(port, anna, `a${count}`, 100);
      post(port, bert, `b${count}`, 1200);
    }
    port.flush();
    assert.deepEqual([kernel.textsTo(ANNA), kernel.textsTo(BERT)], [names('a', 70), names('b', 70)]);
    assert.ok(kernel.runs.every(count => count <= 64));
    // 54 x 1200 are 64,800 bytes.
    assert.ok(kernel.runs.includes(64) && kernel.runs.includes(54), `runs of ${kernel.runs}`);
  });

  test('more peers and datagrams than a batch holds leave with several calls, in order', async context => {
    const { port, kernel } = await open(context, 4096);
    const peers = Array.from({ length: 1200 }, (_, index) =>
      port.adopt(`10.1.${index >> 8}.${index & 255}`, 1000 + index, 'one of many'),
    );
    const say = (text: string) => {
      for (const peer of peers) post(port, peer, text, 20);
    };
    for (const peer of peers.slice(0, 100)) post(port, peer, 'before', 20);
    port.flush();
    kernel.verdict = () => -EAGAIN;
    for (const text of ['0', '1', '2']) say(text);
    assert.ok(3 * peers.length > SEND_PIECES && peers.length > SEND_MESSAGES);
    kernel.verdict = TAKES_ALL;
    await turnsUntil(() => port.counters.sent === 100 + 3 * peers.length);
    const texts = Map.groupBy(kernel.datagrams.slice(100), ({ to }) => to);
    for (const peer of peers)
      assert.deepEqual(
        texts.get(`${peer.address}:${peer.port}`)?.map(({ bytes }) => textOf(bytes)),
        ['0', '1', '2'],
      );
  });

  test('while the buffer is full what comes in is handled as ever', async context => {
    let heard = 0;
    const { port, kernel } = await openFakePort(context, { arenaSlots: 4096, handler: () => heard++ });
    const anna = adopt(port, ANNA);
    kernel.verdict = () => -EAGAIN;
    for (let count = 0; count < 3000; count++) post(port, anna, 'x');
    const sender = await openRealPort(context);
    for (let count = 0; count < 500; count++) post(sender, sender.adopt('127.0.0.1', port.port, 'port'), 'x');
    sender.flush();
    for (let turns = 0; turns < 5; turns++) await turn();
    assert.equal(heard, 500);
  });

  test('the event loop is woken for a writable socket only while something waits for it', async context => {
    const { watch } = Readiness.prototype;
    const watched: number[] = [];
    context.mock.method(Readiness.prototype, 'watch', function (this: Readiness, events: number) {
      watched.push(events);
      watch.call(this, events);
    });
    const { port, kernel, anna } = await open(context);
    kernel.verdict = () => -EAGAIN;
    post(port, anna, 'a0');
    port.flush();
    assert.deepEqual(watched, [READABLE, READABLE | WRITABLE]);
    kernel.verdict = TAKES_ALL;
    await turnsUntil(() => kernel.datagrams.length === 1);
    assert.equal(watched.at(-1), READABLE);
    kernel.verdict = () => -EAGAIN;
    post(port, anna, 'a1');
    const closing = port.close();
    assert.equal(watched.at(-1), WRITABLE, 'what still comes in is for nobody');
    kernel.verdict = TAKES_ALL;
    await closing;
  });

  test('a path that refuses runs gets its datagrams one by one, in order and for good; other peers keep theirs', async context => {
    const { port, kernel, anna, bert, warnings } = await open(context);
    kernel.verdict = offered => (offered[0].to === ANNA && offered[0].datagrams > 1 ? -EINVAL : 1);
    const say = (from: number) => {
      // Five runs for each: what is behind a refused run must not overtake it.
      for (let index = from; index < from + 20; index++) {
        post(port, anna, `a${index}`, 50 + (index >> 2));
        post(port, bert, `b${index}`, 50 + (index >> 2));
      }
      port.flush();
    };
    say(0);
    say(20);
    assert.deepEqual([kernel.textsTo(ANNA), kernel.textsTo(BERT)], [names('a', 40), names('b', 40)]);
    assert.equal(kernel.results.filter(result => result === -EINVAL).length, 1, 'it is not asked again');
    assert.equal(port.counters.sentInRuns, 40);
    assert.deepEqual([port.counters.sendErrors, port.counters.sendDropped], [0, 0]);
    assert.deepEqual([port.sendsRuns, warnings], [true, []]);
    assert.equal(freeSlots(port), 512);
  });

  test('whoever gets the place of a peer that refused runs has them', async context => {
    const { port, kernel, anna } = await open(context);
    kernel.verdict = offered => (offered[0].to === ANNA && offered[0].datagrams > 1 ? -EINVAL : 1);
    for (const text of names('a', 3)) post(port, anna, text, 50);
    port.flush();
    port.release(anna);
    const carl = port.adopt('10.0.0.3', 1003, 'carl');
    kernel.runs.length = 0;
    for (const text of names('c', 3)) post(port, carl, text, 50);
    port.flush();
    assert.deepEqual(kernel.runs, [3]);
  });

  test('a device that cannot segment ends runs for the whole port, with one warning and no loss', async context => {
    const { port, kernel, anna, bert, warnings } = await open(context);
    kernel.verdict = offered => (offered[0].datagrams > 1 ? -EIO : 1);
    const say = (from: number) => {
      for (let index = from; index < from + 10; index++) {
        post(port, anna, `a${index}`, 50);
        post(port, bert, `b${index}`, 50);
      }
      port.flush();
    };
    say(0);
    assert.equal(port.sendsRuns, false);
    say(10);
    assert.deepEqual([kernel.textsTo(ANNA), kernel.textsTo(BERT)], [names('a', 20), names('b', 20)]);
    assert.deepEqual(warnings, ['the network device cannot segment UDP: datagrams leave one by one']);
    assert.equal(kernel.results.filter(result => result === -EIO).length, 2, 'one for each run that was made already');
    assert.equal(port.counters.sendDropped, 0);
  });

  for (const [name, errno] of Object.entries({ ENOBUFS, ECONNREFUSED, EPERM })) {
    test(`${name} about a run loses nothing that can leave by itself, and the next runs are tried`, async context => {
      const { port, kernel, anna } = await open(context);
      let refusals = 1;
      kernel.verdict = () => (refusals-- > 0 ? -errno : 1);
      for (const text of names('a', 4)) post(port, anna, text, 50);
      port.flush();
      assert.deepEqual(kernel.runs, [1, 1, 1, 1]);
      for (const text of names('b', 4)) post(port, anna, text, 50);
      port.flush();
      assert.deepEqual(kernel.runs, [1, 1, 1, 1, 4]);
      assert.deepEqual(kernel.textsTo(ANNA), [...names('a', 4), ...names('b', 4)]);
      assert.deepEqual([port.sendsRuns, port.counters.sendDropped], [true, 0]);
    });
  }

  test('what is queued for a released peer leaves first', async context => {
    const { port, kernel, anna } = await open(context);
    post(port, anna, 'goodbye');
    port.release(anna);
    assert.deepEqual(kernel.textsTo(ANNA), ['goodbye']);
    const slot = port.reserve();
    port.commit(slot, 10, anna);
    port.flush();
    assert.deepEqual([port.counters.sent, port.counters.sendDropped], [1, 1], 'and nothing after');
    assert.equal(freeSlots(port), 512);
  });

  test('what waits for a peer that is released does not go to the one who gets its place', async context => {
    const { port, kernel, anna, bert } = await open(context);
    kernel.verdict = () => -EAGAIN;
    post(port, anna, 'for anna');
    post(port, bert, 'for bert');
    port.flush();
    post(port, anna, 'for anna too');
    port.release(anna);
    assert.equal(port.counters.sendDropped, 2);
    const carl = port.adopt('10.0.0.3', 1003, 'carl');
    post(port, carl, 'for carl');
    kernel.verdict = TAKES_ALL;
    await turnsUntil(() => port.counters.sent === 2);
    assert.deepEqual(
      new Map(kernel.datagrams.map(({ to, bytes }) => [to, textOf(bytes)])),
      new Map([
        [BERT, 'for bert'],
        ['10.0.0.3:1003', 'for carl'],
      ]),
    );
    assert.equal(freeSlots(port), 512);
  });

  test('while the buffer is full no more strangers are answered than there are names for, and then they are again', async context => {
    const answered = 100;
    const { promise, resolve } = Promise.withResolvers<void>();
    let heard = 0;
    const { port, kernel } = await openFakePort(context, {
      handler: (_bytes, _offset, _length, peer) => {
        post(port, peer, `answer ${heard}`);
        if (++heard === answered) resolve();
      },
    });
    kernel.verdict = () => -EAGAIN;
    const sender = await openRealPort(context);
    for (let count = 0; count < answered; count++) post(sender, sender.adopt('127.0.0.1', port.port, 'port'), 'who?');
    sender.flush();
    await promise;
    assert.equal(port.counters.sendDropped, answered - LENT_NAMES);
    kernel.verdict = TAKES_ALL;
    await turnsUntil(() => kernel.datagrams.length === LENT_NAMES);
    assert.deepEqual(
      kernel.textsTo(`127.0.0.1:${sender.port}`),
      Array.from({ length: LENT_NAMES }, (_, index) => `answer ${index}`),
    );
    heard = 0;
    post(sender, sender.adopt('127.0.0.1', port.port, 'port'), 'who?');
    await turnsUntil(() => kernel.datagrams.length === LENT_NAMES + 1);
  });

  test('a length that no datagram has is dropped and counted', async context => {
    const { port, kernel, anna } = await open(context);
    for (const length of [-1, 2049, Number.NaN]) port.commit(port.reserve(), length, anna);
    port.flush();
    assert.deepEqual([kernel.datagrams.length, port.counters.sendDropped], [0, 3]);
    assert.equal(freeSlots(port), 512);
  });

  test('closing while the buffer is full waits until everything has left', async context => {
    const { port, kernel, anna } = await open(context);
    kernel.verdict = () => -EAGAIN;
    post(port, anna, 'goodbye');
    const closing = port.close();
    assert.equal(port.close(), closing);
    await turn();
    assert.deepEqual(kernel.datagrams, []);
    kernel.verdict = TAKES_ALL;
    await closing;
    assert.deepEqual(kernel.textsTo(ANNA), ['goodbye']);
    assert.equal(port.counters.sendDropped, 0);
  });

  test('closing gives up what the kernel has not taken within a second, and counts it', async context => {
    const { port, kernel, anna } = await open(context);
    kernel.verdict = () => -EAGAIN;
    const early = port.reserve();
    post(port, anna, 'never');
    context.mock.timers.enable({ apis: ['setTimeout'] });
    const closing = port.close();
    context.mock.timers.tick(1_000);
    await closing;
    assert.equal(port.counters.sendDropped, 1);
    port.commit(early, 10, anna);
    assert.equal(port.counters.sendDropped, 2, 'what is committed afterwards too');
    kernel.verdict = TAKES_ALL;
    port.flush();
    port.release(anna);
    await turn();
    assert.deepEqual(kernel.datagrams, []);
  });
});

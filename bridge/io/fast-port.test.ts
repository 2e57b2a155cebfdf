import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { suite, type TestContext, test } from 'node:test';
import { describePort } from './datagram-port.contract.ts';
import { openRealPort, post, textOf, turnsUntil } from './fast-port.fixture.ts';
import { FastPort } from './fast-port.ts';
import { NOT_HERE } from './native/native.platform.ts';
import { NativeMemory } from './native/native-memory.ts';
import { NativeSlots } from './native/native-slots.ts';
import { NativeSocket } from './native/native-socket.ts';
import { SendBatch } from './native/send-batch.ts';
import { NAME_BYTES, nameBytes, writeName } from './native/socket-name.ts';

if (NOT_HERE === false) {
  describePort('fast', options => FastPort.open(options));
  describePort('fast, receiving runs', options => FastPort.open({ ...options, receivesRuns: true }));
}

const LOOPBACK = '127.0.0.1';

/** Most datagrams that one turn of the event loop may bring: its readiness, and what was left for its immediates. */
const TURN_MAX = 2 * 256;

/** The largest number of datagrams counted by `count` between two immediates, until `isDone`. */
async function busiestTurn(count: () => number, isDone: () => boolean): Promise<number> {
  let busiest = 0;
  let before = count();
  await turnsUntil(() => {
    busiest = Math.max(busiest, count() - before);
    before = count();
    return isDone();
  });
  return busiest;
}

/** A plain socket that collects what it hears. */
async function openListener(context: TestContext): Promise<{ port: number; heard: Buffer[] }> {
  const heard: Buffer[] = [];
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4 * 1024 * 1024 });
  socket.on('message', bytes => heard.push(bytes));
  socket.bind(0, LOOPBACK);
  await once(socket, 'listening');
  context.after(() => socket.close());
  return { port: socket.address().port, heard };
}

suite('fast port', { skip: NOT_HERE }, () => {
  test('runs arrive at a plain socket as the datagrams they were made of, in order', async context => {
    const port = await openRealPort(context);
    const { port: number, heard } = await openListener(context);
    const listener = port.adopt(LOOPBACK, number, 'listener');
    const sizes = [...new Array(70).fill(1200), 700, 700, 30, 1200, 1200, 2048, 0, 5];
    for (const [index, size] of sizes.entries()) post(port, listener, String(index).slice(0, size), size);
    port.flush();
    await turnsUntil(() => heard.length === sizes.length);
    assert.deepEqual(
      heard.map(bytes => bytes.length),
      sizes,
    );
    assert.deepEqual(
      heard.map(textOf),
      sizes.map((size, index) => String(index).slice(0, size)),
    );
    assert.ok(port.counters.sendCalls <= 2 && port.counters.sentInRuns >= 70);
  });

  test('runs that the kernel has put together come out one by one, with their lengths, contents and sender', async context => {
    const heard: string[] = [];
    const receiver = await openRealPort(context, {
      receivesRuns: true,
      handler: (bytes, offset, length, peer) =>
        heard.push(`${textOf(bytes.subarray(offset, offset + length))} of ${length} from ${peer.owner}`),
    });
    const senders = [await openRealPort(context), await openRealPort(context)];
    const expected: string[] = [];
    for (const [which, sender] of senders.entries()) {
      receiver.adopt(LOOPBACK, sender.port, `sender ${which}`);
      const peer = sender.adopt(LOOPBACK, receiver.port, 'receiver');
      const sizes = [...new Array(60).fill(1000), 300, 2048, 2048, 1, 5, 5];
      for (const [index, size] of sizes.entries()) {
        post(sender, peer, String(index).slice(0, size), size);
        expected.push(`${String(index).slice(0, size)} of ${size} from sender ${which}`);
      }
      sender.flush();
    }
    await turnsUntil(() => heard.length === expected.length);
    assert.deepEqual(heard, expected);
    const { received, receiveCalls, receivedInRuns, receivedBytes } = receiver.counters;
    assert.deepEqual([received, receivedBytes], [expected.length, 2 * (60_000 + 300 + 4096 + 11)]);
    assert.ok(receivedInRuns >= 120, 'the kernel has put them together');
    assert.ok(receiveCalls <= 4);
  });

  test('what is too large for a slot is counted alone or in a run, and the rest of what came with it is handled', async context => {
    const lengths: number[] = [];
    const receiver = await openRealPort(context, {
      receivesRuns: true,
      handler: (_bytes, _offset, length) => lengths.push(length),
    });
    const raw = new RawSender(context, receiver.port);
    raw.send([2100, 2100, 2100, 50], 2100);
    raw.send([2049]);
    raw.send([20]);
    await turnsUntil(() => lengths.length === 2 && receiver.counters.oversized === 4);
    assert.deepEqual(lengths, [50, 20]);
  });

  test('more strangers than there are names are answered in one turn, each with its own', async context => {
    const port = await openRealPort(context, {
      handler: (_bytes, _offset, _length, peer) => post(port, peer, `you are ${peer.port}`),
    });
    const clients: FastPort<string>[] = [];
    const answers: string[] = [];
    for (let index = 0; index < 5; index++) {
      const client = await openRealPort(context, {
        handler: (bytes, offset, length) =>
          answers.push(`${index}: ${textOf(bytes.subarray(offset, offset + length))}`),
      });
      clients.push(client);
    }
    for (const client of clients) {
      for (let count = 0; count < 40; count++) post(client, client.adopt(LOOPBACK, port.port, 'port'), 'who am I');
      client.flush();
    }
    await turnsUntil(() => answers.length === 200);
    for (const [index, client] of clients.entries())
      assert.equal(answers.filter(text => text === `${index}: you are ${client.port}`).length, 40);
    assert.equal(port.counters.receiveCalls, 4, 'they were answered together');
    assert.equal(port.counters.sendDropped, 0);
  });

  for (const receivesRuns of [false, true]) {
    test(`a flood is handled in bounded turns, others have theirs in between${receivesRuns ? ': of runs' : ''}`, async context => {
      let heard = 0;
      const receiver = await openRealPort(context, { receivesRuns, handler: () => heard++ });
      const sender = await openRealPort(context);
      const peer = sender.adopt(LOOPBACK, receiver.port, 'receiver');
      for (let count = 0; count < 2000; count++) post(sender, peer, 'x', 100);
      sender.flush();
      assert.equal(sender.counters.sent, 2000);
      const busiest = await busiestTurn(
        () => heard,
        () => heard === 2000,
      );
      assert.ok(busiest <= TURN_MAX, `${busiest} in one turn`);
    });

    test(`a flood of what is too large is handled in bounded turns too${receivesRuns ? ': of runs' : ''}`, async context => {
      const { counters, port } = await openRealPort(context, { receivesRuns });
      const raw = new RawSender(context, port);
      for (let count = 0; count < 900; count++) raw.send([2100]);
      const busiest = await busiestTurn(
        () => counters.oversized,
        () => counters.oversized === 900,
      );
      assert.ok(busiest <= TURN_MAX, `${busiest} in one turn`);
      assert.equal(counters.received, 0);
    });
  }

  test('a handler that answers each datagram with many is bounded by what it sends', async context => {
    let answers = 0;
    const { heard, port: number } = await openListener(context);
    const port: FastPort<string> = await openRealPort(context, {
      handler: () => {
        for (let count = 0; count < 100; count++) answers += Number(post(port, listener, 'x', 20));
      },
    });
    const listener = port.adopt(LOOPBACK, number, 'listener');
    const sender = await openRealPort(context);
    for (let count = 0; count < 100; count++) post(sender, sender.adopt(LOOPBACK, port.port, 'port'), 'x');
    sender.flush();
    const busiest = await busiestTurn(
      () => port.counters.received,
      () => port.counters.received === 100,
    );
    assert.ok(busiest <= 2 * 22, `${busiest} in one turn`);
    assert.equal(answers, 10_000);
    assert.ok(heard.length > 0);
  });

  test('the end of what arrived together is told once per turn, after the handlers and before their answers leave', async context => {
    const events: string[] = [];
    const port = await openRealPort(context, {
      handler: (_bytes, _offset, _length, peer) => {
        events.push('datagram');
        post(port, peer, 'answer');
      },
      onReceived: () => events.push(`end, ${port.counters.sent} sent`),
    });
    const sender = await openRealPort(context);
    for (let count = 0; count < 3; count++) post(sender, sender.adopt(LOOPBACK, port.port, 'port'), 'x');
    sender.flush();
    await turnsUntil(() => port.counters.sent === 3);
    assert.deepEqual(events, ['datagram', 'datagram', 'datagram', 'end, 0 sent']);
  });

  test('closing inside the handler is the last that is heard, what it had queued leaves, and the port is free', async context => {
    const { heard, port: number } = await openListener(context);
    let handled = 0;
    let ends = 0;
    let closing: Promise<void> | undefined;
    const port: FastPort<string> = await openRealPort(context, {
      handler: (bytes, offset) => {
        handled++;
        post(port, listener, 'goodbye');
        closing = port.close();
        assert.equal(bytes[offset], 0x78, 'the datagram can still be read');
        assert.equal(port.reserve(), -1);
      },
      onReceived: () => ends++,
    });
    const listener = port.adopt(LOOPBACK, number, 'listener');
    const sender = await openRealPort(context);
    for (let count = 0; count < 10; count++) post(sender, sender.adopt(LOOPBACK, port.port, 'port'), 'x');
    sender.flush();
    await turnsUntil(() => heard.length === 1);
    await closing;
    assert.deepEqual([handled, ends, String(heard[0])], [1, 0, 'goodbye']);
    const next = await openRealPort(context, { port: port.port });
    assert.equal(next.port, port.port);
  });

  test('what a handler throws is an uncaught exception; what came with its datagram is handled, and what it had queued leaves', () => {
    const script = `
      import { FastPort } from '${new URL('./fast-port.ts', import.meta.url)}';
      let heard = 0;
      const open = handler => FastPort.open({ address: '127.0.0.1', port: 0, arenaSlots: 16, handler });
      const answers = await open((bytes, offset, length) => {
        console.log(bytes.toString('latin1', offset, offset + length));
        if (++heard === 3) process.exit(0);
      });
      process.on('uncaughtException', error => console.log('uncaught: ' + error.message));
      const send = (port, text, to) => {
        const slot = port.reserve();
        port.commit(slot, port.outgoing.write(text, slot), to);
      };
      const port = await open((bytes, offset) => {
        send(port, 'answer ' + bytes[offset], to);
        if (bytes[offset] === 1) throw new Error('of the handler');
      });
      const to = port.adopt('127.0.0.1', answers.port, 'answers');
      const itself = port.adopt('127.0.0.1', port.port, 'itself');
      for (const first of [0, 1, 2]) send(port, String.fromCharCode(first), itself);
    `;
    const options = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script];
    const child = spawnSync(process.execPath, options, { encoding: 'utf8', timeout: 20_000 });
    assert.equal(child.stderr, '');
    assert.deepEqual(child.stdout.trim().split('\n').toSorted(), [
      'answer 0',
      'answer 1',
      'answer 2',
      'uncaught: of the handler',
    ]);
  });

  test('a handler’s exception without anyone to catch it ends the process with its message', () => {
    const script = `
      import { FastPort } from '${new URL('./fast-port.ts', import.meta.url)}';
      const handler = () => { throw new Error('of the handler'); };
      const port = await FastPort.open({ address: '127.0.0.1', port: 0, arenaSlots: 16, handler });
      port.commit(port.reserve(), 1, port.adopt('127.0.0.1', port.port, 'itself'));
    `;
    const options = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script];
    const child = spawnSync(process.execPath, options, { encoding: 'utf8', timeout: 20_000 });
    assert.deepEqual([child.status, child.signal], [1, null]);
    assert.match(child.stderr, /Error: of the handler/);
  });

  test('a closed port leaves no slots behind, nor does one that cannot be opened', async context => {
    const before = NativeSlots['open'].length;
    const port = await openRealPort(context);
    const closed = await openRealPort(context, { receivesRuns: true });
    assert.equal(NativeSlots['open'].length, before + 4);
    await closed.close();
    const taken = { address: LOOPBACK, port: port.port, handler: () => {} };
    await assert.rejects(FastPort.open(taken), { code: 'EADDRINUSE' });
    for (const arenaSlots of [0, -1, 1.5])
      await assert.rejects(FastPort.open({ ...taken, port: 0, arenaSlots }), RangeError);
    await port.close();
    assert.equal(NativeSlots['open'].length, before);
  });

  test('what handlers queue runs at once, unless all datagrams of a turn were said to queue nothing', async context => {
    const asked: number[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    const port = await FastPort.open({
      address: LOOPBACK,
      port: 0,
      isSynchronous: firstByte => {
        asked.push(firstByte);
        return firstByte === 0x80;
      },
      handler: (bytes, offset) => {
        if (bytes[offset] === 0x01) queueMicrotask(resolve);
      },
    });
    context.after(() => port.close());
    const client = createSocket('udp4');
    context.after(() => client.close());
    client.send(Buffer.of(0x80), port.port, LOOPBACK);
    client.send(Buffer.of(0x80), port.port, LOOPBACK);
    client.send(Buffer.of(0x01), port.port, LOOPBACK);
    await promise;
    assert.equal(asked.at(-1), 0x01);
  });
});

/** Sends datagrams of any size, which no port does. */
class RawSender {
  readonly #memory = new NativeMemory(65_536);
  readonly #batch = new SendBatch({ messages: 1, pieces: 64 });
  readonly #socket = NativeSocket.open(LOOPBACK, 0);
  readonly #name = new NativeMemory(NAME_BYTES);

  constructor(context: TestContext, port: number) {
    writeName(this.#name.words, 0, { address: LOOPBACK, port, family: 'IPv4' });
    context.after(() => this.#socket.close());
  }

  /** Datagrams of these sizes; more than one as a run of `segmentBytes`. */
  send(sizes: readonly number[], segmentBytes = 0): void {
    this.#batch.begin(this.#name, 0, nameBytes('IPv4'));
    for (const size of sizes) this.#batch.add(this.#memory, 0, size);
    if (segmentBytes > 0) this.#batch.segment(segmentBytes);
    assert.equal(this.#batch.send(this.#socket, 0), 1);
    this.#batch.clear();
  }
}

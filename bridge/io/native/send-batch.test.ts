import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { loadForeign } from './foreign.ts';
import { NOT_HERE } from './native.platform.ts';
import { IPV4_NAME_BYTES, memoryOf, namesOf, nextTurn, openNative, openPlain, until } from './native.sockets.ts';
import { NativeMemory } from './native-memory.ts';
import { NativeSocket } from './native-socket.ts';
import { MESSAGE_BYTES_MAX, SEGMENTS_MAX, SendBatch } from './send-batch.ts';
import { NAME_BYTES } from './socket-name.ts';

const EAGAIN = 11;
const EINVAL = 22;
const ECONNREFUSED = 111;

describe('send batch', { skip: NOT_HERE }, () => {
  test('messages arrive at their names, each put together from its pieces', async context => {
    const [one, other] = [await openPlain(context), await openPlain(context)];
    const socket = openNative(context);
    const names = namesOf(one.port, other.port);
    const memory = memoryOf('hello, world');
    const batch = new SendBatch({ messages: 3, pieces: 5 });
    batch.begin(names, 0, IPV4_NAME_BYTES);
    batch.add(memory, 0, 5);
    batch.begin(names, NAME_BYTES, IPV4_NAME_BYTES);
    batch.add(memory, 7, 5);
    batch.add(memory, 5, 2);
    batch.add(memory, 0, 5);
    batch.begin(names, 0, IPV4_NAME_BYTES);
    assert.deepEqual([batch.count, batch.pieces], [3, 4]);
    assert.equal(batch.send(socket, 0), 3);
    await until(() => one.heard.length === 2 && other.heard.length === 1);
    assert.deepEqual([one.heard.map(String), other.heard.map(String)], [['hello', ''], ['world, hello']]);
  });

  test('a prepared batch is sent again as it is, with what its memory holds by then', async context => {
    const { port, heard } = await openPlain(context);
    const socket = openNative(context);
    const memory = memoryOf('a');
    const batch = new SendBatch({ messages: 1, pieces: 1 });
    batch.begin(namesOf(port), 0, IPV4_NAME_BYTES);
    batch.add(memory, 0, 1);
    for (const text of ['a', 'b', 'c']) {
      memory.bytes.write(text);
      assert.equal(batch.send(socket, 0), 1);
    }
    await until(() => heard.length === 3);
    assert.equal(heard.join(''), 'abc');
  });

  test('a message cut into segments arrives as separate datagrams, the last one shorter', async context => {
    const { port, heard } = await openPlain(context);
    const socket = openNative(context);
    const memory = memoryOf('abcdefghij');
    const batch = new SendBatch({ messages: 1, pieces: 4 });
    batch.begin(namesOf(port), 0, IPV4_NAME_BYTES);
    for (const [offset, length] of [
      [0, 3],
      [3, 3],
      [6, 3],
      [9, 1],
    ])
      batch.add(memory, offset, length);
    batch.segment(3);
    assert.equal(batch.send(socket, 0), 1);
    await until(() => heard.length === 4);
    assert.deepEqual(heard.map(String), ['abc', 'def', 'ghi', 'j']);
  });

  test('control data of the caller’s and segments replace each other, and a cleared batch has neither', async context => {
    const { port, heard } = await openPlain(context);
    const socket = openNative(context, { packetInfo: 1 });
    const names = namesOf(port);
    const memory = memoryOf('abcdef');
    // The last message's control data end where their memory does.
    const batch = new SendBatch({ messages: 1, pieces: 2, controlBytes: 32 });
    const source = packetInfo('127.0.0.1');
    const steps = [
      () => batch.control(source),
      () => batch.segment(3),
      () => batch.control(new Uint8Array()),
      () => {},
    ];
    for (const order of [[1], [0, 1], [1, 0], [1, 2], [0, 3], [3]]) {
      heard.length = 0;
      batch.clear();
      batch.begin(names, 0, IPV4_NAME_BYTES);
      batch.add(memory, 0, 6);
      for (const step of order) steps[step]();
      assert.equal(batch.send(socket, 0), 1);
      const isCut = order.at(-1) === 1;
      await until(() => heard.length === (isCut ? 2 : 1));
      assert.deepEqual(heard.map(String), isCut ? ['abc', 'def'] : ['abcdef'], `steps ${order}`);
    }
  });

  test('control data choose the address a datagram comes from', async context => {
    const { socket: plain, port } = await openPlain(context);
    const sources: string[] = [];
    plain.on('message', (_bytes, { address }) => sources.push(address));
    const socket = NativeSocket.open('0.0.0.0', 0);
    context.after(() => socket.close());
    const batch = new SendBatch({ messages: 2, pieces: 2, controlBytes: 32 });
    for (const address of ['127.0.0.3', '127.0.0.4']) {
      batch.begin(namesOf(port), 0, IPV4_NAME_BYTES);
      batch.add(memoryOf('x'), 0, 1);
      batch.control(packetInfo(address));
    }
    assert.equal(batch.send(socket, 0), 2);
    await until(() => sources.length === 2);
    assert.deepEqual(sources, ['127.0.0.3', '127.0.0.4']);
  });

  test('what a full socket buffer did not take is sent from there on when there is room', async context => {
    const { port, heard } = await openPlain(context);
    const socket = openNative(context);
    const foreign = loadForeign();
    // Loopback's buffers do not fill: the kernel is told of fewer messages, then of none.
    const room = [2, 0, 1];
    const sendmmsg = (descriptor: bigint, headers: bigint, count: bigint, flags: bigint) => {
      const taken = BigInt(room.shift() ?? count);
      if (taken > 0n) return foreign.sendmmsg(descriptor, headers, taken, flags);
      foreign.errno[0] = EAGAIN;
      return -1;
    };
    const batch = new SendBatch(
      { messages: 5, pieces: 5 },
      { ...foreign, sendmmsg: sendmmsg as typeof foreign.sendmmsg },
    );
    const memory = memoryOf('abcde');
    for (let message = 0; message < 5; message++) {
      batch.begin(namesOf(port), 0, IPV4_NAME_BYTES);
      batch.add(memory, message, 1);
    }
    assert.deepEqual(
      [batch.send(socket, 0), batch.send(socket, 2), batch.send(socket, 2), batch.send(socket, 3)],
      [2, -EAGAIN, 1, 2],
    );
    await until(() => heard.length === 5);
    assert.equal(heard.join(''), 'abcde');
  });

  test('what is behind a refused message is sent when it is left out', async context => {
    const { port, heard } = await openPlain(context);
    const socket = openNative(context);
    const names = namesOf(port, port, port);
    names.words[NAME_BYTES / 4] = 0xffff;
    const memory = memoryOf('ab');
    const batch = new SendBatch({ messages: 3, pieces: 3 });
    for (const [message, offset] of [0, 0, 1].entries()) {
      batch.begin(names, message * NAME_BYTES, IPV4_NAME_BYTES);
      batch.add(memory, offset, 1);
    }
    assert.equal(batch.send(socket, 0), 1);
    assert.ok([-EINVAL, -97].includes(batch.send(socket, 1)));
    assert.equal(batch.send(socket, 2), 1);
    await until(() => heard.length === 2);
    assert.equal(heard.join(''), 'ab');
  });

  test('a peer that has gone is no error, and one the kernel does report is its errno', context => {
    const gone = openNative(context);
    const { port } = gone.name();
    gone.close();
    const socket = openNative(context);
    const batch = prepared(port);
    for (let time = 0; time < 3; time++) assert.equal(batch.send(socket, 0), 1);
    const foreign = loadForeign();
    const refusing = prepared(port, {
      ...foreign,
      sendmmsg: () => {
        foreign.errno[0] = ECONNREFUSED;
        return -1;
      },
    });
    assert.equal(refusing.send(socket, 0), -ECONNREFUSED);
  });

  test('a failure is a negative number even when the system names none', context => {
    const foreign = loadForeign();
    const failing = prepared(1, {
      ...foreign,
      sendmmsg: () => {
        foreign.errno[0] = 0;
        return -1;
      },
    });
    assert.ok(failing.send(openNative(context), 0) < 0);
  });

  test('the kernel is given exactly the rest of the batch', context => {
    const calls: bigint[][] = [];
    const socket = openNative(context);
    const batch = new SendBatch(
      { messages: 4, pieces: 4 },
      { ...loadForeign(), sendmmsg: (...args) => calls.push(args) },
    );
    for (let message = 0; message < 3; message++) batch.begin(namesOf(1), 0, IPV4_NAME_BYTES);
    batch.send(socket, 0);
    batch.send(socket, 2);
    assert.deepEqual(
      calls.map(([descriptor, , count, flags]) => [descriptor, count, flags]),
      [
        [socket.descriptor, 3n, 0n],
        [socket.descriptor, 1n, 0n],
      ],
    );
    assert.equal(calls[1][1] - calls[0][1], 128n, 'two headers on');
  });

  test('a full batch, a piece of no message and a message of too much are refused and leave the batch as it was', async context => {
    const { port, heard } = await openPlain(context);
    const names = namesOf(port);
    const memory = new NativeMemory(MESSAGE_BYTES_MAX + 1);
    const batch = new SendBatch({ messages: 2, pieces: 70 });
    assert.throws(() => batch.add(memory, 0, 1), /no room for a piece: 0 in 0 messages/);
    assert.throws(() => batch.segment(100), RangeError);
    assert.throws(() => batch.control(new Uint8Array()), RangeError);
    batch.begin(names, 0, IPV4_NAME_BYTES);
    assert.throws(
      () => batch.add(memory, 0, MESSAGE_BYTES_MAX + 1),
      /a message of 1 pieces, 65001 bytes; allowed: 64, 65000/,
    );
    for (let piece = 0; piece < SEGMENTS_MAX; piece++) batch.add(memory, 0, 1);
    assert.throws(() => batch.add(memory, 0, 1), /a message of 65 pieces/);
    batch.begin(names, 0, IPV4_NAME_BYTES);
    for (let piece = 0; piece < 6; piece++) batch.add(memory, 0, 1);
    assert.throws(() => batch.add(memory, 0, 1), /no room for a piece: 70 in 2 messages/);
    assert.throws(() => batch.begin(names, 0, IPV4_NAME_BYTES), /the batch is full: 2 messages/);
    assert.equal(batch.send(openNative(context), 0), 2);
    await until(() => heard.length === 2);
    assert.deepEqual(
      heard.map(bytes => bytes.length),
      [64, 6],
    );
  });

  test('numbers that are none, and places outside, are refused one by one', () => {
    const names = namesOf(1);
    const memory = new NativeMemory(64);
    const batch = new SendBatch({ messages: 1, pieces: 1 });
    const bad = [-1, 0.5, Number.NaN, 2 ** 31, 2 ** 53, '1', undefined, null, {}] as unknown as number[];
    for (const value of bad)
      assert.throws(() => batch.begin(names, value, IPV4_NAME_BYTES), RangeError, `name at ${value}`);
    for (const value of [...bad, 15, 33])
      assert.throws(() => batch.begin(names, 0, value), RangeError, `name of ${value}`);
    assert.throws(() => batch.begin(names, 56, IPV4_NAME_BYTES), RangeError);
    assert.equal(batch.count, 0);
    batch.begin(names, 0, IPV4_NAME_BYTES);
    for (const value of [...bad, 65]) assert.throws(() => batch.add(memory, value, 1), RangeError, `piece at ${value}`);
    for (const value of [...bad, 65]) assert.throws(() => batch.add(memory, 0, value), RangeError, `piece of ${value}`);
    for (const value of [...bad, 0, 65_536])
      assert.throws(() => batch.segment(value), RangeError, `segments of ${value}`);
    assert.equal(batch.pieces, 0);
    for (const value of [...bad.slice(0, 6), 0]) {
      assert.throws(() => new SendBatch({ messages: value, pieces: 4 }), RangeError, `${value} messages`);
      assert.throws(() => new SendBatch({ messages: 1, pieces: value }), RangeError, `${value} pieces`);
    }
    for (const value of [-8, 4, 264, 0.5, Number.NaN])
      assert.throws(() => new SendBatch({ messages: 1, pieces: 1, controlBytes: value }), RangeError);
  });

  test('nothing is sent on a closed socket, from an empty batch, or from a message that is not there', context => {
    const socket = openNative(context);
    const batch = prepared(1);
    for (const first of [-1, 1, 0.5, Number.NaN, '0' as unknown as number])
      assert.throws(() => batch.send(socket, first), RangeError, String(first));
    batch.clear();
    assert.throws(() => batch.send(socket, 0), /messages from 0 of 0 on a socket that is open/);
    socket.close();
    assert.throws(() => prepared(1).send(socket, 0), /on a socket that is closed/);
  });

  test('memory that a batch points to stays, also when nobody else has it; other memory goes', async () => {
    const gc = exposedGc();
    const batch = new SendBatch({ messages: 1, pieces: 1 });
    const [names, bytes, unused] = refer(batch);
    for (let round = 0; round < 3; round++) {
      await nextTurn();
      gc();
    }
    assert.equal(unused.deref(), undefined, 'the collector has run');
    assert.notEqual(names.deref(), undefined);
    assert.notEqual(bytes.deref(), undefined);
    assert.equal(batch.count, 1);
  });
});

/** Apart, so that no variable of the test holds them. */
function refer(batch: SendBatch): WeakRef<NativeMemory>[] {
  const [names, bytes, unused] = [namesOf(1), memoryOf('x'), memoryOf('y')];
  batch.begin(names, 0, IPV4_NAME_BYTES);
  batch.add(bytes, 0, 1);
  return [new WeakRef(names), new WeakRef(bytes), new WeakRef(unused)];
}

function exposedGc(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc');
}

function prepared(port: number, foreign = loadForeign()): SendBatch {
  const batch = new SendBatch({ messages: 1, pieces: 1 }, foreign);
  batch.begin(namesOf(port), 0, IPV4_NAME_BYTES);
  batch.add(memoryOf('x'), 0, 1);
  return batch;
}

/** struct cmsghdr and struct in_pktinfo: IP_PKTINFO with an address to send from. */
function packetInfo(address: string): Uint8Array {
  const words = new Uint32Array(8);
  words.set([28, 0, 0, 8]);
  const bytes = new Uint8Array(words.buffer);
  bytes.set(address.split('.').map(Number), 20);
  return bytes;
}

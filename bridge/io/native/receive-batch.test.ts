import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { loadForeign } from './foreign.ts';
import { NOT_HERE } from './native.platform.ts';
import {
  contentOf,
  IPV4_NAME_BYTES,
  LOOPBACK,
  memoryOf,
  namesOf,
  openNative,
  openPlain,
  receiver,
  receiveSome,
} from './native.sockets.ts';
import { NativeMemory } from './native-memory.ts';
import { OFFLOAD_CONTROL_BYTES, ReceiveBatch } from './receive-batch.ts';
import { SendBatch } from './send-batch.ts';
import { NAME_WORDS, readName } from './socket-name.ts';

const EAGAIN = 11;

describe('receive batch', { skip: NOT_HERE }, () => {
  test('datagrams come in order with their bytes and senders, as many as fit in one call', async context => {
    const socket = openNative(context);
    const { socket: plain, port } = await openPlain(context);
    const batch = receiver(3, 64);
    for (const text of ['one', '', 'three', 'four']) await sent(plain, text, socket.name().port);
    const heard: string[] = [];
    for (let left = 4; left > 0; ) {
      const received = await receiveSome(batch, socket);
      assert.ok(received <= 3);
      left -= received;
      for (let message = 0; message < received; message++) {
        heard.push(contentOf(batch, message).toString());
        assert.deepEqual(readName(batch.names, message * NAME_WORDS), { address: LOOPBACK, port, family: 'IPv4' });
        assert.deepEqual(
          [batch.isTruncated(message), batch.controlLengthOf(message), batch.segmentBytesOf(message)],
          [false, 0, 0],
        );
      }
    }
    assert.deepEqual(heard, ['one', '', 'three', 'four']);
    assert.equal(batch.receive(socket), -EAGAIN);
  });

  test('a datagram larger than its buffer is cut, told, and does not reach its neighbour', async context => {
    const socket = openNative(context);
    const { socket: plain } = await openPlain(context);
    const batch = receiver(2, 32);
    batch.memory.bytes.fill(0xaa);
    await sent(plain, 'x'.repeat(33), socket.name().port);
    assert.equal(await receiveSome(batch, socket), 1);
    assert.deepEqual([batch.isTruncated(0), batch.lengthOf(0)], [true, 32]);
    assert.equal(contentOf(batch, 0).toString(), 'x'.repeat(32));
    assert.ok(batch.memory.bytes.subarray(32).every(byte => byte === 0xaa));
  });

  test('with receive offload a run comes as one message, with the size of its datagrams', async context => {
    const socket = openNative(context, { receiveOffload: 1 });
    const sender = openNative(context);
    const run = Buffer.from(Array.from({ length: 340 }, (_, index) => index & 0xff));
    const batch = receiver(2, 65_536, OFFLOAD_CONTROL_BYTES);
    const sending = new SendBatch({ messages: 2, pieces: 2 });
    sending.begin(namesOf(socket.name().port), 0, IPV4_NAME_BYTES);
    sending.add(memoryOf(run), 0, 340);
    sending.segment(100);
    assert.equal(sending.send(sender, 0), 1);
    assert.equal(await receiveSome(batch, socket), 1);
    assert.deepEqual(contentOf(batch, 0), run);
    assert.deepEqual([batch.segmentBytesOf(0), batch.controlLengthOf(0)], [100, OFFLOAD_CONTROL_BYTES]);
    // And a single one after it is told from a run.
    sending.clear();
    sending.begin(namesOf(socket.name().port), 0, IPV4_NAME_BYTES);
    sending.add(memoryOf(run), 0, 100);
    assert.equal(sending.send(sender, 0), 1);
    assert.equal(await receiveSome(batch, socket), 1);
    assert.deepEqual([batch.lengthOf(0), batch.segmentBytesOf(0)], [100, 0]);
  });

  test('control messages come in the room there is for them, each time', async context => {
    const socket = openNative(context, { packetInfo: 1 });
    const { socket: plain } = await openPlain(context);
    for (const controlBytes of [0, 8, 32, 64]) {
      const batch = receiver(1, 64, controlBytes);
      for (let time = 0; time < 2; time++) {
        await sent(plain, 'x', socket.name().port);
        assert.equal(await receiveSome(batch, socket), 1);
        const length = batch.controlLengthOf(0);
        assert.equal(length, controlBytes < 16 ? 0 : 32, `${controlBytes} bytes`);
        if (length > 0) assert.deepEqual([...batch.controls.subarray(20, 24)], [127, 0, 0, 1]);
        assert.equal(batch.segmentBytesOf(0), 0);
      }
    }
  });

  test('nothing is told of a message that the last call did not receive', async context => {
    const socket = openNative(context);
    const { socket: plain } = await openPlain(context);
    const batch = receiver(4, 64, 32);
    const questions: ((message: number) => unknown)[] = [
      message => batch.lengthOf(message),
      message => batch.isTruncated(message),
      message => batch.controlLengthOf(message),
      message => batch.segmentBytesOf(message),
    ];
    for (const ask of questions) assert.throws(() => ask(0), /message 0 of 0 received/);
    await sent(plain, 'x', socket.name().port);
    await receiveSome(batch, socket);
    for (const ask of questions) {
      ask(0);
      for (const bad of [-1, 1, 0.5, Number.NaN, '0' as unknown as number])
        assert.throws(() => ask(bad), RangeError, String(bad));
    }
    batch.receive(socket);
    assert.throws(() => batch.lengthOf(0), RangeError);
  });

  test('a closed socket is refused, and a failure is a negative number even when the system names none', context => {
    const socket = openNative(context);
    const foreign = loadForeign();
    let errno = 107;
    const failing = new ReceiveBatch(
      { messages: 1, memory: new NativeMemory(64), bufferBytes: 64 },
      {
        ...foreign,
        recvmmsg: () => {
          foreign.errno[0] = errno;
          return -1;
        },
      },
    );
    assert.equal(failing.receive(socket), -107);
    errno = 0;
    assert.ok(failing.receive(socket) < 0);
    socket.close();
    assert.throws(() => receiver(1, 64).receive(socket), /the socket is closed/);
  });

  test('buffers that are not inside their memory, and counts that are none, are refused', () => {
    const memory = new NativeMemory(128);
    new ReceiveBatch({ messages: 2, memory, bufferBytes: 64 });
    for (const [messages, bufferBytes] of [
      [2, 65],
      [3, 64],
      [1, 129],
      [1, -1],
      [1, 0.5],
      [1, Number.NaN],
      [0, 64],
      [1.5, 64],
      [4097, 0],
      [Number.NaN, 64],
    ]) {
      assert.throws(
        () => new ReceiveBatch({ messages, memory, bufferBytes }),
        RangeError,
        `${messages} x ${bufferBytes}`,
      );
    }
    for (const controlBytes of [-8, 4, 1032, 0.5, Number.NaN]) {
      assert.throws(
        () => new ReceiveBatch({ messages: 1, memory, bufferBytes: 64, controlBytes }),
        RangeError,
        `${controlBytes}`,
      );
    }
  });
});

function sent(plain: Awaited<ReturnType<typeof openPlain>>['socket'], text: string, port: number): Promise<void> {
  return new Promise((resolve, reject) =>
    plain.send(text, port, LOOPBACK, error => (error ? reject(error) : resolve())),
  );
}

import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { loadForeign } from './foreign.ts';
import { NOT_HERE } from './native.platform.ts';
import { NativeSocket, SOCKET_OPTIONS, type SocketOption } from './native-socket.ts';

function opened(context: { after(end: () => void): void }, address = '127.0.0.1', port = 0): NativeSocket {
  const socket = NativeSocket.open(address, port);
  context.after(() => socket.close());
  return socket;
}

/** What node:dgram says of the same. */
async function dgramError(type: 'udp4' | 'udp6', address: string, port: number): Promise<NodeJS.ErrnoException> {
  const socket = createSocket(type);
  const failed = once(socket, 'error');
  socket.bind(port, address);
  const [error] = await failed;
  socket.close();
  return error;
}

describe('native socket', { skip: NOT_HERE }, () => {
  test('it is bound to the address it was asked for, and the system chooses the port if told to', context => {
    const socket = opened(context);
    const { address, port, family } = socket.name();
    assert.deepEqual([address, family, socket.family], ['127.0.0.1', 'IPv4', 'IPv4']);
    assert.ok(port > 0);
    assert.equal(opened(context, '127.0.0.2', port).name().port, port);
    const six = opened(context, '::1');
    assert.deepEqual([six.name().address, six.name().family, six.family], ['::1', 'IPv6', 'IPv6']);
  });

  test('an address in use, and one that is not ours, fail as in node:dgram', async context => {
    const { port } = opened(context).name();
    for (const [address, number] of [
      ['127.0.0.1', port],
      ['192.0.2.1', 40_000],
    ] as const) {
      const expected = await dgramError('udp4', address, number);
      const { code, errno, syscall, message } = expected;
      const where = { address, port: number };
      assert.throws(() => NativeSocket.open(address, number), {
        name: 'Error',
        code,
        errno,
        syscall,
        message,
        ...where,
      });
    }
  });

  test('a socket that could not be bound is closed again', context => {
    const { port } = opened(context).name();
    const probe = () => {
      const socket = NativeSocket.open('127.0.0.1', 0);
      socket.close();
      return socket.descriptor;
    };
    const before = probe();
    for (let round = 0; round < 20; round++) assert.throws(() => NativeSocket.open('127.0.0.1', port));
    for (const bad of [65_536, -1, Number.NaN]) assert.throws(() => NativeSocket.open('127.0.0.1', bad), RangeError);
    assert.throws(() => NativeSocket.open('nowhere', 0), RangeError);
    assert.equal(probe(), before, 'the same descriptor is free');
  });

  test('no descriptor left is the system’s own error', () => {
    const foreign = loadForeign();
    const full = {
      ...foreign,
      socket: () => {
        foreign.errno[0] = 24;
        return -1;
      },
    };
    assert.throws(() => NativeSocket.open('127.0.0.1', 0, full), {
      code: 'EMFILE',
      syscall: 'socket',
      address: '127.0.0.1',
      port: 0,
    });
  });

  test('every option is what it was set to', context => {
    const socket = opened(context, '::');
    const values: [SocketOption, number, number][] = [
      ['sendBufferBytes', 100_000, 200_000],
      ['receiveBufferBytes', 100_000, 200_000],
      ['packetInfo', 1, 1],
      ['receiveOffload', 1, 1],
      ['segmentBytes', 1200, 1200],
    ];
    for (const [option, value, expected] of values) {
      assert.equal(socket.setOption(option, value), true, option);
      assert.equal(socket.option(option), expected, option);
    }
    assert.equal(socket.setOption('segmentBytes', -1), false, 'the kernel refuses');
    assert.equal(socket.setOption('isIpv6Only', 1), false, 'too late once it is bound');
  });

  test('an option of no name and a value of no 32 bits are refused', context => {
    const socket = opened(context);
    for (const bad of ['', 'toString', '__proto__', undefined, 7]) {
      const message = new RegExp(`allowed: ${Object.keys(SOCKET_OPTIONS).join(', ')}`);
      assert.throws(() => socket.option(bad as SocketOption), { name: 'RangeError', message });
      assert.throws(() => socket.setOption(bad as SocketOption, 1), { name: 'RangeError', message });
    }
    for (const bad of [Number.NaN, 0.5, 2 ** 31, '1'])
      assert.throws(() => socket.setOption('packetInfo', bad as number), RangeError);
  });

  test('nothing is asked of a closed socket, and closing it again closes no other', context => {
    const socket = NativeSocket.open('127.0.0.1', 0);
    socket.close();
    const next = opened(context);
    assert.equal(next.descriptor, socket.descriptor, 'the number is another’s now');
    socket.close();
    assert.equal(next.name().address, '127.0.0.1');
    assert.equal(socket.isOpen, false);
    for (const call of [
      () => socket.name(),
      () => socket.option('packetInfo'),
      () => socket.setOption('packetInfo', 1),
      () => socket.attach({ close() {} }),
    ]) {
      assert.throws(call, /the socket is closed/);
    }
  });

  test('who watches it is closed before it, and only one may', () => {
    const socket = NativeSocket.open('127.0.0.1', 0);
    const closed: string[] = [];
    const watcher = (name: string) => ({ close: () => closed.push(`${name} ${socket.isOpen}`) });
    const first = watcher('first');
    socket.attach(first);
    assert.throws(() => socket.attach(watcher('second')), /watched already/);
    socket.detach(first);
    socket.attach(watcher('third'));
    socket.detach(first);
    socket.close();
    assert.deepEqual(closed, ['third false']);
  });
});
